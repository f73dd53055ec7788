// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <jackplane/pack/pack.hpp>
#include "linear_map.hpp"

namespace laws
{
    template <class Arch, class Acc, class Q, class M>
    void check_kernel(Q const& q, M const& a, exact_number extra_terms)
    {
        for (input const kind : all_inputs)
        {
            auto const x = vector(q.cols, kind, a.bits());
            auto expected = product(twin_of(q, a.bits()), x);
            exact_number const groups = static_cast<exact_number>(q.grid.per_row);
            for (answer& e : expected) // the bound is a multiple of (groups + 8) eps
                e.bound *= (groups + 8 + extra_terms / 2) / (groups + 8);
            CHECK(first_wrong(expected, times<Arch, Acc>(a, x)) == q.rows);
        }
    }
    template <class Arch, class L, class C, class P, class S, bool Accumulators = false>
    void check_arch(jackplane::group g, std::initializer_list<unsigned> widths)
    {
        using namespace jackplane;
        for (shape const s : {shape{17, 33}, shape{5, 127}, shape{65, 255}, shape{16, 64}, shape{3, 1}})
        {
            sample const w = weights(s.rows, s.cols, s.cols);
            auto const q = quantize<S>(w.view(), C{}, P{}, g);
            auto const a = pack<L>(q);
            for (unsigned const bits : widths)
            {
                check_kernel<Arch, compensated>(q, a.prefix(bits), 0);
                if constexpr (!Accumulators)
                    continue;
                check_kernel<Arch, fp64>(q, a.prefix(bits), 0);
                // fp32 rounds at each partial sum: one for every piece of a group that lies in one block
                std::size_t const pieces = q.grid.per_row + ceil_div(s.cols, block::cols);
                check_kernel<Arch, fp32>(q, a.prefix(bits), static_cast<exact_number>(pieces));
            }
        }
    }
}

// Every arch stays within the bound of the exact product, so any two agree within the sum of their bounds.
TEST_CASE_TEMPLATE_DEFINE("arch", Arch, arch_law)
{
    using namespace jackplane;
    static_assert(arch<Arch>);
    CHECK(std::string(Arch::name()) != "");
    if constexpr (Arch::supported())
    {
        SUBCASE("one-bit planes, real zeros, ragged groups")
        {
            laws::check_arch<Arch, bit_planes, uniform<8>, minmax<real_zero>, half>(group{5}, {8, 5, 1});
        }
        SUBCASE("mixed planes, integer zeros")
        {
            laws::check_arch<Arch, planes<4, 4>, uniform<8>, minmax<integer_zero>, float, true>(group{48}, {8, 4});
            laws::check_arch<Arch, planes<4, 2, 1, 1>, uniform<8>, minmax<integer_zero>, float>(group{64}, {8, 6, 4});
        }
        SUBCASE("bytes, no zeros")
        {
            laws::check_arch<Arch, planes<8>, uniform<8>, full_range, bfloat16>(group::per_row(), {8});
        }
        SUBCASE("a table")
        {
            laws::check_arch<Arch, planes<2, 2>, nf4, absmax, half>(group{32}, {4});
        }
    }
    else
        MESSAGE(std::string(Arch::name()), " is not among the flags of this unit");
}
