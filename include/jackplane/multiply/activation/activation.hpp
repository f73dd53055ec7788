// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <cstring>
#include "../../core/check.hpp"
#include "../../core/concepts.hpp"
#include "../../core/serial.hpp"
#include "../../core/view.hpp"
#include "../../pack/planes.hpp"

namespace jackplane::inline v0 // shared by all units: core/target.hpp
{
    // Vectors that are multiplied together, as fp32. Every prepared activation has one.
    struct exact_view
    {
        float const* x; // [vectors, blocks * 32], padded with +0
        // [vectors, blocks], the sum of each block: NaN where an x is NaN or Inf, so that every y that reads it is NaN
        float const* sums;
        std::size_t vectors; // n
        std::size_t cols;    // without the padding
        std::size_t blocks;
        bool batch_invariant = false; // each vector is summed as it is alone
    };
}

namespace jackplane::inline v0::inline JACKPLANE_TARGET
{
    // What is prepared: several vectors as a matrix [vectors, cols], or one as anything that makes a std::span.
    template <class X>
    constexpr auto vectors_of(X const& x)
    {
        if constexpr (plain_matrix<X>)
            return matrix_view<element_of<X const> const>(x);
        else if constexpr (std::convertible_to<X const&, std::span<float const>>)
        {
            std::span<float const> const all = x;
            return matrix_view<float const>{all.data(), 1, all.size()};
        }
        else
        {
            std::span const all(x);
            return matrix_view<typename decltype(all)::value_type const>{all.data(), 1, all.size()};
        }
    }

    namespace detail
    {
        // The rows of a list, as if they were copied to a matrix.
        template <class T>
        struct gathered_rows
        {
            matrix_view<T> from;
            std::span<std::size_t const> list;
            std::size_t rows, cols;

            std::span<T> row(std::size_t n) const noexcept { return from.row(list[n]); }
        };
        template <class T>
        gathered_rows<T> gather(matrix_view<T> from, std::span<std::size_t const> list) noexcept
        {
            return {from, list, list.size(), from.cols};
        }
        template <class T>
        constexpr gathered_rows<T> vectors_of(gathered_rows<T> const& x) noexcept
        {
            return x;
        }
        template <class T>
        void expect_whole(gathered_rows<T> const& x, std::string_view name)
        {
            jackplane::expect_whole(x.from, name);
            for (std::size_t const row : x.list)
                JACKPLANE_EXPECTS(row < x.from.rows, shape_error, name, ": row ", row, " of ", x.from.rows);
        }

        // The vectors [first, first + count) of those that were prepared, where they lie.
        inline exact_view some_vectors(exact_view x, std::size_t first, std::size_t count) noexcept
        {
            x.x += first * x.blocks * block::cols;
            x.sums += first * x.blocks;
            x.vectors = count;
            return x;
        }

        // What a view of some prepared vectors asks: they lie in tiles of `step`, which it does not cut.
        inline void expect_some(std::size_t first, std::size_t last, std::size_t vectors, std::size_t step)
        {
            bool const whole = first % step == 0 && (last % step == 0 || last == vectors);
            JACKPLANE_EXPECTS(first <= last && last <= vectors && whole, shape_error, "vectors ", first, " to ", last,
                              " of ", vectors, ": a view of them begins at a multiple of ", step,
                              " and ends at one or with the last");
        }

        // What a product of a matrix [rows, cols] asks before it reads x or writes y: once a call.
        template <class U>
        void expect_product(std::size_t rows, std::size_t cols, std::size_t vectors, std::size_t x_cols,
                            matrix_view<U> y)
        {
            JACKPLANE_EXPECTS(y.rows == vectors, shape_error, vectors, " x and ", y.rows, " y");
            JACKPLANE_EXPECTS(x_cols == cols && y.cols == rows, shape_error, "a matrix of ", rows, " x ", cols,
                              " times x of ", x_cols, " into y of ", y.cols);
            expect_whole(y, "y");
        }
    }

