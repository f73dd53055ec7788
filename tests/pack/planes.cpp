// SPDX-License-Identifier: BSD-3-Clause
#include "../laws/code_layout.hpp"
using namespace jackplane;

static_assert(std::tuple_size_v<laws::all_mixes> == 127);
TEST_CASE_TEMPLATE_APPLY(code_layout_law, laws::all_mixes);

// Fields that start at multiples of their widths: 61 of the 127 mixes.
template <class... L>
constexpr unsigned count_aligned(std::tuple<L...>*)
{
    return (0u + ... + L::aligned());
}
static_assert(count_aligned(static_cast<laws::all_mixes*>(nullptr)) == 61);
static_assert(planes<4, 2, 2>::aligned() && planes<2, 1, 1, 4>::aligned() && !planes<2, 4>::aligned());
static_assert(!planes<1, 2, 1>::aligned() && planes<8>::aligned());

static_assert(block::codes == 512 && planes<4, 2, 1>::bytes(0) == 256 && planes<4, 2, 1>::bytes(2) == 64);
static_assert(planes<4, 2, 2>::planes_of(6) == 2 && planes<4, 2, 2>::planes_of(5) == 0 &&
              planes<4, 2, 2>::planes_of(2) == 0);

// ---- golden bytes: what lies in files must never move
namespace
{
    template <class L>
    constexpr unsigned byte_of(laws::block_codes const& codes, std::size_t plane, std::size_t byte)
    {
        laws::packed_block<L> const packed{codes};
        return std::to_integer<unsigned>(packed.bytes[plane][byte]);
    }
    constexpr laws::block_codes one(std::size_t row, std::size_t col, unsigned q)
    {
        laws::block_codes codes{};
        codes[row * 32 + col] = static_cast<code>(q);
        return codes;
    }

    // Width 1: one vector; lane 4 row + col % 4; bit 7 - 2i - c of step 4c + i = col / 4.
    static_assert(byte_of<planes<1>>(one(0, 0, 1), 0, 0) == 0x80);   // c 0, i 0
    static_assert(byte_of<planes<1>>(one(0, 5, 1), 0, 1) == 0x20);   // c 0, i 1
    static_assert(byte_of<planes<1>>(one(0, 16, 1), 0, 0) == 0x40);  // c 1, i 0
    static_assert(byte_of<planes<1>>(one(2, 14, 1), 0, 10) == 0x02); // c 0, i 3
    static_assert(byte_of<planes<1>>(one(15, 31, 1), 0, 63) == 0x01);
    // Width 2: vector c, bits from 2 (3 - i).
    static_assert(byte_of<planes<2>>(one(0, 0, 3), 0, 0) == 0xc0);
    static_assert(byte_of<planes<2>>(one(0, 4, 1), 0, 0) == 0x10);
    static_assert(byte_of<planes<2>>(one(1, 10, 2), 0, 6) == 0x08);
    static_assert(byte_of<planes<2>>(one(0, 16, 2), 0, 64) == 0x80);
    static_assert(byte_of<planes<2>>(one(15, 31, 3), 0, 127) == 0x03);
    // Width 4: vector 2c + i % 2, the high nibble for i < 2.
    static_assert(byte_of<planes<4>>(one(0, 0, 0xb), 0, 0) == 0xb0);
    static_assert(byte_of<planes<4>>(one(0, 4, 0xb), 0, 64) == 0xb0);
    static_assert(byte_of<planes<4>>(one(0, 8, 0xb), 0, 0) == 0x0b);
    static_assert(byte_of<planes<4>>(one(3, 13, 0x7), 0, 64 + 13) == 0x07);
    static_assert(byte_of<planes<4>>(one(0, 16, 0x9), 0, 128) == 0x90);
    static_assert(byte_of<planes<4>>(one(15, 31, 0xf), 0, 255) == 0x0f);
    // Width 8: vector = step.
    static_assert(byte_of<planes<8>>(one(0, 0, 0xa5), 0, 0) == 0xa5);
    static_assert(byte_of<planes<8>>(one(1, 6, 0xa5), 0, 64 + 6) == 0xa5);
    static_assert(byte_of<planes<8>>(one(15, 31, 0xa5), 0, 511) == 0xa5);
    // Most significant planes first: 0xb = 10 1 1.
    static_assert(byte_of<planes<2, 1, 1>>(one(0, 0, 0xb), 0, 0) == 0x80);
    static_assert(byte_of<planes<2, 1, 1>>(one(0, 0, 0xb), 1, 0) == 0x80);
    static_assert(byte_of<planes<2, 1, 1>>(one(0, 0, 0xb), 2, 0) == 0x80);
    static_assert(byte_of<planes<2, 1, 1>>(one(0, 0, 0x8), 1, 0) == 0x00);

