// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <array>
#include <cmath>
#include <limits>
#include <utility>
#include "../quantize/quantize.hpp"
#include "../quantize/slice.hpp"
#include "clipping.hpp"

namespace jackplane::inline v0::inline JACKPLANE_TARGET
{
    // How far the learned offset of a weight may go: v in [-reach, reach], in units of so many steps of the codes.
    // SignRound's half a step lets a weight choose between its two neighbours. A parent whose leading bits are tuned
    // needs more: half a step at 2 bits is 32 steps of an 8-bit parent.
    struct offset_reach
    {
        float unit = 1, limit = 0.5f;

        static constexpr offset_reach half_step_of(unsigned bits, unsigned parent_bits) noexcept
        {
            return {static_cast<float>(1u << (parent_bits - bits))};
        }
        // Anywhere: codes stay inside the cell of their leading bits anyway.
        static constexpr offset_reach cell_of(unsigned leading_bits, unsigned bits) noexcept
        {
            return {static_cast<float>(1u << (bits - leading_bits)), std::numeric_limits<float>::max()};
        }
        // The smallest offset, in steps, that leads to a code which lies `off` from the fractional code.
        static constexpr float least(float off) noexcept
        {
            constexpr float almost = 0.499f; // of a step, from the middle of a code
            return off > almost ? off - almost : off < -almost ? off + almost : 0.0f;
        }
    };

    enum class learns // what v is added to
    {
        offsets, // rounding: v is added to the fractional codes
        weights  // the weights themselves, in their own units (QAT, EfficientQAT): v is added to them
    };

    struct tunable_options // what the learned offsets may reach, and where scales begin
    {
        offset_reach reach{};
        learns what = learns::offsets; // weights have no reach
        bool follows_weights = false;  // ranges are those of the learned weights (QAT), not of the original ones
        matrix_view<float const> importance{}; // [1, cols] or [rows, cols], for scales that are searched
        std::string_view name = "weights";     // for errors
    };

    // The value of each code of a parent that is read at fewer bits, and whether a small change of the code changes it
    // (not where round_clamp clamps).
    struct code_reading
    {
        std::array<float, 256> value{};
        std::array<bool, 256> moves{};

        template <integer_codebook C, slice Slice>
        static code_reading of(C const& book, Slice const& rule, unsigned bits)
        {
            JACKPLANE_EXPECTS(bits >= 1 && bits <= C::bits, width_error, "codes of ", C::bits, " bits read at ", bits);
            JACKPLANE_EXPECTS(linear_codebook<C> || (std::same_as<Slice, truncate_centred>), value_error, C::name(),
                              " codes are read by their leading bits (truncate_centred), not by ", Slice::name());
            code_reading r;
            for (unsigned q = 0; q < C::size; ++q)
                if constexpr (linear_codebook<C>)
                {
                    float const at = rule.value(rule(q, C::bits, bits), C::bits, bits); // in codes
                    r.value[q] = C::step * at + book.decode(0);
                    r.moves[q] =
                        detail::abs(at - static_cast<float>(q)) <= static_cast<float>(1u << (C::bits - bits)) / 2;
                }
                else
                {
                    unsigned const level = C::level_at(q >> (C::bits - bits), bits);
                    r.value[q] = C::step_at(bits) * static_cast<float>(level) + C::base_at(bits);
                    r.moves[q] = true;
                }
            return r;
        }
    };

    // A matrix whose rounding and clipping are learned. Each weight becomes
    //     code = clamp(round(coordinate(w / scale + zero) + unit v)),    w^ = scale * (decode(code) - zero)
    // with v [rows, cols] the learned offsets and scale, zero as K makes them of the learned pair of each group; where
    // weights learn, the code is the one nearest to coordinate((w + v) / scale + zero). Gradients pass straight through
    // rounding and are 0 where a code is clamped.
    template <integer_codebook C, clipping<C> K, scale_number S = half>
    class tunable
    {
    public:
        using result_type = quantized<C, S, typename K::zero_type>;
        using reading_type = code_reading;
        struct parameters // what is learned of a matrix
        {
            std::vector<float> offset;        // v [rows, cols]
            std::vector<float> first, second; // the pairs, one for each scale
        };

        // w outlives it. Throws as quantize does. A scale that is learned stays inside what S holds.
        tunable(matrix_view<float const> w, C book, K clip, group g, tunable_options options = {});

        // Scales, zeros and leading bits are fixed: every code is learned inside the cell of its leading bits, which
        // are those of the same parent: uniform<2, 8> for uniform<4, 8> and for overlapping<4>. Throws shape_error,
        // width_error, value_error.
        tunable(matrix_view<float const> w, C book, leading_bits<S, typename K::zero_type> coarse,
                tunable_options options = {});

        // The same, but scales and zeros learn from there on by a K that adjusts them (adjust_scale): what the leading
        // bits alone shall go on to mean needs a copy of the old ones (with_scales).
        tunable(matrix_view<float const> w, C book, leading_bits<S, typename K::zero_type> coarse, K clip,
                tunable_options options = {})
            requires std::constructible_from<typename K::group_type, scale_and_zero>;