    namespace detail
    {
        class prepared_floats;
    }

    // Sum of 32 floats, rounded once; NaN when one is NaN or Inf. Eight sums side by side, in the same order
    // everywhere.
    [[gnu::always_inline]] inline float sum_of_block(float const* x) noexcept
    {
        typedef float floats __attribute__((vector_size(16)));
        typedef double doubles __attribute__((vector_size(32)));
        typedef std::int32_t words __attribute__((vector_size(16)));
        doubles even{}, odd{};
        constexpr std::int32_t exponent = 0x7f800000;
        words infinite{};
        for (std::size_t i = 0; i < block::cols; i += 8)
        {
            floats v, w;
            words a, b;
            __builtin_memcpy(&v, x + i, sizeof v);
            __builtin_memcpy(&w, x + i + 4, sizeof w);
            __builtin_memcpy(&a, &v, sizeof a);
            __builtin_memcpy(&b, &w, sizeof b);
            even += __builtin_convertvector(v, doubles);
            odd += __builtin_convertvector(w, doubles);
            infinite |= ((a & exponent) == exponent) | ((b & exponent) == exponent); // ones for NaN and Inf
        }
        doubles const sum = even + odd;
        bool const any = (infinite[0] | infinite[1] | infinite[2] | infinite[3]) != 0;
        double const all = (sum[0] + sum[1]) + (sum[2] + sum[3]);
        return any ? __builtin_nanf("") : static_cast<float>(all);
    }

    // Whether no x of vector n is NaN or Inf: for kernels that read no sums.
    [[gnu::always_inline]] inline bool all_finite(exact_view const& x, std::size_t n) noexcept
    {
        bool spoilt = false; // by a NaN, on bits: a compiler flag cannot take it away
        for (float const* sum = x.sums + n * x.blocks; sum != x.sums + (n + 1) * x.blocks; ++sum)
            spoilt |= (__builtin_bit_cast(std::uint32_t, *sum) & 0x7fffffffu) > 0x7f800000u;
        return !spoilt;
    }

    // Some of the vectors that were prepared, where they lie: an x of products itself. Valid as long as those are.
    template <class View>
    class prepared_rows
    {
    public:
        prepared_rows(View const& some) noexcept : m_view(some) {}
        View const& view() const noexcept { return m_view; }
        exact_view floats() const noexcept
        {
            if constexpr (std::same_as<View, exact_view>)
                return m_view;
            else
                return m_view.x;
        }
        std::size_t cols() const noexcept { return floats().cols; }
        std::size_t vectors() const noexcept { return floats().vectors; }

    private:
        View m_view;
    };

    // x as fp32.
    struct exact
    {
        class prepared // keeps its memory from one x to the next
        {
        public:
            exact_view view() const& noexcept
            {
                std::size_t const blocks = ceil_div(m_cols, block::cols);
                return {m_x.data(), m_sums.data(), m_vectors, m_cols, blocks, m_batch_invariant};
            }
            exact_view floats() const& noexcept { return view(); }
            // The vectors [first, last), any of them, without a copy. Throws shape_error.
            prepared_rows<exact_view> rows(std::size_t first, std::size_t last) const&
            {
                detail::expect_some(first, last, m_vectors, 1);
                return {detail::some_vectors(view(), first, last - first)};
            }
            void view() const&& = delete; // all would point into a temporary
            void floats() const&& = delete;
            void rows(std::size_t, std::size_t) const&& = delete;
            std::size_t cols() const noexcept { return m_cols; }
            std::size_t vectors() const noexcept { return m_vectors; }

        private:
            friend struct exact;
            friend struct batch_invariant;
            friend class detail::prepared_floats;

