// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include "../core/parallel.hpp"
#include "detail/blocks.hpp"
#include "packed.hpp"

namespace jackplane::inline v0::inline JACKPLANE_TARGET
{
    // codes and scales -> planes of L. Padding codes are 0, padded rows have scale 0. Throws shape_error, value_error
    // where q.expect_whole() does.
    template <code_layout L, codebook C, scale_number S, zero_number Z, parallel_policy Parallel = serial>
    packed<L, C, S, Z> pack(quantized<C, S, Z> const& q, Parallel parallel = {});

    // planes -> codes and scales; the inverse of pack. Throws width_error for a matrix of fewer bits than its codebook
    // has (a prefix, or a result of repack): in that codebook its codes mean other values.
    template <packed_matrix M>
    auto unpack(M const& a);

    // The codes as `a` is read: [rows, cols], a prefix's are the leading bits.
    template <packed_matrix M>
    aligned_vector<code> codes_of(M const& a);

    // The leading bits of a parent, with the scales and zeros that they are read with: what finer codes are chosen
    // inside of. Throws width_error.
    template <code_layout L, integer_codebook C, scale_number S, zero_in_steps Z>
    leading_bits<S, Z> leading(packed<L, C, S, Z> const& a, unsigned bits);

    // The same planes (shared), whose prefix of `bits` reads the scales and zeros of q instead. Throws shape_error,
    // width_error, and what q.expect_whole() throws.
    template <code_layout L, codebook C, scale_number S, zero_number Z>
    packed<L, C, S, Z> with_scales(packed<L, C, S, Z> const& a, unsigned bits, quantized<C, S, Z> const& q);

    // A copy at `to` bits by another rule than the truncation that prefixes use: leading bits are read, sliced, and
    // written to the first planes of To. Throws width_error: `a` holds too few bits, or To has no such prefix.
    template <code_layout To, slice S, code_layout L, linear_codebook C, scale_number X, zero_number Z,
              parallel_policy Parallel = serial>
    packed<To, C, X, Z> repack(packed<L, C, X, Z> const& a, unsigned to, S rule, Parallel parallel = {});

    // w^ -> out [rows, cols]. Throws shape_error.
    template <packed_matrix M, parallel_policy Parallel = serial>
    void dequantize(M const& a, matrix_view<float> out, Parallel parallel = {});

    // Bytes that one multiplication reads: planes, scales and zeros at the width of `a`, padding included.
    template <packed_matrix M>
    std::size_t bytes_read(M const& a) noexcept;

    // 8 * bytes_read / weights; 0 for an empty matrix.
    template <packed_matrix M>
    double effective_bits(M const& a) noexcept
    {
        double const weights = static_cast<double>(a.rows()) * static_cast<double>(a.cols());
        return weights > 0 ? 8 * static_cast<double>(bytes_read(a)) / weights : 0;
    }

    namespace detail
    {
        // Unpacks block (panel, nth) of the planes in `a`.
        template <code_layout L, codebook C, scale_number S, zero_number Z>
        void unpack_block(packed_view<L, C, S, Z> const& a, std::size_t panel, std::size_t nth, code* codes) noexcept
        {
            std::array<std::byte const*, L::count> from{};
            for (std::size_t p = 0; p < a.planes; ++p)
                from[p] = a.plane[p] + (panel * a.block_stride + nth) * L::bytes(p);
            L::unpack(a.planes, from.data(), codes);
        }

        // As quantized has them: a row after the other.
        template <code_layout L, codebook C, scale_number S, zero_number Z>
        void unpack_scales(packed_view<L, C, S, Z> const& v, aligned_vector<S>& scales, aligned_vector<Z>& zeros)
        {
            scales.resize(v.rows * v.groups);
            zeros.resize(v.zeros == nullptr ? 0 : scales.size());
            for (std::size_t row = 0; row < v.rows; ++row)
                for (std::size_t g = 0; g < v.groups; ++g)
                {
                    std::size_t const from = scale_index(v, row, g * v.group);
                    scales[row * v.groups + g] = v.scales[from];
                    if (!zeros.empty())
                        zeros[row * v.groups + g] = v.zeros[from];
                }
        }

