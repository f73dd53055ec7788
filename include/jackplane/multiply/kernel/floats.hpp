// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "../../pack/packed.hpp"
#include "../activation/activation.hpp"
#include "levels.hpp"

namespace jackplane::inline v0::inline JACKPLANE_TARGET
{
    namespace kernel
    {
        // Codes of at most 4 bits become floats by a look-up in 16 entries that all rows share, whatever the codebook;
        // wider ones are counted, and become levels as bytes.
        template <class V, class View>
        inline constexpr bool fits_vectors = linear_codebook<typename View::codebook_type> ||
                                             (leveled_codebook<typename View::codebook_type> && V::looks_up &&
                                              requires { V::plus_bytes; }) ||
                                             (V::looks_up && View::layout::bits <= 4 &&
                                              !row_codebook<typename View::codebook_type> &&
                                              !leveled_codebook<typename View::codebook_type>);

        template <class View>
        inline constexpr bool zero_is_stored = !std::same_as<decltype(View::zeros), no_zero const*>;

        // total += scale t + offset sum
        template <class V>
        [[gnu::always_inline]] inline void add_scaled(auto& total, typename V::floats scale, typename V::floats t,
                                                      typename V::floats offset, float sum) noexcept
        {
            using floats = typename V::floats;
            total.add(floats(1.0f), V::fma(scale, t, offset * floats(sum)));
        }

        // The scales and zeros of 16 rows, a group after the other.
        template <codebook C, scale_number S, zero_number Z>
        struct group_constants
        {
            S const* scale;
            Z const* zero;

            // group: panel * group_stride + the group in its rows
            template <code_layout L>
            [[gnu::always_inline]] group_constants(packed_view<L, C, S, Z> const& a, std::size_t group) noexcept
                : scale(a.scales + group * block::rows), zero(a.zeros)
            {
                if constexpr (!std::same_as<Z, no_zero>)
                    zero += group * block::rows;
            }
            [[gnu::always_inline]] void next() noexcept
            {
                scale += block::rows;
                if constexpr (!std::same_as<Z, no_zero>)
                    zero += block::rows;
            }
            // (base - zero) unit, or base unit before an offset, of the rows from `row` on
            template <class V>
            [[gnu::always_inline]] typename V::floats offset(float base, [[maybe_unused]] std::size_t row,
                                                             float unit = 1) const noexcept
            {
                using floats = typename V::floats;
                if constexpr (zero_as_offset<Z>)
                    return floats(base * unit);
                else if constexpr (std::same_as<Z, no_zero>)
                    return floats((base - C::centre) * unit);
                else
                    return V::fma(V::load(zero + row), floats(-unit), floats(base * unit));
            }
            // total += scale t, and zero sum where it is an offset. sum: of the x that t comes from.
            template <class V>
            [[gnu::always_inline]] void add(auto& total, [[maybe_unused]] std::size_t row, typename V::floats scales,
                                            typename V::floats t, [[maybe_unused]] float sum) const noexcept
            {
                if constexpr (zero_as_offset<Z>)
                    add_scaled<V>(total, scales, t, V::load(&zero[row].value), sum);
                else
                    total.add(scales, t);
            }
        };

        // Codes of Bits bits -> floats: decoded, of linear codebooks without step and base, in steps of 1 / unit; of
        // leveled ones levels. C: of these bits.
        template <class V, unsigned Bits, codebook C>
        struct decoder
        {
            static constexpr unsigned width = field_width(Bits);
            static constexpr bool looks_up = width <= 4 && (integer_codebook<C> ? V::looks_up_fast : V::looks_up);
            static constexpr bool counts_levels = leveled_codebook<C> && !looks_up; // which were looked up as bytes
            static constexpr float unit = looks_up || counts_levels ? 1 : static_cast<float>(1u << (width - Bits));

            // The code in 4 bits that begin with a field; above one of 2 bits is its neighbour.
            static constexpr unsigned code_at(unsigned i) noexcept
            {
                return (i & ((1u << width) - 1)) >> (width - Bits);
            }

            // What those 4 bits mean.
            [[gnu::always_inline]] static auto table(C const& book) noexcept
            {
                if constexpr (looks_up)
                {
                    float entry[16];
                    for_each<16>([&](auto i) __attribute__((always_inline)) {
                        constexpr unsigned q = code_at(i);
                        if constexpr (linear_codebook<C>)
                            entry[i] = static_cast<float>(q);
                        else if constexpr (leveled_codebook<C>)
                            entry[i] = static_cast<float>(C::level_at(q, Bits));
                        else
                            entry[i] = book.decode(static_cast<code>(q));
                    });
                    return V::make_table(entry);
                }
                else if constexpr (counts_levels)
                    return levels<V, C, Bits>::template bytes<C::share(Bits)>(book);
                else
                    return 0;
            }

