// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <jackplane/pack/pack.hpp>
#include <jackplane/quantize/overlapping.hpp>
#include <jackplane/quantize/refine.hpp>
#include <jackplane/tune/tune.hpp>
#include "../pack/format/storage.hpp"
#include "../read/weights.hpp"
#include "any_clipping.hpp"
#include "settings.hpp"
#include <cstddef>
#include <span>
#include <vector>

// Codes on their way to 8 bits: those of the first width, and then what lies inside their cells.
namespace engine
{
    using jackplane::overlapping;
    using jackplane::uniform;

    template <unsigned Bits, class Clip, class S>
    using tunable = jackplane::tunable<uniform<Bits, 8>, Clip, S>;
    template <class Clip, class S>
    using leading = jackplane::leading_bits<S, typename Clip::zero_type>;

    // Their first bits; 0 of them: the scales and zeros of codes that may all change.
    template <class Leading>
    Leading cut(Leading of, unsigned bits)
    {
        for (jackplane::code& q : of.codes)
            q = static_cast<jackplane::code>(q >> (of.bits - bits));
        of.bits = bits;
        return of;
    }

    // Parent: the codebook of 8 bits. own: what keeps scales of its own, or nothing.
    template <class Parent, class Clip, class S>
    std::vector<jackplane::any_packed> packed_parents(std::vector<leading<Clip, S>> const& codes,
                                                      layer_view<float const> const& w,
                                                      std::span<parameter const> parts,
                                                      std::vector<leading<Clip, S>> const& own = {})
    {
        std::vector<jackplane::any_packed> out;
        for (std::size_t i = 0; i < parts.size(); ++i)
        {
            jackplane::quantized<Parent, S, typename Clip::zero_type> const q{
                {}, parts[i].rows, parts[i].cols, codes[i].grid, codes[i].codes, codes[i].scales, codes[i].zeros};
            expect_scales(q, matrix_of(w.qkv, parts, i), parts[i].name);
            out.push_back(pack_parent(q, jackplane::serial{}, own.empty() ? nullptr : &own[i]));
        }
        return out;
    }

    // Where groups' ranges start, and what of them rounding learns beside the offsets.
    template <class P>
    struct policies
    {
        using zero = typename P::zero_type;
        using from_parent = jackplane::parent_scale<P>;

        explicit policies(tuning_settings const& t)
        {
            from_parent const parent{{}, t.own_range};
            start = {parent};
            if (t.search_scale)
                start = {jackplane::mse_search<from_parent>{parent}};
            if (t.search_scale)
                learned = {jackplane::adjust_scale<any_scale<zero>>{start}};
            else
                learned = {jackplane::clip_range<any_scale<zero>>{start}};
        }

        any_scale<zero> start{}, own{from_parent{{}, true}}; // own: of the width at hand
        any_clipping<zero> learned{};
    };
}