            void make_room(std::size_t vectors, std::size_t cols)
            {
                std::size_t const blocks = ceil_div(cols, block::cols);
                m_cols = cols;
                m_vectors = vectors;
                m_batch_invariant = false;
                m_x.resize(vectors * blocks * block::cols);
                m_sums.resize(vectors * blocks);
            }
            // x: a matrix_view, or the rows of a list. A function of its own, where registers suffice: a fifth faster.
            template <class X>
            [[gnu::noinline]] void take(X const& x, std::size_t first, std::size_t last)
            {
                std::size_t const blocks = ceil_div(x.cols, block::cols), padded = blocks * block::cols;
                float *const values = m_x.data(), *const sums = m_sums.data();
                for (std::size_t n = first; n < last && blocks != 0; ++n)
                {
                    float* const to = values + n * padded;
                    std::memset(to + padded - block::cols, 0, block::cols * sizeof(float));
                    if constexpr (requires(exact_view v) { v.x = x.row(n).data(); })
                        std::memcpy(to, x.row(n).data(), x.cols * sizeof(float));
                    else
                        std::ranges::transform(x.row(n), to, [](element auto v) { return to_float(v); });
                    for (std::size_t b = 0; b < blocks; ++b)
                        sums[n * blocks + b] = sum_of_block(to + b * block::cols);
                }
            }

            aligned_vector<float> m_x, m_sums;
            std::size_t m_cols = 0, m_vectors = 0;
            bool m_batch_invariant = false;
        };

        // Here and in every other activation: several vectors are split over the threads of `parallel`, with the same
        // bits for any split. Throws shape_error for a view without memory.
        template <class Arch = void, class X, parallel_policy Parallel = serial>
        static void prepare(X const& vectors, prepared& into, Parallel const& parallel = {})
        {
            auto const x = vectors_of(vectors);
            expect_whole(x, "x");
            into.make_room(x.rows, x.cols);
            parallel(x.rows, [&](std::size_t first, std::size_t last) { into.take(x, first, last); });
        }
        // Of a matrix the rows that a list names, in its order and as often. Throws shape_error for one that is not
        // there; here and in every other activation.
        template <class Arch = void, class X, parallel_policy Parallel = serial>
        static void prepare(X const& vectors, std::span<std::size_t const> rows, prepared& into,
                            Parallel const& parallel = {})
        {
            prepare<Arch>(detail::gather(vectors_of(vectors), rows), into, parallel);
        }
    };
    static_assert(activation<exact>);

    // x as fp32, too, with the same bits for a vector alone, where they are those of exact, and inside any batch. Eight
    // vectors take 1.3 (2 bits), 1.4 (4) and 1.7 times (8) as long as with exact (AVX2, 4096 x 4096, one thread).
    struct batch_invariant
    {
        using prepared = exact::prepared;

        template <class Arch = void, class X, parallel_policy Parallel = serial>
        static void prepare(X const& vectors, prepared& into, Parallel const& parallel = {})
        {
            exact::prepare<Arch>(vectors, into, parallel);
            into.m_batch_invariant = true;
        }
        template <class Arch = void, class X, parallel_policy Parallel = serial>
        static void prepare(X const& vectors, std::span<std::size_t const> rows, prepared& into,
                            Parallel const& parallel = {})
        {
            exact::prepare<Arch>(vectors, rows, into, parallel);
            into.m_batch_invariant = true;
        }
    };
    static_assert(activation<batch_invariant>);

    namespace detail
    {
        // What every other activation prepares, too: x as fp32, for matrices that take no other.
        class prepared_floats
        {
        public:
            exact_view floats() const& noexcept { return m_x.view(); }
            void floats() const&& = delete; // would point into a temporary
            std::size_t cols() const noexcept { return m_x.cols(); }
            std::size_t vectors() const noexcept { return m_x.vectors(); }

        protected:
            void make_room(std::size_t vectors, std::size_t cols) { m_x.make_room(vectors, cols); }
            template <class X>
            exact_view take(X const& x, std::size_t first, std::size_t last) // of [first, last)
            {
                m_x.take(x, first, last);
                return some_vectors(m_x.view(), first, last - first);
            }

            exact::prepared m_x;
        };
    }
}
