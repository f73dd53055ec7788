// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <jackplane/pack/any_packed.hpp>
#include <jackplane/quantize/quantized.hpp>
#include <jackplane/store/dtype.hpp>
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

// What scales, sparse values and dense tensors are stored as: half where it holds them, else a type of float's range.
namespace engine
{
    // Throws value_error where a group that is not all zero has a scale that S does not hold: subnormal, 0, or no
    // number. Of what quantize() makes it knows that itself; this is for codes and scales that come from a file, and
    // for learned ones. w: what was quantized, 0 where weights stand beside.
    template <jackplane::codebook C, jackplane::scale_number S, jackplane::zero_number Z>
    void expect_scales(jackplane::quantized<C, S, Z> const& q, jackplane::matrix_view<float const> w,
                       std::string_view name)
    {
        constexpr bool tables = jackplane::row_codebook<C>; // of values, of which the largest counts
        std::size_t const width = tables ? w.cols : q.grid.columns;
        for (std::size_t row = 0; row < w.rows; ++row)
            for (std::size_t left = 0; left < w.cols; left += width)
            {
                float scale = to_float(q.scales[q.grid.at(row, tables ? 0 : left)]);
                for (std::size_t code = 0; tables && code < C::size; ++code)
                    if (float const x = to_float(q.scales[q.grid.at(row, code)]); std::abs(x) > std::abs(scale))
                        scale = x;
                float const* const first = &w(row, left);
                std::size_t const columns = std::min(width, w.cols - left);
                bool const no_weights = std::all_of(first, first + columns, [](float x) { return x == 0; });
                JACKPLANE_EXPECTS(jackplane::holds<S>(scale) && (scale != 0 || no_weights), jackplane::value_error,
                                  name, ": scale ", scale, " of columns from ", left, " in row ", row,
                                  " is not held by its storage type");
            }
    }

    // make(half{}); and where half does not hold a scale, make(bfloat16{}), whose errors are final. What make changes
    // it changes when nothing can be thrown any more.
    template <class Make>
    auto in_half_or_wider(Make&& make)
    {
        try
        {
            return make(jackplane::half{});
        }
        catch (jackplane::value_error const&)
        {
            return make(jackplane::bfloat16{});
        }
    }

    template <jackplane::scale_number To, jackplane::scale_number From>
    jackplane::aligned_vector<To> stored_as(jackplane::aligned_vector<From> const& scales)
    {
        jackplane::aligned_vector<To> out(scales.size());
        std::transform(scales.begin(), scales.end(), out.begin(),
                       [](From s) { return jackplane::from_float<To>(to_float(s)); });
        return out;
    }

    // Whether finer codes reach beyond the cells of coarser ones (jackplane::overlapping).
    inline bool overlaps(jackplane::any_packed const& m)
    {
        return std::visit([]<class P>(P const&) { return jackplane::leveled_codebook<typename P::codebook_type>; }, m);
    }

    // Codes of 8 bits in planes; scales of bfloat16 in half where that holds each as it is. own: leading bits that keep
    // scales and zeros of their own, where they differ; or none.
    template <jackplane::integer_codebook C, jackplane::scale_number S, jackplane::zero_number Z,
              class Parallel = jackplane::serial>
        requires(C::bits == 8)
    jackplane::any_packed pack_parent(jackplane::quantized<C, S, Z> const& q, Parallel parallel = {},
                                      jackplane::leading_bits<S, Z> const* own = nullptr)
    {
        if (own != nullptr && own->scales == q.scales && own->zeros == q.zeros)
            own = nullptr;
        using jackplane::quantized;
        auto const packed_as = [&]<class T>(quantized<C, T, Z> const& of) -> jackplane::any_packed
        {
            auto const all = jackplane::pack<jackplane::bit_planes>(of, parallel);
            if (own == nullptr)
                return all;
            return with_scales(all, own->bits,
                               quantized<C, T, Z>{of.book, of.rows, of.cols, of.grid, of.codes,
                                                  stored_as<T>(own->scales), own->zeros});
        };
        if constexpr (std::same_as<S, jackplane::bfloat16>)
        {
            using jackplane::half;
            auto const is_held = [](S scale)
            {
                float const x = to_float(scale);
                return jackplane::holds<half>(x) && to_float(jackplane::from_float<half>(x)) == x;
            };
            if (std::all_of(q.scales.begin(), q.scales.end(), is_held) &&
                (own == nullptr || std::all_of(own->scales.begin(), own->scales.end(), is_held)))
                return packed_as(quantized<C, half, Z>{q.book, q.rows, q.cols, q.grid, q.codes,
                                                       stored_as<half>(q.scales), q.zeros});
        }
        return packed_as(q);
    }

    // Whether a matrix may be stored in half: no weight moves by more than half's own precision, 2^-11, of the largest
    // in its row and of the largest in its column, or all are exact. So a matrix whose rows or columns were scaled far
    // down is not, and one with a few tiny weights among others is.
    inline bool half_holds(jackplane::matrix_view<float const> w)
    {
        std::vector<float> largest_of_column(w.cols);
        bool exact = true, rows_are_normal = true;
        for (std::size_t row = 0; row < w.rows; ++row)
        {
            float largest = 0;
            for (std::size_t col = 0; col < w.cols; ++col)
            {
                float const x = w(row, col), in_half = to_float(jackplane::from_float<jackplane::half>(x));
                if (!jackplane::is_finite(in_half))
                    return false;
                exact = exact && in_half == x;
                largest = std::max(largest, std::abs(x));
                largest_of_column[col] = std::max(largest_of_column[col], std::abs(x));
            }
            rows_are_normal = rows_are_normal && jackplane::holds<jackplane::half>(largest);
        }
        return exact || (rows_are_normal && std::all_of(largest_of_column.begin(), largest_of_column.end(),
                                                        [](float x) { return jackplane::holds<jackplane::half>(x); }));
    }

    // What a dense tensor is stored as: half, or what keeps every element as it was.
    inline jackplane::dtype dense_type(jackplane::matrix_view<float const> w)
    {
        if (half_holds(w))
            return jackplane::dtype::F16;
        for (std::size_t row = 0; row < w.rows; ++row)
            for (std::size_t col = 0; col < w.cols; ++col)
                if (to_float(jackplane::from_float<jackplane::bfloat16>(w(row, col))) != w(row, col))
                    return jackplane::dtype::F32;
        return jackplane::dtype::BF16;
    }

    // Numbers as they are stored: out(their bytes).
    template <class T, class Sink>
    void give_as(std::span<float const> values, Sink const& out)
    {
        std::vector<T> narrow(values.size());
        std::transform(values.begin(), values.end(), narrow.begin(),
                       [](float x) { return jackplane::from_float<T>(x); });
        out(std::as_bytes(std::span(narrow)));
    }
}
