// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include "activation/activation.hpp"

// x and y as callers have them, each brought to one form at the door of a product.
namespace jackplane::inline v0::inline JACKPLANE_TARGET
{
    // Something that an activation has prepared.
    template <class X>
    concept prepared = requires(X const& x)
    {
        {
            x.floats()
            } -> std::same_as<exact_view>;
        {
            x.cols()
            } -> std::same_as<std::size_t>;
        {
            x.vectors()
            } -> std::same_as<std::size_t>;
        x.view();
    };

    // x that an activation may prepare: one vector as any contiguous range, or several as a matrix [vectors, cols].
    template <class X>
    concept vector_values = (plain_matrix<X> && element<std::remove_const_t<element_of<X const>>>) ||
                            std::convertible_to<X const&, std::span<float const>> || requires(X const& x)
    {
        requires element<typename decltype(std::span(x))::value_type>;
    };

    namespace detail
    {
        // What y may be, by its reference: a matrix [vectors, rows], or any contiguous range of one vector.
        template <class Y, class Plain = std::remove_reference_t<Y>>
        concept matrix_output = plain_matrix<Plain> &&
            (std::is_lvalue_reference_v<Y> || std::same_as<std::remove_const_t<Plain>, matrix_view<element_of<Plain>>>);
        template <class Y>
        concept range_output = requires(Y&& y)
        {
            std::span(std::forward<Y>(y));
        };

        template <class Y>
        consteval auto output_type_of()
        {
            if constexpr (matrix_output<Y>)
                return std::type_identity<element_of<std::remove_reference_t<Y>>>{};
            else if constexpr (std::convertible_to<Y, std::span<float>>)
                return std::type_identity<float>{};
            else if constexpr (range_output<Y>)
                return std::type_identity<typename decltype(std::span(std::declval<Y>()))::element_type>{};
            else
                return std::type_identity<void>{};
        }
        template <class Y>
        using output_number = typename decltype(output_type_of<Y>())::type;
    }

    // x of a product, and y: float, or, where it is overwritten, of 16 bits.
    template <class X>
    concept operand_x = prepared<X> || vector_values<X>;
    template <class Y>
    concept float_operand_y = std::same_as<detail::output_number<Y>, float>;
    template <class Y>
    concept operand_y = element<detail::output_number<Y>> && !std::same_as<detail::output_number<Y>, double>;

    namespace detail
    {
        template <class Y>
        constexpr auto outputs_of(Y&& y) // [vectors, rows]
        {
            using T = output_number<Y>;
            if constexpr (matrix_output<Y>)
                return matrix_view<T>(y);
            else
            {
                std::span<T> const all(std::forward<Y>(y));
                return matrix_view<T>{all.data(), 1, all.size()};
            }
        }

        // Where the sums of a product that overwrites y are added up from 0: in y, or, where that has 16 bits, beside
        // it until they are rounded, once.
        template <class U>
        matrix_view<float> zeros_for(matrix_view<U> y, [[maybe_unused]] aligned_vector<float>& beside)
        {
            if constexpr (std::same_as<U, float>)
            {
                for (std::size_t n = 0; n < y.rows; ++n)
                    for (float& v : y.row(n))
                        v = 0;
                return y;
            }
            else
            {
                beside.resize(y.rows * y.cols);
                return {beside.data(), y.rows, y.cols};
            }
        }
        template <class U>
        void put_rounded(matrix_view<float> sums, matrix_view<U> y)
        {
            if constexpr (!std::same_as<U, float>)
                for (std::size_t n = 0; n < y.rows; ++n)
                    std::transform(sums.row(n).begin(), sums.row(n).end(), y.row(n).begin(),
                                   [](float v) { return from_float<U>(v); });
        }

        // One vector that is read where it lies, without padding and sums: for maps that read nothing else.
        struct values_in_place
        {
            exact_view x;

            exact_view view() const noexcept { return x; }
            exact_view floats() const noexcept { return x; }
            std::size_t cols() const noexcept { return x.cols; }
            std::size_t vectors() const noexcept { return x.vectors; }
        };
        template <class M>
        inline constexpr bool reads_values = false;

        // By the library's own on the threads of the product, by somebody else's as they can.
        template <class Arch, activation How, class X, parallel_policy Parallel>
        void prepare_by(How const& how, X const& x, typename How::prepared& ready, Parallel const& parallel)
        {
            if constexpr (requires { how.template prepare<Arch>(x, ready, parallel); })
                how.template prepare<Arch>(x, ready, parallel);
            else if constexpr (requires { how.template prepare<Arch>(x, ready); })
                how.template prepare<Arch>(x, ready);
            else
                how.prepare(x, ready);
        }

        // x as the product with an M reads it: what is prepared stays where it is, values are prepared as fp32.
        template <class Arch, class M, class X, parallel_policy Parallel>
        decltype(auto) prepared_of(X const& x, [[maybe_unused]] Parallel const& parallel)
        {
            if constexpr (prepared<X>)
                return (x); // X const&
            else if constexpr (reads_values<M> && std::convertible_to<X const&, std::span<float const>> &&
                               !plain_matrix<X>)
            {
                auto const values = jackplane::vectors_of(x);
                expect_whole(values, "x");
                return values_in_place{{values.data, nullptr, 1, values.cols, ceil_div(values.cols, block::cols)}};
            }
            else
            {
                exact::prepared ready;
                exact::prepare<Arch>(x, ready, parallel);
                return ready;
            }
        }
    }
    static_assert(prepared<exact::prepared>);
}