    // A whole block whose code is its own column: byte 0 holds columns 0, 4, 8 ... 28 of row 0.
    constexpr laws::block_codes columns = []
    {
        laws::block_codes codes{};
        for (unsigned at = 0; at < 512; ++at)
            codes[at] = static_cast<code>(at % 32);
        return codes;
    }();
    static_assert(byte_of<planes<8>>(columns, 0, 64 * 3 + 1) == 13);
    static_assert(byte_of<planes<4, 1>>(columns, 0, 0) == 0x04);       // 0 >> 1, 8 >> 1
    static_assert(byte_of<planes<4, 1>>(columns, 0, 64 + 3) == 0x37);  // 7 >> 1, 15 >> 1
    static_assert(byte_of<planes<4, 1>>(columns, 1, 3) == 0xff);       // 3, 7, 11 ... are all odd
    static_assert(byte_of<planes<2, 2, 1>>(columns, 0, 0) == 0x05);    // 0, 4, 8, 12 >> 3 = 0, 0, 1, 1
    static_assert(byte_of<planes<2, 2, 1>>(columns, 0, 64) == 0xaf);   // 16, 20, 24, 28 >> 3 = 2, 2, 3, 3
    static_assert(byte_of<planes<1, 4>>(columns, 0, 2) == 0x55);       // bit 4: columns 16 and up, every second bit

    // All bytes, against the drawing.
    template <unsigned Width>
    constexpr bool lies_as_drawn()
    {
        laws::block_codes const codes = laws::random_codes(8, 99);
        constexpr std::size_t plane = 8 / Width - 1; // the last of planes of this width
        auto const pack_into = [&]<unsigned... W>(planes<W...>)
        {
            laws::packed_block<planes<W...>> const packed{codes};
            laws::plane_bytes<Width> bytes{};
            std::copy_n(packed.bytes[plane].begin(), bytes.size(), bytes.begin());
            return bytes;
        };
        using L = std::conditional_t<Width == 1, bit_planes, std::conditional_t<Width == 2, planes<2, 2, 2, 2>,
                                     std::conditional_t<Width == 4, planes<4, 4>, planes<8>>>>;
        return pack_into(L{}) == laws::drawn_plane<Width>(codes, 0);
    }
    static_assert(lies_as_drawn<1>() && lies_as_drawn<2>() && lies_as_drawn<4>() && lies_as_drawn<8>());

    // The reason for this order: a plane H and the less significant L of width w merge vector by vector into one of 2w,
    //     even = M ? H : L >> w,  odd = M ? H << w : L  (bytes), M = 0xaa, 0xcc, 0xf0,
    // where vector v of H gives vectors 2v and 2v + 1; at w = 4, vector 2c + q gives the steps 4c + q and 4c + q + 2.
    template <unsigned W>
    constexpr bool merges()
    {
        laws::block_codes const codes = laws::random_codes(2 * W, 5);
        laws::packed_block<planes<W, W>> const halves{codes};
        laws::packed_block<planes<2 * W>> const whole{codes};
        constexpr unsigned mask = W == 1 ? 0xaa : W == 2 ? 0xcc : 0xf0;
        for (std::size_t v = 0; v < W; ++v)
            for (std::size_t lane = 0; lane < 64; ++lane)
            {
                unsigned const high = std::to_integer<unsigned>(halves.bytes[0][v * 64 + lane]);
                unsigned const low = std::to_integer<unsigned>(halves.bytes[1][v * 64 + lane]);
                unsigned const even = (high & mask) | (low >> W & ~mask & 0xffu);
                unsigned const odd = (high << W & mask) | (low & ~mask & 0xffu);
                std::size_t const first = W == 4 ? v / 2 * 4 + v % 2 : 2 * v, second = W == 4 ? first + 2 : first + 1;
                if (whole.bytes[0][first * 64 + lane] != static_cast<std::byte>(even) ||
                    whole.bytes[0][second * 64 + lane] != static_cast<std::byte>(odd))
                    return false;
            }
        return true;
    }
    static_assert(merges<1>() && merges<2>() && merges<4>());
}
