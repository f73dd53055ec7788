// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <concepts>
#include <cstddef>
#include <limits>
#include <new>
#include <span>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>
#include "check.hpp"
#include "number.hpp"

namespace jackplane::inline v0 // shared by all units: core/target.hpp
{
    // An array that tells its shape, as those of xtensor do.
    template <class A>
    concept shaped = requires(A const& a) { a.shape()[0]; };

    namespace detail
    {
        template <class A>
        concept evaluated = requires(A& a) { *a.data(); };

        template <shaped A>
        consteval std::size_t dimensions_of() // 0: known at run time only
        {
            using shape = std::remove_cvref_t<decltype(std::declval<A const&>().shape())>;
            if constexpr (requires { std::tuple_size<shape>::value; })
                return std::tuple_size<shape>::value;
            else
                return 0;
        }

        template <shaped A>
        consteval bool column_major() // by its type
        {
            if constexpr (requires { A::static_layout == decltype(A::static_layout)::column_major; })
                return A::static_layout == decltype(A::static_layout)::column_major;
            else
                return false;
        }

        template <class A>
        struct element_type
        {
            using type = typename A::value_type const; // of an expression
        };
        template <evaluated A>
        struct element_type<A>
        {
            using type = std::remove_reference_t<decltype(*std::declval<A&>().data())>;
        };
    }

    // What every public function takes: a row-major matrix that someone else owns. A row-major array of two dimensions
    // becomes one by itself: an xt::xtensor<float, 2>, a view of some of its rows and columns. Where its type leaves
    // the number of dimensions open, as xt::xarray does, it becomes one by view_of.
    template <class T>
    struct matrix_view
    {
        T* data = nullptr;
        std::size_t rows = 0, cols = 0;
        std::size_t stride = 0; // elements from one row to the next, >= cols

        [[gnu::always_inline]] constexpr matrix_view() noexcept {}
        [[gnu::always_inline]] constexpr matrix_view(T* first, std::size_t height, std::size_t width) noexcept
            : matrix_view(first, height, width, width)
        {
        }
        [[gnu::always_inline]] constexpr matrix_view(T* first, std::size_t height, std::size_t width,
                                                     std::size_t apart) noexcept
            : data(first), rows(height), cols(width), stride(apart)
        {
        }

        // Throws shape_error when the array has another number of dimensions or its columns are not adjacent.
        template <shaped A>
            requires(std::convertible_to<typename detail::element_type<A>::type*, T*> &&
                     detail::dimensions_of<A>() != 1)
        [[gnu::always_inline]] constexpr explicit(detail::dimensions_of<A>() == 0) matrix_view(A& array)
        {
            constexpr std::size_t dimensions = detail::dimensions_of<A>();
            static_assert(detail::evaluated<A>, "an expression has no elements in memory yet: evaluate it first, "
                                                "xt::eval(a + b)");
            static_assert(!detail::column_major<A>(), "a matrix is row-major here, this array is column-major: copy it "
                                                      "into a row-major one first");
            static_assert(dimensions == 0 || dimensions == 2, "a matrix has 2 dimensions, this array has others");
            if constexpr (detail::evaluated<A> && !detail::column_major<A>())
            {
                auto const& shape = array.shape();
                JACKPLANE_EXPECTS(shape.size() == 2, shape_error, "a matrix has 2 dimensions, this array has ",
                                  shape.size());
                data = array.data();
                rows = static_cast<std::size_t>(shape[0]), cols = static_cast<std::size_t>(shape[1]), stride = cols;
                if constexpr (requires { array.strides()[0]; }) // xtensor's is 0 for a single row or column
                {
                    auto const along = array.strides()[1];
                    JACKPLANE_EXPECTS(cols <= 1 || along == 1, shape_error, "columns lie ", along,
                                      " elements apart; row-major wanted");
                    stride = rows > 1 ? static_cast<std::size_t>(array.strides()[0]) : cols;
                }
                if constexpr (requires { array.data_offset(); })
                    data += array.data_offset();
            }
        }
        template <shaped A>
        matrix_view(A const&&) = delete; // it would point into a temporary

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

    namespace detail
    {
        template <class T>
        struct element_type<matrix_view<T>>
        {
            using type = T;
        };
        template <class T>
        struct element_type<matrix_view<T> const> : element_type<matrix_view<T>>
        {
        };
        template <class M>
        inline constexpr bool is_view = false;
        template <class T>
        inline constexpr bool is_view<matrix_view<T>> = true;
    }

    // A matrix_view, or what view_of makes one from.
    template <class M>
    concept matrix_like = shaped<M> || detail::is_view<std::remove_const_t<M>>;
    template <matrix_like M>
    using element_of = typename detail::element_type<M>::type;

    // Its type says that it has two dimensions.
    template <class M>
    concept plain_matrix = matrix_like<M> && std::convertible_to<M&, matrix_view<element_of<M>>>;
}

namespace jackplane::inline v0::inline JACKPLANE_TARGET
{
    // The view of an array, or of a view itself. Throws shape_error as the constructor of matrix_view does.
    template <matrix_like M>
    [[gnu::always_inline]] constexpr matrix_view<element_of<M>> view_of(M& m)
    {
        return matrix_view<element_of<M>>(m);
    }
    template <shaped A>
    void view_of(A const&&) = delete; // it would point into a temporary

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

    // n / step, and n to a multiple of step, both rounded up.
    constexpr std::size_t ceil_div(std::size_t n, std::size_t step) noexcept { return n / step + (n % step != 0); }
    constexpr std::size_t round_up(std::size_t n, std::size_t step) noexcept { return ceil_div(n, step) * step; }
}