        // Codes and zeros are fixed; each scale learns the factor of an adjust_scale (EfficientQAT's second phase).
        // Throws shape_error, value_error.
        tunable(matrix_view<float const> w, result_type codes, K clip, tunable_options options = {})
            requires std::constructible_from<typename K::group_type, scale_and_zero>;

        std::size_t size() const noexcept { return m_w.rows * m_w.cols; }
        parameters const& learned() const& noexcept { return m_learned; }
        parameters& learned() & noexcept { return m_learned; }
        parameters learned() && { return std::move(m_learned); }
        parameters const& slopes() const& noexcept { return m_slopes; }
        parameters slopes() && { return std::move(m_slopes); }
        // After round(): what is learned so far, as quantize would give it.
        result_type const& result() const& noexcept { return m_result; }
        result_type result() && { return std::move(m_result); }

        // Of its codes at fewer bits. Throws width_error.
        template <slice Slice>
        code_reading reading(Slice const& rule, unsigned bits) const
        {
            return code_reading::of(m_result.book, rule, bits);
        }

        // Offsets that lead to these codes, as small as can be (inside the reach). Throws shape_error, value_error.
        void start_from(aligned_vector<code> const& codes);

        // Scales and codes from what is learned. Throws shape_error, value_error where that has another size or is NaN.
        template <parallel_policy Parallel = serial>
        void round(Parallel parallel = {});

        // After round(): w^ as `reading` has it -> out [rows * cols].
        template <parallel_policy Parallel = serial>
        void decode(code_reading const& reading, std::span<float> out, Parallel parallel = {}) const;

        // After round(): adds `weight` times the gradient by what is learned; g [rows * cols] is the gradient by w^.
        template <parallel_policy Parallel = serial>
        void add_slopes(code_reading const& reading, std::span<float const> g, float weight, Parallel parallel = {});
        void clear_slopes();

        // After a step: back inside the reach, and the range of K.
        void limit();

    private:
        scale_and_zero scale_at(std::size_t i) const noexcept
        {
            scale_and_zero s{to_float(m_result.scales[i]), C::centre};
            if constexpr (!std::same_as<typename K::zero_type, no_zero>)
                s.zero = to_float(m_result.zeros[i]);
            return s;
        }
        // The fractional code of weight i, which is w.
        float coordinate(float w, [[maybe_unused]] std::size_t i, scale_and_zero s) const noexcept
        {
            float const x = s.scale == 0 ? s.zero : w / s.scale + s.zero;
            if constexpr (leveled_codebook<C>)
                if (!m_coarse.empty())
                    return m_result.book.coordinate_in(x, unsigned{m_coarse[i]} << m_finer_bits, 1u << m_finer_bits);
            return m_result.book.coordinate(x);
        }
        // What weight i of value w has become.
        float weight_now(float w, std::size_t i) const noexcept
        {
            return m_options.what == learns::weights ? w + m_learned.offset[i] : w;
        }
        code_cell cell_of(std::size_t i) const noexcept // the codes that weight i may have
        {
            return m_coarse.empty() ? code_cell{0, static_cast<float>(C::size - 1)}
                                    : code_cell::below(m_coarse[i], m_finer_bits);
        }
        // By how much a value changes with its code.
        static constexpr float step() noexcept
        {
            if constexpr (linear_codebook<C>)
                return C::step;
            else // on the average
                return (C::decode(C::size - 1) - C::decode(0)) / static_cast<float>(C::size - 1);
        }
        // body(row, scale index, first element, end) of every group in the rows [first, end)
        template <class Body>
        void for_each_group(std::size_t first, std::size_t end, Body&& body) const
        {
            for (std::size_t row = first; row < end; ++row)
                for (std::size_t left = 0; left < m_w.cols; left += m_result.grid.columns)
                {
                    std::size_t const right = std::min(left + m_result.grid.columns, m_w.cols);
                    body(row, m_result.grid.at(row, left), row * m_w.cols + left, row * m_w.cols + right);
                }
        }
        template <parallel_policy Parallel, class Body>
        void for_each_group(Parallel& parallel, Body&& body) const
        {
            parallel(m_w.rows, [&](std::size_t first, std::size_t end) { for_each_group(first, end, body); });
        }
        // w[row * cols + col] is weight (row, col).
        float const* elements_of(std::size_t row) const noexcept { return m_w.data + row * (m_w.stride - m_w.cols); }
        void make_room(group_grid grid);
        void start_groups();
        void start_from_scales();
        void store_scales(bool learned); // not yet: those that S does not hold are errors
        void expect_learned() const;

        matrix_view<float const> m_w;
        K m_clip{};
        tunable_options m_options;
        result_type m_result;
        std::vector<typename K::group_type> m_groups; // empty: the scales stay
        std::vector<unsigned char> m_zero;            // 1 where all weights of a group are 0
        aligned_vector<code> m_coarse;                // empty: any code
        unsigned m_finer_bits = 0;
        parameters m_learned, m_slopes;
        std::vector<unsigned char> m_inside; // 1 where a code is not clamped
    };
}
#include "detail/tunable.hpp"
