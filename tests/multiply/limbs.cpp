// SPDX-License-Identifier: BSD-3-Clause
// Which x is multiplied as integers, and how an engine asks.
#include <jackplane/multiply/multiply.hpp>
#include <jackplane/pack/pack.hpp>
#include <jackplane/quantize/quantize.hpp>
#include <jackplane/quantize/row_table.hpp>
#include <string_view>
#include <doctest/doctest.h>

using namespace jackplane;

namespace
{
    constexpr std::size_t columns = 384;
    template <code_layout L = planes<4>, codebook C = uniform<4>>
    auto matrix(group g)
    {
        std::vector<float> w(16 * columns);
        for (std::size_t i = 0; i < w.size(); ++i)
            w[i] = static_cast<float>(i % 61) - 30;
        return pack<L>(quantize(matrix_view<float const>{w.data(), 16, columns}, C{}, absmax{}, g));
    }
    template <class How>
    auto prepare(How how)
    {
        typename How::prepared ready;
        how.prepare(std::vector<float>(columns, 1.0f), ready);
        return ready;
    }
}
TEST_CASE("limbs are multiplied as integers for every group that blocks of 32 columns divide, whatever theirs")
{
    bool const can = best_arch::multiplies_bytes;
    for (std::size_t const x_group : {32u, 64u, 128u})
    {
        auto const one = prepare(limbs<1>{x_group});
        auto const three = prepare(limbs<3>{x_group});
        for (std::size_t const g : {32u, 64u, 96u, 128u, 384u})
        {
            auto const a = matrix(group{g});
            CHECK(takes_integers(a, one) == can);
            CHECK(takes_integers(a.prefix<4>(), three) == can);
        }
        for (group const g : {group::per_row(), group::per_tensor()})
            CHECK(takes_integers(matrix(g), three) == can);
        for (std::size_t const g : {5u, 16u, 48u})
            CHECK(!takes_integers(matrix(group{g}), one));
    }
    CHECK(!takes_integers(matrix(group{64}), prepare(exact{})));
    CHECK(!takes_integers(matrix(group{64}), prepare(bf16{})));
    CHECK(takes_integers<scalar>(matrix(group{48}), prepare(limbs<1>{})));
}
TEST_CASE("tables are bytes for one limb where the arch looks bytes up; planes that do not merge are never")
{
    auto const one = prepare(limbs<1>{});
    CHECK(takes_integers(matrix<planes<4>, nf4>(group{64}), one) == best_arch::looks_up_bytes);
    CHECK(!takes_integers(matrix<planes<4>, nf4>(group{64}), prepare(limbs<2>{})));
    CHECK(!takes_integers(matrix<planes<1, 2>, uniform<3>>(group{64}), one));
    std::vector<float> const w(16 * columns, 1.0f);
    auto const table = quantize(matrix_view<float const>{w.data(), 16, columns}, row_table<4>{});
    CHECK(!takes_integers(pack<planes<4>>(table), one));
}
TEST_CASE("for_matrix: 64 columns where they divide the groups of all, else 32")
{
    CHECK(limbs<3>::for_matrix(matrix(group{64})).group == 64);
    CHECK(limbs<3>::for_matrix(matrix(group{128})).group == 64);
    CHECK(limbs<1>::for_matrix(matrix(group::per_row())).group == 64);
    CHECK(limbs<1>::for_matrix(matrix(group{32})).group == 32);
    CHECK(limbs<1>::for_matrix(matrix(group{96})).group == 32);
    CHECK(limbs<1>::for_matrix(matrix(group{64}), matrix(group{32})).group == 32);
    CHECK(limbs<1>::for_matrix(matrix(group{48})).group == 32);
}
TEST_CASE("kernel_name is that of the arch")
{
    CHECK(std::string_view(kernel_name()) == best_arch::name());
    CHECK(std::string_view(kernel_name<scalar>()) == "scalar");
}