        // Codes of block nth in one row -> w^.
        template <code_layout L, codebook C, scale_number S, zero_number Z>
        void decode_row(packed_view<L, C, S, Z> const& a, std::size_t row, std::size_t nth, code const* codes,
                        matrix_view<float> out) noexcept
        {
            std::size_t const begin = nth * block::cols, end = std::min(a.cols, begin + block::cols);
            if constexpr (row_codebook<C>)
            {
                for (std::size_t col = begin; col < end; ++col)
                    out(row, col) = to_float(a.scales[scale_index(a, row, codes[col - begin])]);
                return;
            }
            for (std::size_t left = begin, right = 0; left < end; left = right) // the columns of one group
            {
                right = std::min((left / a.group + 1) * a.group, end);
                std::size_t const at = scale_index(a, row, left);
                float const scale = to_float(a.scales[at]), shift = zero(a, at);
                for (std::size_t col = left; col < right; ++col)
                    out(row, col) = value_of<Z>(scale, decode(a, codes[col - begin]), shift);
            }
        }
    }

    template <code_layout L, codebook C, scale_number S, zero_number Z, parallel_policy Parallel>
    packed<L, C, S, Z> pack(quantized<C, S, Z> const& q, Parallel parallel)
    {
        static_assert(L::bits == C::bits, "the planes of the layout must add up to the bits of the codebook");
        q.expect_whole("pack");
        std::size_t const panels = ceil_div(q.rows, block::rows), groups = q.grid.per_row;
        auto storage = std::make_shared<detail::packed_storage<L, S, Z>>();
        storage->resize_scales(panels * groups * block::rows);
        auto const v = detail::view_of_shape<packed_view<L, C, S, Z>>(q.rows, q.cols, q.grid, q.book);
        return detail::pack_blocks(v, storage, parallel, [&](std::size_t panel, auto&& put)
        {
            detail::pack_scales(q, panel, groups, *storage);
            std::array<code, block::codes> padded;
            std::size_t const first = panel * block::rows, height = std::min(q.rows - first, block::rows);
            for (std::size_t nth = 0; nth < v.blocks; ++nth)
            {
                std::size_t const left = nth * block::cols, width = std::min(q.cols - left, block::cols);
                code const* const from = q.codes.data() + first * q.cols + left;
                if (height == block::rows && width == block::cols)
                {
                    put(nth, from, q.cols);
                    continue;
                }
                padded.fill(0);
                for (std::size_t r = 0; r < height; ++r)
                    std::copy_n(from + r * q.cols, width, padded.data() + r * block::cols);
                put(nth, padded.data(), block::cols);
            }
        });
    }

    template <code_layout L, codebook C, scale_number S, zero_number Z>
    packed<L, C, S, Z> with_scales(packed<L, C, S, Z> const& a, unsigned bits, quantized<C, S, Z> const& q)
    {
        auto const& v = a.view();
        JACKPLANE_EXPECTS(a.readable(bits), width_error, "scales for ", bits, " bits; there are ", a.readable_widths());
        JACKPLANE_EXPECTS(q.rows == v.rows && q.cols == v.cols && q.grid.columns == v.group &&
                              q.grid.per_row == v.groups,
                          shape_error, "scales of ", q.rows, " x ", q.cols, " in groups of ", q.grid.columns, " for ",
                          v.rows, " x ", v.cols, " in groups of ", v.group);
        q.expect_whole("scales");
        struct both
        {
            std::shared_ptr<void const> planes;
            detail::packed_storage<L, S, Z> scales;
        };
        auto const keep = std::make_shared<both>();
        keep->planes = a.owner();
        keep->scales.resize_scales(v.panels * v.group_stride * block::rows); // as the planes: a view may skip some
        for (std::size_t panel = 0; panel < v.panels; ++panel)
            detail::pack_scales(q, panel, v.group_stride, keep->scales);
        auto own = a.own_scales();
        own[bits] = {keep->scales.scales.data(), keep->scales.zeros_or_null()};
        return {v, keep, own};
    }

    template <packed_matrix M>
    aligned_vector<code> codes_of(M const& a)
    {
        auto const v = a.view();
        aligned_vector<code> all(v.rows * v.cols);
        std::array<code, block::codes> codes;
        for (std::size_t panel = 0; panel < v.panels; ++panel)
            for (std::size_t nth = 0; nth < v.blocks; ++nth)
            {
                detail::unpack_block(v, panel, nth, codes.data());
                std::size_t const left = nth * block::cols, width = std::min(v.cols - left, block::cols);
                for (std::size_t row = panel * block::rows; row < std::min(v.rows, (panel + 1) * block::rows); ++row)
                    std::copy_n(codes.data() + row % block::rows * block::cols, width,
                                all.data() + row * v.cols + left);
            }
        return all;
    }

