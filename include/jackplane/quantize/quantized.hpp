// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <string_view>
#include "codebook.hpp"
#include "detail/whole.hpp"
#include "group.hpp"

namespace jackplane::inline v0::inline JACKPLANE_TARGET
{
    // The formula. Each operation rounds by itself: the same on every machine.
    template <zero_number Z, std::floating_point T>
    T value_of(T scale, T decoded, T zero) noexcept
    {
        if constexpr (zero_as_offset<Z>)
        {
            T const volatile product = scale * decoded; // else a compiler may fuse the two operations into one
            return product + zero;
        }
        else
            return scale * (decoded - zero);
    }

    // What quantize makes:  w^[row, col] = scale * (decode(code) - zero); of a row_codebook scales[row, code].
    template <codebook C, scale_number S = half, zero_number Z = no_zero>
    struct quantized
    {
        using codebook_type = C;
        C book{};
        std::size_t rows = 0, cols = 0;
        group_grid grid{1, 0, false};
        aligned_vector<code> codes; // [rows, cols]
        aligned_vector<S> scales;   // [rows, grid.per_row]; [1] for one group of the whole tensor; [rows, C::size]
        aligned_vector<Z> zeros;    // like scales; empty for no_zero

        // Throws shape_error unless all sizes fit, value_error at a code of more bits than C (row, column) and at a
        // scale or zero that is not finite (row, group). Functions that take codes which a user may have filled in call
        // it first.
        void expect_whole(std::string_view name = "codes") const
        {
            bool const fits = row_codebook<C> ? grid.columns == 1 && grid.per_row == C::size && !grid.whole_tensor
                                              : grid.fits(cols);
            detail::expect_sizes(rows, cols, grid, {codes.size(), scales.size(), zeros.size()},
                                 !std::same_as<Z, no_zero>, fits, name);
            detail::expect_codes(codes, cols, C::bits, name);
            detail::expect_finite<S>(scales, grid, "scale", name);
            detail::expect_finite<Z>(zeros, grid, "zero", name);
        }

        float scale_at(std::size_t row, std::size_t col) const noexcept // of that weight
        {
            return to_float(scales[grid.at(row, row_codebook<C> ? codes[row * cols + col] : col)]);
        }
        float zero_at([[maybe_unused]] std::size_t row, [[maybe_unused]] std::size_t col) const noexcept
        {
            if constexpr (std::same_as<Z, no_zero>)
                return C::centre;
            else
                return to_float(zeros[grid.at(row, col)]);
        }
        float at(std::size_t row, std::size_t col) const noexcept
        {
            float const scale = scale_at(row, col);
            float const decoded = book.decode(codes[row * cols + col]);
            return row_codebook<C> ? scale : value_of<Z>(scale, decoded, zero_at(row, col));
        }
    };

    // Leading bits of the codes of a parent, with the scales and zeros that all its widths share: what finer codes are
    // chosen inside of.
    template <scale_number S, zero_in_steps Z>
    struct leading_bits
    {
        unsigned bits;
        group_grid grid;
        aligned_vector<code> codes; // [rows, cols], each below 2^bits
        aligned_vector<S> scales;
        aligned_vector<Z> zeros;

        // Throws width_error, shape_error unless finer codes of a matrix [rows, cols] can be chosen inside of them,
        // value_error as quantized::expect_whole.
        void expect_inside(unsigned finer_bits, std::size_t rows, std::size_t cols, std::string_view name) const
        {
            JACKPLANE_EXPECTS(bits < finer_bits, width_error, name, ": codes of ", finer_bits, " bits inside codes of ",
                              bits);
            detail::expect_sizes(rows, cols, grid, {codes.size(), scales.size(), zeros.size()},
                                 !std::same_as<Z, no_zero>, grid.fits(cols), name);
            detail::expect_codes(codes, cols, bits, name);
            detail::expect_finite<S>(scales, grid, "scale", name);
            detail::expect_finite<Z>(zeros, grid, "zero", name);
        }
    };
    template <integer_codebook C, scale_number S, zero_in_steps Z>
    leading_bits<S, Z> leading(quantized<C, S, Z> const& q)
    {
        q.expect_whole();
        return {C::bits, q.grid, q.codes, q.scales, q.zeros};
    }

    // Writes w^ to out [rows, cols]. Throws shape_error when out has another shape, and what expect_whole throws.
    template <codebook C, scale_number S, zero_number Z>
    void dequantize(quantized<C, S, Z> const& q, matrix_view<float> out)
    {
        JACKPLANE_EXPECTS(out.rows == q.rows && out.cols == q.cols, shape_error, "dequantize ", q.rows, " x ", q.cols,
                          " into ", out.rows, " x ", out.cols);
        q.expect_whole();
        expect_whole(out, "dequantize");
        for (std::size_t row = 0; row < q.rows; ++row)
            for (std::size_t col = 0; col < q.cols; ++col)
                out(row, col) = q.at(row, col);
    }
}
