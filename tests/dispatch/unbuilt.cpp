// SPDX-License-Identifier: BSD-3-Clause
// Linked with test_kernels (tests/checks.cmake): what that was not asked for is compiled here, and multiplied by what
// this unit's flags allow; a static_assert tells before.
#include <jackplane/multiply/any.hpp>
#include <jackplane/multiply/dispatch.hpp>
#include <jackplane/multiply/sparse.hpp>
#include <jackplane/quantize/quantize.hpp>
#include <cstdio>
#include <cstring>
#include "products.hpp"

using namespace jackplane;
using built = packed<planes<4>, nf4>;
using missing = packed<planes<4>, uniform<4>>;
static_assert(kernels_are_built<built, limbs<1>::prepared> && kernels_are_built<built, exact::prepared>);
static_assert(!kernels_are_built<missing, limbs<1>::prepared> && !kernels_are_built<built, limbs<2>::prepared>);

namespace
{
    constexpr std::size_t rows = 37, cols = 333;
    int wrong = 0;

    // x prepared by one arch and multiplied by another: the integers are those of the definition, whoever prepares.
    template <class How, class M>
    void check(char const* what, M const& a, std::vector<float> const& x)
    {
        typename How::prepared ready, here;
        How{}.template prepare<dispatched>(x, ready);
        How{}.prepare(x, here);
        std::vector<float> y(rows), expected(rows);
        multiply<dispatched>(a, ready, y, threads{2});
        multiply(a, here, expected);
        bool const same = std::memcmp(y.data(), expected.data(), y.size() * sizeof(float)) == 0;
        if constexpr (packed_matrix<M>)
            wrong += takes_integers<dispatched>(a, ready) != takes_integers(a, ready);
        wrong += !same;
        std::printf("%s: %s\n", what, same ? "the product of this unit's flags" : "another product");
    }
}

int main()
{
    std::vector<float> const values = products::numbers(rows * cols, 1), x = products::numbers(cols, 2);
    matrix_view<float const> const w{values.data(), rows, cols};
    missing const a = pack<planes<4>>(quantize(w, uniform<4>{}, absmax{}, group{64}));
    built const b = pack<planes<4>>(quantize(w, nf4{}, absmax{}, group{64}));
    check<limbs<1>>("a format that was not asked for", a, x);
    check<exact>("the same, as fp32", a, x);
    check<limbs<2>>("limbs that were not asked for", b, x);
    triplet const some[] = {{0, 0, 1.0f}, {3, 64, -2.0f}};
    check<exact>("a sparse type that was not asked for", csr<float>(rows, cols, some), x);

    // a variant of both: each by its own
    std::vector<float> y(rows), expected(rows);
    for (std::variant<missing, built> const& m : {std::variant<missing, built>(a), std::variant<missing, built>(b)})
    {
        multiply<dispatched>(m, 4, x, y);
        std::visit([&](auto const& of) { multiply<dispatched>(of, x, expected); }, m);
        wrong += y != expected;
    }
    return wrong;
}
