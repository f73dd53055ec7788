// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <array>
#include <tuple>
#include <vector>
#include <doctest/doctest.h>
#include <jackplane/pack/planes.hpp>
#include "weights.hpp"

namespace laws
{
    using block_codes = std::array<jackplane::code, jackplane::block::codes>;
    template <unsigned Width>
    using plane_bytes = std::array<std::byte, 64 * Width>;

    // One plane as the design draws it, read from the side of the bytes: whose fields share byte `lane` of `vector`,
    // and where. With step s = 4c + i, width 1: bit 7 - 2i - c; width 2: vector c, bits from 2(3 - i); width 4: vector
    // 2c + i % 2, the high nibble for i < 2; width 8: vector s.
    template <unsigned Width>
    constexpr plane_bytes<Width> drawn_plane(block_codes const& codes, unsigned below)
    {
        plane_bytes<Width> bytes{};
        for (unsigned vector = 0; vector < Width; ++vector)
            for (unsigned lane = 0; lane < 64; ++lane)
            {
                unsigned byte = 0;
                for (unsigned place = 0; place < 8 / Width; ++place) // fields from the top of the byte down
                {
                    unsigned step = 0;
                    if (Width == 1)
                        step = place % 2 * 4 + place / 2;
                    else if (Width == 2)
                        step = vector * 4 + place;
                    else if (Width == 4)
                        step = vector / 2 * 4 + place * 2 + vector % 2;
                    else
                        step = vector;
                    unsigned const q = codes[lane / 4 * 32 + step * 4 + lane % 4];
                    byte = byte << Width | (q >> below & ((1u << Width) - 1));
                }
                bytes[vector * 64 + lane] = static_cast<std::byte>(byte);
            }
        return bytes;
    }

    template <class L>
    struct packed_block // the planes of one block, and where they begin
    {
        std::array<std::array<std::byte, 64 * 8>, L::count> bytes{};
        std::array<std::byte*, L::count> at{};
        constexpr explicit packed_block(block_codes const& codes)
        {
            for (std::size_t plane = 0; plane < L::count; ++plane)
                at[plane] = bytes[plane].data();
            L::pack(L::count, codes.data(), jackplane::block::cols, at.data());
        }
        packed_block(packed_block const&) = delete;
    };

    constexpr block_codes random_codes(unsigned bits, std::uint64_t seed)
    {
        block_codes codes{};
        sequence next{seed};
        for (jackplane::code& q : codes)
            q = static_cast<jackplane::code>(next() & ((1u << bits) - 1));
        return codes;
    }

    struct any_layout // a model with its type erased, so that the law is compiled once
    {
        unsigned bits;
        std::vector<unsigned> widths;
        std::size_t (*bytes)(std::size_t plane);
        unsigned (*prefix_bits)(std::size_t n);
        std::size_t (*planes_of)(unsigned bits);
        void (*pack_first)(std::size_t n, jackplane::code const* codes, std::size_t apart, std::byte* const* to);
        void (*unpack)(std::size_t n, std::byte const* const* from, jackplane::code* codes);

        template <class L>
        static any_layout of()
        {
            std::vector<unsigned> const widths(L::widths.begin(), L::widths.end());
            return {L::bits, widths, L::bytes, L::prefix_bits, L::planes_of, L::pack, L::unpack};
        }
        std::vector<std::vector<std::byte>> pack(block_codes const& codes) const
        {
            return pack_n(widths.size(), codes.data(), jackplane::block::cols);
        }
        std::vector<std::vector<std::byte>> pack_n(std::size_t n, jackplane::code const* codes, std::size_t apart) const
        {
            std::vector<std::vector<std::byte>> planes;
            std::vector<std::byte*> to;
            for (std::size_t p = 0; p < n; ++p) // there are no others to write
            {
                planes.emplace_back(bytes(p), std::byte{0x5a}); // pack writes every byte
                to.push_back(planes[p].data());
            }
            pack_first(n, codes, apart, to.data());
            return planes;
        }
        block_codes unpack_first(std::size_t n, std::vector<std::vector<std::byte>> const& planes) const
        {
            std::vector<std::byte const*> from;
            for (std::size_t p = 0; p < n; ++p) // there are no others to read
                from.push_back(planes[p].data());
            block_codes codes;
            codes.fill(0xff);
            unpack(n, from.data(), codes.data());
            return codes;
        }
    };
    inline bool lies_as_drawn(unsigned width, block_codes const& codes, unsigned below,
                              std::vector<std::byte> const& plane)
    {
        auto same = [&](auto const& drawn)
        { return std::equal(drawn.begin(), drawn.end(), plane.begin(), plane.end()); };
        return width == 1   ? same(drawn_plane<1>(codes, below))
               : width == 2 ? same(drawn_plane<2>(codes, below))
               : width == 4 ? same(drawn_plane<4>(codes, below))
                            : same(drawn_plane<8>(codes, below));
    }

