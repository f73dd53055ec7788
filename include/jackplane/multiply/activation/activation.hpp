// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <cstring>
#include "../../core/check.hpp"
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

        // The vectors [first, first + count) of those that were prepared.
        inline exact_view some_vectors(exact_view x, std::size_t first, std::size_t count) noexcept
        {
            x.x += first * x.blocks * block::cols;
            x.sums += first * x.blocks;
            x.vectors = count;
            return x;
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
            void view() const&& = delete; // both would point into a temporary
            void floats() const&& = delete;
            std::size_t cols() const noexcept { return m_cols; }
            std::size_t vectors() const noexcept { return m_vectors; }

        private:
            friend struct exact;
            friend struct batch_invariant;
            aligned_vector<float> m_x, m_sums;
            std::size_t m_cols = 0, m_vectors = 0;
            bool m_batch_invariant = false;
        };

        // Throws shape_error for a view without memory, here and in every other activation.
        template <class Arch = void, class X>
        static void prepare(X const& vectors, prepared& into)
        {
            auto const x = vectors_of(vectors);
            expect_whole(x, "x");
            std::size_t const blocks = ceil_div(x.cols, block::cols), padded = blocks * block::cols;
            into.m_cols = x.cols;
            into.m_vectors = x.rows;
            into.m_batch_invariant = false;
            into.m_x.resize(x.rows * padded);
            into.m_sums.resize(x.rows * blocks);
            for (std::size_t n = 0; n < x.rows; ++n)
            {
                float* const to = into.m_x.data() + n * padded;
                if (blocks == 0)
                    continue;
                std::memset(to + padded - block::cols, 0, block::cols * sizeof(float));
                if constexpr (requires(exact_view v) { v.x = x.row(n).data(); })
                    std::memcpy(to, x.row(n).data(), x.cols * sizeof(float));
                else
                    std::ranges::transform(x.row(n), to, [](element auto v) { return to_float(v); });
                for (std::size_t b = 0; b < blocks; ++b)
                    into.m_sums[n * blocks + b] = sum_of_block(to + b * block::cols);
            }
        }
        // Of a matrix the rows that a list names, in its order and as often. Throws shape_error for one that is not
        // there; here and in every other activation.
        template <class Arch = void, class X>
        static void prepare(X const& vectors, std::span<std::size_t const> rows, prepared& into)
        {
            prepare<Arch>(detail::gather(vectors_of(vectors), rows), into);
        }
    };
    static_assert(activation<exact>);

    // x as fp32, too, with the same bits for a vector alone, where they are those of exact, and inside any batch. Eight
    // vectors take 1.3 (2 bits), 1.4 (4) and 1.7 times (8) as long as with exact (AVX2, 4096 x 4096, one thread).
    struct batch_invariant
    {
        using prepared = exact::prepared;

        template <class Arch = void, class X>
        static void prepare(X const& vectors, prepared& into)
        {
            exact::prepare<Arch>(vectors, into);
            into.m_batch_invariant = true;
        }
        template <class Arch = void, class X>
        static void prepare(X const& vectors, std::span<std::size_t const> rows, prepared& into)
        {
            exact::prepare<Arch>(vectors, rows, into);
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
            exact::prepared m_x;
        };
    }
}
