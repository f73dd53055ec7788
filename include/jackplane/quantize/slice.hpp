// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include "../core/concepts.hpp"

// What a code of `from` bits means when only its leading `to` bits are wanted. d = from - to; one step at `to` bits is
// 2^d steps of the parent. Values are in steps of the parent's codes.
namespace jackplane::inline v0 // shared by all units: core/target.hpp
{
    // Drops the low bits; its value is the middle of the cell of codes that share the rest: error <= (2^d - 1) / 2. The
    // only slice that reads no more bits than it gives, so it runs from planes as they are stored.
    struct truncate_centred
    {
        [[gnu::always_inline]] static constexpr char const* name() noexcept { return "truncate_centred"; }
        [[gnu::always_inline]] constexpr unsigned operator()(unsigned q, unsigned from, unsigned to) const noexcept
        {
            return q >> (from - to);
        }
        [[gnu::always_inline]] constexpr float value(unsigned sliced, unsigned from, unsigned to) const noexcept
        {
            unsigned const step = 1u << (from - to);
            return static_cast<float>(sliced * step) + static_cast<float>(step - 1) / 2;
        }
        [[gnu::always_inline]] static constexpr unsigned bits_read(unsigned, unsigned to) noexcept { return to; }
        [[gnu::always_inline]] static constexpr unsigned bits_kept(unsigned, unsigned to) noexcept { return to; }
    };
}

namespace jackplane::inline v0::inline JACKPLANE_TARGET
{
    // Rounds half up, one code more than fits. "Matryoshka Quantization" (arXiv 2502.06786), errata: Extra-Precision.
    // Error <= 2^d / 2, at the price of to + 1 bits.
    struct extra_precision
    {
        static constexpr char const* name() noexcept { return "extra_precision"; }
        constexpr unsigned operator()(unsigned q, unsigned from, unsigned to) const noexcept
        {
            return from == to ? q : (q + (1u << (from - to - 1))) >> (from - to);
        }
        constexpr float value(unsigned sliced, unsigned from, unsigned to) const noexcept
        {
            return static_cast<float>(sliced << (from - to));
        }
        static constexpr unsigned bits_read(unsigned from, unsigned to) noexcept { return std::min(from, to + 1); }
        static constexpr unsigned bits_kept(unsigned from, unsigned to) noexcept { return std::min(from, to + 1); }
    };

    // Rounds half up and clamps to what `to` bits hold: MatQuant's slice (arXiv 2502.06786, eq. 4-6). Error <= 2^d / 2,
    // but up to 2^d - 1 for the codes that the clamp catches.
    struct round_clamp
    {
        static constexpr char const* name() noexcept { return "round_clamp"; }
        constexpr unsigned operator()(unsigned q, unsigned from, unsigned to) const noexcept
        {
            return std::min(extra_precision{}(q, from, to), (1u << to) - 1);
        }
        constexpr float value(unsigned sliced, unsigned from, unsigned to) const noexcept
        {
            return extra_precision{}.value(sliced, from, to);
        }
        static constexpr unsigned bits_read(unsigned from, unsigned to) noexcept { return std::min(from, to + 1); }
        static constexpr unsigned bits_kept(unsigned, unsigned to) noexcept { return to; }
    };

    static_assert(slice<truncate_centred> && slice<extra_precision> && slice<round_clamp>);
    static_assert(truncate_centred{}(0xb7, 8, 4) == 0xb && truncate_centred{}.value(0xb, 8, 4) == 0xb7 + 0.5f);
    static_assert(round_clamp{}(0xf8, 8, 4) == 0xf && extra_precision{}(0xf8, 8, 4) == 0x10);
}
