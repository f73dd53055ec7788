// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cstddef>
#include <limits>
#include <new>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>
#include "check.hpp"
#include "number.hpp"

namespace jackplane::inline v0 // shared by all units: core/target.hpp
{
    // What every public function takes: a row-major matrix that someone else owns.
    template <class T>
    struct matrix_view
    {
        T* data = nullptr;
        std::size_t rows = 0, cols = 0;
        std::size_t stride = cols; // elements from one row to the next, >= cols

        [[gnu::always_inline]] constexpr T& operator()(std::size_t row, std::size_t col) const noexcept
        {
            return data[row * stride + col];
        }
        [[gnu::always_inline]] constexpr std::span<T> row(std::size_t r) const noexcept
        {
            return {data + r * stride, cols};
        }
        [[gnu::always_inline]] constexpr operator matrix_view<T const>() const noexcept
            requires(!std::is_const_v<T>)
        {
            return {data, rows, cols, stride};
        }
    };
}

namespace jackplane::inline v0::inline JACKPLANE_TARGET
{
    // Whether so many elements of that size have addresses of their own.
    constexpr bool fits_in_memory(std::size_t rows, std::size_t cols, std::size_t size) noexcept
    {
        std::size_t all = 0;
        return !__builtin_mul_overflow(rows, cols, &all) && all <= std::numeric_limits<std::size_t>::max() / size;
    }

    // Throws shape_error unless each element has a place of its own: there is memory, and no row reaches into the next.
    template <class T>
    void expect_whole(matrix_view<T> m, std::string_view name)
    {
        bool const empty = m.rows == 0 || m.cols == 0;
        std::size_t const apart = m.rows <= 1 ? m.cols : m.stride;
        JACKPLANE_EXPECTS(empty || m.data != nullptr, shape_error, name, ": ", m.rows, " x ", m.cols, " without data");
        JACKPLANE_EXPECTS(apart >= m.cols, shape_error, name, ": rows of ", m.cols, " elements begin ", apart,
                          " apart");
        JACKPLANE_EXPECTS(empty || fits_in_memory(m.rows, apart, sizeof(T)), shape_error, name, ": ", m.rows, " x ",
                          apart, " elements do not fit in memory");
    }

    // Throws value_error for an element that is not finite: "up: weight at row 3, column 5 is nan".
    template <class T>
    void expect_finite(matrix_view<T> m, std::string_view name, std::string_view what)
    {
        for (std::size_t row = 0; row < m.rows; ++row)
            for (std::size_t col = 0; col < m.cols; ++col)
                JACKPLANE_EXPECTS(is_finite(m(row, col)), value_error, name, ": ", what, " at row ", row, ", column ",
                                  col, " is ", to_float(m(row, col)));
    }

    // Starts every array on a cache line, so that planes and scales load aligned on every arch.
    template <class T>
    struct cache_line_allocator
    {
        using value_type = T;
        static constexpr std::align_val_t alignment{64};

        cache_line_allocator() = default;
        template <class U>
        constexpr cache_line_allocator(cache_line_allocator<U> const&) noexcept
        {
        }
        T* allocate(std::size_t n)
        {
            JACKPLANE_EXPECTS(n <= std::numeric_limits<std::size_t>::max() / sizeof(T), shape_error, n, " elements of ",
                              sizeof(T), " bytes do not fit in memory");
            return static_cast<T*>(::operator new(n * sizeof(T), alignment));
        }
        // std::construct_at<T> would be a symbol of all units.
        template <class U, class... Args>
        void construct(U* at, Args&&... args) noexcept(std::is_nothrow_constructible_v<U, Args...>)
        {
            ::new (static_cast<void*>(at)) U(std::forward<Args>(args)...);
        }
        void deallocate(T* p, std::size_t) noexcept { ::operator delete(p, alignment); }
        friend constexpr bool operator==(cache_line_allocator, cache_line_allocator) noexcept { return true; }
    };

    // What every owner holds.
    template <class T>
    using aligned_vector = std::vector<T, cache_line_allocator<T>>;

    constexpr std::size_t ceil_div(std::size_t n, std::size_t step) noexcept { return n / step + (n % step != 0); }
    constexpr std::size_t round_up(std::size_t n, std::size_t step) noexcept { return ceil_div(n, step) * step; }
}