    inline void planes_hold_the_code(any_layout const& layout)
    {
        for (std::uint64_t seed = 1; seed <= 3; ++seed)
        {
            block_codes const codes = random_codes(layout.bits, seed);
            auto const planes = layout.pack(codes);
            unsigned kept = 0;
            for (std::size_t n = 1; n <= layout.widths.size(); ++n)
            {
                CHECK(planes[n - 1].size() == 64 * layout.widths[n - 1]);
                kept += layout.widths[n - 1];
                CHECK(lies_as_drawn(layout.widths[n - 1], codes, layout.bits - kept, planes[n - 1]));
                block_codes shifted = codes; // what the first n planes hold; all of them: the codes
                for (jackplane::code& q : shifted)
                    q = static_cast<jackplane::code>(q >> (layout.bits - kept));
                CHECK(layout.unpack_first(n, planes) == shifted);
                CHECK(layout.planes_of(kept) == n);
                CHECK(layout.prefix_bits(n) == kept);
            }
            CHECK(kept == layout.bits);
        }
    }
    inline void codes_keep_to_their_place(any_layout const& layout)
    {
        for (auto const& plane : layout.pack({})) // codes of 0, which padding is, are bytes of 0
            CHECK(std::count(plane.begin(), plane.end(), std::byte{0}) == static_cast<std::ptrdiff_t>(plane.size()));
        for (std::size_t at = 0; at < jackplane::block::codes; at += 37)
        {
            block_codes one{};
            one[at] = static_cast<jackplane::code>((1u << layout.bits) - 1);
            CHECK(layout.unpack_first(layout.widths.size(), layout.pack(one)) == one);
        }
    }
    inline void rows_may_lie_apart(any_layout const& layout)
    {
        block_codes const codes = random_codes(layout.bits, 4);
        constexpr std::size_t cols = jackplane::block::cols, apart = cols + 7;
        std::vector<jackplane::code> wide(jackplane::block::rows * apart, 0xff);
        for (std::size_t i = 0; i < codes.size(); ++i)
            wide[i / cols * apart + i % cols] = codes[i];
        auto planes = layout.pack(codes);
        for (std::size_t n = planes.size(); n > 0; --n, planes.pop_back())
            CHECK(layout.pack_n(n, wide.data(), apart) == planes);
    }
    inline void split_planes_have_no_prefix(any_layout const& layout)
    {
        std::size_t readable = 0;
        for (unsigned k = 0; k <= 9; ++k)
            readable += layout.planes_of(k) != 0;
        CHECK(readable == layout.widths.size());
        CHECK(layout.planes_of(0) == 0);
    }

    // Every mix of the widths 1, 2, 4, 8 that sums to at most Left, as a tuple of layouts.
    template <unsigned Left, unsigned... W>
    struct mixes
    {
        template <unsigned Next>
        static auto longer()
        {
            if constexpr (Next <= Left)
                return typename mixes<Left - Next, W..., Next>::type{};
            else
                return std::tuple<>{};
        }
        static auto itself()
        {
            if constexpr (sizeof...(W) > 0)
                return std::tuple<jackplane::planes<W...>>{};
            else
                return std::tuple<>{};
        }
        using type = decltype(std::tuple_cat(itself(), longer<1>(), longer<2>(), longer<4>(), longer<8>()));
    };
    using all_mixes = mixes<8>::type;
}

TEST_CASE_TEMPLATE_DEFINE("code layout: unpack of pack is the identity, the first planes are the code >> rest", L,
                          code_layout_law)
{
    static_assert(jackplane::code_layout<L>);
    laws::any_layout const layout = laws::any_layout::of<L>();
    laws::planes_hold_the_code(layout);
    laws::codes_keep_to_their_place(layout);
    laws::rows_may_lie_apart(layout);
    laws::split_planes_have_no_prefix(layout);
}
