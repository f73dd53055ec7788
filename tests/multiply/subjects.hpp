// SPDX-License-Identifier: BSD-3-Clause
#pragma once
// Seats for tests/laws/linear_map.hpp: how each map is made, and its exact twin.
#include <jackplane/pack/pack.hpp>
#include "laws/linear_map.hpp"

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
        static auto make(laws::shape s, group g, std::uint64_t seed)
        {
            auto const q = random<S>(s, C{}, P{}, g, seed);
            return subject<decltype(pack<L>(q))>{pack<L>(q), laws::twin_of(q), nullptr};
        }
    };

    // The first Bits bits.
    template <unsigned Bits, code_layout L, codebook C, class P, scale_number S = half>
    struct prefix
    {
        static auto make(laws::shape s, group g, std::uint64_t seed)
        {
            auto const q = random<S>(s, C{}, P{}, g, seed);
            auto const a = pack<L>(q);
            return subject<decltype(a.prefix(Bits))>{a.prefix(Bits), laws::twin_of(q, Bits), a.owner()};
        }
    };

    template <class A, class B>
    struct both
    {
        static auto make(laws::shape s, group g, std::uint64_t seed)
        {
            auto a = A::make(s, g, seed);
            auto b = B::make(s, group{16}, seed + 1);
            using keeps = std::pair<std::shared_ptr<void const>, std::shared_ptr<void const>>;
            return subject<sum<decltype(a.map), decltype(b.map)>>{
                {a.map, b.map}, a.exact + b.exact, std::make_shared<keeps>(a.keep, b.keep)};
        }
    };
}
