// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <array>
#include <memory>
#include <string>
#include <utility>
#include "../quantize/quantized.hpp"
#include "planes.hpp"

namespace jackplane::inline v0 // shared by all units: core/target.hpp
{
    // What a kernel sees: pointers and sizes, no member functions. A panel is 16 rows, padded rows have scale 0, padded
    // columns code 0.
    //     w^ = scale * (decode(code) - zero),  decode(code) = step * code + base for a linear codebook,
    //                                                         step * level_at(code, bits) + base for a leveled one
    // Of a row_codebook w^ = scales[panel, code, row], and there are C::size groups of 1.
    template <code_layout L, codebook C, scale_number S, zero_number Z>
    struct packed_view
    {
        using layout = L;
        using codebook_type = C;
        std::array<std::byte const*, L::count> plane; // [panels, block_stride, L::bytes(i)]; null where not read
        S const* scales;                              // [panels, group_stride, 16]
        Z const* zeros;                               // [panels, group_stride, 16]; null for no_zero
        std::size_t rows, cols, panels;
        std::size_t blocks, block_stride;        // blocks of 32 columns in a panel; from one panel to the next
        std::size_t group, groups, group_stride; // columns of one group; groups in a row; from one panel to the next
        std::size_t planes;                      // how many are read
        unsigned bits;                           // in those planes
        float step, base;
        C book;
    };
}

namespace jackplane::inline v0::inline JACKPLANE_TARGET
{
    // Throws shape_error unless the sizes of a view that anybody may have filled in are those of its matrix, and what
    // they say is read is there.
    template <code_layout L, codebook C, scale_number S, zero_number Z>
    void expect_whole(packed_view<L, C, S, Z> const& v, std::string_view name);

    // The same matrix at fewer bits: a view, valid as long as the packed it came from.
    template <code_layout L, codebook C, scale_number S, zero_number Z>
    struct prefixed;

    // Owner (shared and immutable: a copy costs nothing) of codes in planes with their scales, in memory or in a file's
    // mapping. As everywhere in this library, an accessor of a temporary returns an owner or does not compile: a prefix
    // of a temporary owns the planes, and there is no view of one.
    template <code_layout L, codebook C = uniform<L::bits>, scale_number S = half, zero_number Z = no_zero>
        requires(L::bits >= C::bits)
    class packed
    {
    public:
        using layout_type = L;
        using codebook_type = C;
        using scale_type = S;
        using zero_type = Z;
        using view_type = packed_view<L, C, S, Z>;
        static constexpr std::size_t most_bits = 8;

        struct scales_at_width // a width may have its own, with the strides of the view; null: the parent's
        {
            S const* scales = nullptr;
            Z const* zeros = nullptr;
        };
        using width_scales = std::array<scales_at_width, most_bits + 1>; // [bits]

        packed() : packed({{}, nullptr, nullptr, 0, 0, 0, 0, 0, 1, no_groups, no_groups, 0, 0, 1, 0, {}}, nullptr)
        {
        }

        // all: every plane there is; keep: owns what it points at. Throws shape_error (expect_whole); the numbers
        // themselves are not looked at.
        packed(view_type all, std::shared_ptr<void const> keep, width_scales const& own = {})
            : m_view(all), m_own(own), m_keep(std::move(keep))
        {
            expect_whole(m_view, "packed");
            constexpr bool has_zeros = !std::same_as<Z, no_zero>;
            for (unsigned bits = 0; bits <= most_bits; ++bits)
                JACKPLANE_EXPECTS(own[bits].scales == nullptr || (own[bits].zeros != nullptr) == has_zeros, shape_error,
                                  "packed: ", bits, " bits with scales of their own, ",
                                  has_zeros ? "without" : "with", " zeros");
        }

