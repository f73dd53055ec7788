// SPDX-License-Identifier: BSD-3-Clause
#pragma once
// Seats for tests/laws/linear_map.hpp: how each map is made, and its exact twin.
#include <jackplane/pack/pack.hpp>
#include <jackplane/quantize/row_table.hpp>
#include "laws/linear_map.hpp"
#include "laws/offsets.hpp"

namespace subjects
{
    using namespace jackplane;

    template <class M>
    struct subject
    {
        M map;
        laws::twin exact;
        std::shared_ptr<void const> keep; // what a prefix looks into
    };
    template <scale_number S = half, codebook C, class P>
    auto random(laws::shape s, C book, P policy, group g, std::uint64_t seed)
    {
        laws::sample const w = laws::weights(s.rows, s.cols, seed);
        return quantize<S>(w.view(), book, policy, g);
    }

    template <code_layout L, codebook C, class P, scale_number S = half>
    struct whole
    {
        static std::vector<unsigned> widths() { return {C::bits}; }
        static auto make(laws::shape s, group g, std::uint64_t seed, unsigned = C::bits)
        {
            auto const q = random<S>(s, C{}, P{}, g, seed);
            return subject<decltype(pack<L>(q))>{pack<L>(q), laws::twin_of(q), nullptr};
        }
    };

    // Its leading bits, at every width that the planes can give.
    template <code_layout L, codebook C, class P, scale_number S = half>
    struct prefixes
    {
        static std::vector<unsigned> widths()
        {
            std::vector<unsigned> all;
            for (unsigned bits = 1; bits <= L::bits; ++bits)
                if (L::planes_of(bits) != 0)
                    all.push_back(bits);
            return all;
        }
        static auto make(laws::shape s, group g, std::uint64_t seed, unsigned bits)
        {
            auto const q = random<S>(s, C{}, P{}, g, seed);
            auto const a = pack<L>(q);
            return subject<decltype(a.prefix(bits))>{a.prefix(bits), laws::twin_of(q, bits), a.owner()};
        }
    };

    // The codes and scales of real zeros, which become offsets in T; read at every width that the planes can give.
    template <code_layout L, codebook C, scale_number T, scale_number S = half>
    struct offsets
    {
        static auto widths() { return prefixes<L, C, minmax<real_zero>, S>::widths(); }
        static auto make(laws::shape s, group g, std::uint64_t seed, unsigned bits)
        {
            auto const q = laws::with_offsets<T>(random<S>(s, C{}, minmax<real_zero>{}, g, seed));
            auto const a = pack<L>(q);
            return subject<decltype(a.prefix(bits))>{a.prefix(bits), laws::twin_of(q, bits), a.owner()};
        }
    };

    // Values of each row's own.
    template <code_layout L, unsigned B, scale_number S = half>
    struct tables
    {
        static std::vector<unsigned> widths() { return {B}; }
        static auto make(laws::shape s, group, std::uint64_t seed, unsigned = B)
        {
            laws::sample const w = laws::weights(s.rows, s.cols, seed);
            auto const q = quantize<S>(w.view(), row_table<B>{});
            return subject<decltype(pack<L>(q))>{pack<L>(q), laws::twin_of(q), nullptr};
        }
    };

    template <class A, class B>
    struct both
    {
        static std::vector<unsigned> widths() { return A::widths(); }
        static auto make(laws::shape s, group g, std::uint64_t seed, unsigned bits)
        {
            auto a = A::make(s, g, seed, bits);
            auto b = B::make(s, group{16}, seed + 1, B::widths().back());
            using keeps = std::pair<std::shared_ptr<void const>, std::shared_ptr<void const>>;
            return subject<sum<decltype(a.map), decltype(b.map)>>{
                {a.map, b.map}, a.exact + b.exact, std::make_shared<keeps>(a.keep, b.keep)};
        }
    };
}