            // body(column, floats [rows]) for the 32 columns of a block
            template <class Fields, class Table, class Body>
            [[gnu::always_inline]] static void for_each_column(Fields const& codes, Table const& t,
                                                               Body&& body) noexcept
            {
                for_each_step<width>(
                    codes, [&](auto s, auto field, auto shift) __attribute__((always_inline)) {
                        if constexpr (counts_levels && width == 8)
                            field = levels_of_bytes<V>(t, field);
                        else if constexpr (counts_levels)
                            field = levels_of_fields<V, shift>(t, field);
                        for_each<4>([&](auto k) __attribute__((always_inline)) {
                            constexpr unsigned at = 8 * k + shift;
                            std::integral_constant<std::size_t, 4 * s + k> const column;
                            if constexpr (looks_up)
                                body(column, V::template look_up<at>(t, field));
                            else if constexpr (counts_levels)
                                body(column, V::template column<8 * k, 8>(field));
                            else
                                body(column, V::template column<at, width>(field));
                        });
                    });
            }
        };

        // y[row] += sum over blocks of  scale (step dot + (base - zero) sum x)  for the rows [first, last), any group
        // that is a multiple of 32 columns or one a row. dot(plane, block): of the V::rows rows that plane points at,
        // with the x of that block; sums [blocks]: of x.
        template <accumulator Acc, class V, unsigned Bits, code_layout L, codebook C, scale_number S, zero_number Z,
                  class Dot>
        [[gnu::always_inline]] inline void add_blocks(packed_view<L, C, S, Z> const& a, float step, float base,
                                                      float const* sums, float* y, std::size_t first, std::size_t last,
                                                      Dot&& dot) noexcept
        {
            using floats = typename V::floats;
            constexpr std::size_t batches = block::rows / V::rows;
            std::size_t const ratio = a.groups == 1 ? a.blocks : a.group / block::cols;
            for (std::size_t panel = first / block::rows; panel * block::rows < last; ++panel)
            {
                typename Acc::template of<floats> total[batches];
                group_constants now(a, panel * a.group_stride);
                for (std::size_t b = 0, turn = 0; b < a.blocks; ++b)
                {
                    auto plane = planes_at<Bits>(a, panel * a.block_stride + b);
                    fetch_ahead<L, Bits>(plane);
                    for (std::size_t h = 0; h < batches; ++h, advance<L, Bits>(plane, V::rows * 4))
                    {
                        std::size_t const row = h * V::rows;
                        floats const offset = now.template offset<V>(base, row);
                        floats const t = V::fma(floats(step), dot(plane, b), offset * floats(sums[b]));
                        now.template add<V>(total[h], row, V::load(now.scale + row), t, sums[b]);
                    }
                    if (++turn == ratio)
                    {
                        turn = 0;
                        now.next();
                    }
                }
                alignas(64) float out[block::rows];
                for (std::size_t h = 0; h < batches; ++h)
                    total[h].total().store(out + h * V::rows);
                add_rows(out, panel, first, last, y);
            }
        }

        // y[row] += for the rows [first, last), one vector.
        // |y - exact| <= (groups + 8) eps sum |scale| (|decode(code)| + |zero|) |x| with the compensated accumulator:
        // four chains of 8 terms, added in pairs; at most 13 half-eps on the way of a term.
        template <accumulator Acc, class V, unsigned Bits, code_layout L, codebook C, scale_number S, zero_number Z>
        [[gnu::noinline]] void multiply_exact(packed_view<L, C, S, Z> const& a, exact_view const& x, float* y,
                                              std::size_t first, std::size_t last) noexcept
        {
            using floats = typename V::floats;
            using decode = decoder<V, Bits, book_at<C, Bits>>;
            auto const table = decode::table(leading_book<Bits>(a.book));
            float const step = integer_codebook<C> ? a.step / decode::unit : 1, base = integer_codebook<C> ? a.base : 0;
            auto const dot = [&](auto const& plane, std::size_t b) __attribute__((always_inline))
            {
                float const* const xs = x.x + b * block::cols;
                auto const codes = fields<V, L, Bits, decode::width>(plane);
                floats chain[4] = {floats(0.0f), floats(0.0f), floats(0.0f), floats(0.0f)};
                decode::for_each_column(
                    codes, table, [&](auto column, floats w) __attribute__((always_inline)) {
                        chain[column % 4] = V::fma(w, floats(xs[column]), chain[column % 4]);
                    });
                return (chain[0] + chain[1]) + (chain[2] + chain[3]);
            };
            add_blocks<Acc, V, Bits>(a, step, base, x.sums, y, first, last, dot);
        }
    }
}