        std::size_t rows() const noexcept { return m_view.rows; }
        std::size_t cols() const noexcept { return m_view.cols; }
        unsigned bits() const noexcept { return m_view.bits; } // the widest readable width
        view_type const& view() const& noexcept { return m_view; }
        void view() const&& = delete; // it would point into a temporary
        width_scales const& own_scales() const& noexcept { return m_own; }
        void own_scales() const&& = delete; // they would point into a temporary
        std::shared_ptr<void const> const& owner() const& noexcept { return m_keep; }
        std::shared_ptr<void const> owner() const&& noexcept { return m_keep; }

        // Throws width_error with the readable widths.
        prefixed<L, C, S, Z> prefix(unsigned bits) const&;
        packed prefix(unsigned bits) const&&;
        template <unsigned Bits>
        prefixed<L, C, S, Z> prefix() const&
        {
            expect_readable<Bits>();
            return prefix(Bits);
        }
        template <unsigned Bits>
        packed prefix() const&&
        {
            expect_readable<Bits>();
            return std::move(*this).prefix(Bits);
        }
        bool readable(unsigned bits) const noexcept
        {
            std::size_t const n = L::planes_of(bits);
            return bits == m_view.bits || (nested_codebook<C> && n != 0 && n <= m_view.planes);
        }
        template <unsigned Bits>
        static constexpr bool readable() noexcept
        {
            return Bits == L::bits || (nested_codebook<C> && L::planes_of(Bits) != 0);
        }
        std::string readable_widths() const // "1, 2, 4"
        {
            std::string list;
            for (unsigned k = 1; k <= most_bits; ++k)
                if (readable(k))
                    list += text(list.empty() ? "" : ", ", k);
            return list;
        }
        // The rows [first, last) as a matrix that shares the planes and the scales, those of single widths too; of a
        // temporary as well. A panel stays whole: first is a multiple of 16, last is one or rows(). Throws shape_error.
        packed rows(std::size_t first, std::size_t last) const;
        // The columns [first, last) likewise: to be multiplied by x[first, last). Blocks and groups stay whole: first
        // is a multiple of 32 and of group, last is one or cols(). A row's only scale, and its table, belong to all
        // parts, which begin at any multiple of 32. Throws shape_error.
        packed cols(std::size_t first, std::size_t last) const;
        float at(std::size_t row, std::size_t col) const noexcept;

    private:
        static constexpr std::size_t no_groups = row_codebook<C> ? C::size : 0; // in a matrix without columns
        template <unsigned Bits>
        static constexpr void expect_readable() noexcept
        {
            static_assert(readable<Bits>(),
                          "this layout cannot be read at that width: its first planes must hold exactly "
                          "that many bits, and its codebook must be nested");
        }

        packed part(view_type const& some) const; // with the scales of widths that lie as those of `some`

        view_type m_view;
        width_scales m_own;
        std::shared_ptr<void const> m_keep;
    };

    template <code_layout L, codebook C, scale_number S, zero_number Z>
    struct prefixed
    {
        packed_view<L, C, S, Z> of;

        prefixed(packed_view<L, C, S, Z> const& view) : of(view) { expect_whole(of, "prefixed"); } // throws shape_error
        std::size_t rows() const noexcept { return of.rows; }
        std::size_t cols() const noexcept { return of.cols; }
        unsigned bits() const noexcept { return of.bits; }
        packed_view<L, C, S, Z> const& view() const& noexcept { return of; }
        packed_view<L, C, S, Z> view() const&& noexcept { return of; }
        prefixed rows(std::size_t first, std::size_t last) const; // as those of packed; valid as long as this view
        prefixed cols(std::size_t first, std::size_t last) const;
        float at(std::size_t row, std::size_t col) const noexcept; // w^; row < rows, col < cols
    };
    template <code_layout L, codebook C, scale_number S, zero_number Z>
    prefixed(packed_view<L, C, S, Z>) -> prefixed<L, C, S, Z>;

    template <class M>
    concept packed_matrix = requires(M const& m) { m.view().plane; };
}

#include "detail/packed.hpp"