    template <packed_matrix M>
    auto unpack(M const& a)
    {
        auto const v = a.view();
        auto make = []<class L, class C, class S, class Z>(packed_view<L, C, S, Z> const& p)
        {
            bool const means_the_same = p.bits == C::bits && detail::code_line{p.step, p.base} == detail::line_of<C>();
            JACKPLANE_EXPECTS(means_the_same, width_error,
                              "unpack: ", p.bits, "-bit codes mean other values to the codebook of ",
                              C::bits, " bits; codes_of(a) gives the codes, dequantize the values");
            return quantized<C, S, Z>{p.book, p.rows, p.cols, {p.group, p.groups, false}, {}, {}, {}};
        };
        auto q = make(v);
        q.codes = codes_of(a);
        detail::unpack_scales(v, q.scales, q.zeros);
        return q;
    }

    template <code_layout L, integer_codebook C, scale_number S, zero_in_steps Z>
    leading_bits<S, Z> leading(packed<L, C, S, Z> const& a, unsigned bits)
    {
        auto const v = a.prefix(bits).view();
        leading_bits<S, Z> first{bits, {v.group, v.groups, false}, codes_of(a.prefix(bits)), {}, {}};
        detail::unpack_scales(v, first.scales, first.zeros);
        return first;
    }

    template <code_layout To, slice S, code_layout L, linear_codebook C, scale_number X, zero_number Z,
              parallel_policy Parallel>
    packed<To, C, X, Z> repack(packed<L, C, X, Z> const& a, unsigned to, S rule, Parallel parallel)
    {
        constexpr unsigned parent = C::bits; // a file may hold fewer; values are in steps of the parent's codes
        JACKPLANE_EXPECTS(to >= 1 && to <= parent && S::bits_read(parent, to) <= a.bits(), width_error, S::name(),
                          " to ", to, " bits reads ", S::bits_read(parent, to), " bits, there are ", a.bits());
        unsigned const kept = S::bits_kept(parent, to);
        JACKPLANE_EXPECTS(To::planes_of(kept) != 0, width_error, "the new layout has no prefix of ", kept, " bits");
        auto const& from = a.view();
        auto storage = std::make_shared<detail::packed_storage<To, X, Z>>();
        std::size_t const in_panel = from.groups * block::rows, apart = from.group_stride * block::rows;
        storage->resize_scales(from.panels * in_panel);
        detail::gather_panels(from.scales, from.panels, in_panel, apart, storage->scales.data());
        if constexpr (!std::same_as<Z, no_zero>)
            detail::gather_panels(from.zeros, from.panels, in_panel, apart, storage->zeros.data());
        auto v = detail::view_of_shape<packed_view<To, C, X, Z>>(from.rows, from.cols,
                                                                 {from.group, from.groups, false}, from.book);
        v.planes = To::planes_of(kept), v.bits = kept;
        v.step = C::step * (rule.value(1, parent, to) - rule.value(0, parent, to));
        v.base = C::step * rule.value(0, parent, to) + C::base;
        return detail::pack_blocks(v, std::move(storage), parallel, [&](std::size_t panel, auto&& put)
        {
            std::array<code, block::codes> codes;
            for (std::size_t nth = 0; nth < from.blocks; ++nth)
            {
                detail::unpack_block(from, panel, nth, codes.data());
                for (code& q : codes) // the rules look at leading bits alone: those there are stand for all
                    q = static_cast<code>(rule(q, from.bits, to) << (To::bits - kept));
                put(nth, codes.data(), block::cols);
            }
        });
    }

    template <packed_matrix M, parallel_policy Parallel>
    void dequantize(M const& a, matrix_view<float> out, Parallel parallel)
    {
        auto const& v = a.view();
        JACKPLANE_EXPECTS(out.rows == v.rows && out.cols == v.cols, shape_error, "dequantize ", v.rows, " x ", v.cols,
                          " into ", out.rows, " x ", out.cols);
        expect_whole(out, "dequantize");
        parallel(v.panels, [&](std::size_t first, std::size_t last)
        {
            std::array<code, block::codes> codes;
            for (std::size_t panel = first; panel < last; ++panel)
                for (std::size_t nth = 0; nth < v.blocks; ++nth)
                {
                    detail::unpack_block(v, panel, nth, codes.data());
                    for (std::size_t r = 0; r < std::min(v.rows - panel * block::rows, block::rows); ++r)
                        detail::decode_row(v, panel * block::rows + r, nth, codes.data() + r * block::cols, out);
                }
        });
    }

    template <packed_matrix M>
    std::size_t bytes_read(M const& a) noexcept
    {
        auto const& v = a.view();
        std::size_t const per_scale = sizeof(*v.scales) + (v.zeros == nullptr ? 0 : sizeof(*v.zeros));
        return v.panels * (v.blocks * block::lanes * v.bits + v.groups * block::rows * per_scale);
    }
}
