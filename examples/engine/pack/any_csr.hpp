// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <jackplane/detach/detach.hpp>
#include "format/storage.hpp"
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace engine
{
    // The weights beside a matrix, in a format that is known at run time only. None: of no shape, whatever the matrix.
    class any_csr
    {
    public:
        using choice = std::variant<jackplane::csr<jackplane::half>, jackplane::csr<jackplane::half, std::uint32_t>,
                                    jackplane::csr<float>, jackplane::csr<float, std::uint32_t>>;

        any_csr() = default;
        template <jackplane::scale_number T, jackplane::column_number I>
        any_csr(jackplane::csr<T, I> of) : _chosen(std::move(of))
        {
        }

        // Values of 16 bits where half holds the matrix they are of (and them), indices of 16 where they reach.
        static any_csr of(jackplane::matrix_view<float const> matrix, std::vector<jackplane::triplet> weights,
                          std::string_view name)
        {
            if (weights.empty())
                return {};
            bool const narrow = half_holds(matrix) && jackplane::first_lost<jackplane::half>(weights) == nullptr;
            auto const make = [&]<class T>(T) -> any_csr
            {
                for (auto& w : weights)
                    w.value = jackplane::to_float(jackplane::from_float<T>(w.value));
                if (matrix.cols <= std::size_t{std::numeric_limits<std::uint16_t>::max()} + 1)
                    return jackplane::csr<T>(matrix.rows, matrix.cols, weights, name);
                return jackplane::csr<T, std::uint32_t>(matrix.rows, matrix.cols, weights, name);
            };
            return narrow ? make(jackplane::half{}) : make(float{});
        }

        // The weights at these places (row * cols + col, ascending) of a matrix, where they become 0.
        static any_csr detach(jackplane::matrix_view<float> w, std::span<std::size_t const> places,
                              std::string_view name)
        {
            std::vector<jackplane::triplet> out;
            for (std::size_t const place : places)
            {
                JACKPLANE_EXPECTS(place < w.rows * w.cols, jackplane::shape_error, name, ": place ", place,
                                  " is outside ", w.rows, " x ", w.cols);
                out.push_back({place / w.cols, place % w.cols, w.data[place]});
            }
            auto made = of(w, out, name);
            for (std::size_t const place : places)
                w.data[place] = 0;
            return made;
        }

        template <class Body>
        decltype(auto) visit(Body&& body) const
        {
            return std::visit(std::forward<Body>(body), _chosen);
        }
        std::size_t rows() const
        {
            return visit([](auto const& a) { return a.rows(); });
        }
        std::size_t cols() const
        {
            return visit([](auto const& a) { return a.cols(); });
        }
        std::size_t nonzeros() const
        {
            return visit([](auto const& a) { return a.nonzeros(); });
        }

    private:
        choice _chosen;
    };

    template <class Each>
    void for_each_weight(any_csr const& a, Each&& each)
    {
        a.visit([&](auto const& of) { for_each_weight(of, each); });
    }
    inline void put_back(any_csr const& a, jackplane::matrix_view<float> w, std::string_view name = "sparse weights")
    {
        a.visit([&](auto const& of) { put_back(of, w, name); });
    }
    inline void put_back_row(any_csr const& a, std::size_t row, std::span<float> w) // w: that row
    {
        a.visit(
            [&](auto const& of)
            {
                auto const& v = of.view();
                for (std::size_t k = v.row_pointers[row]; k < v.row_pointers[row + 1]; ++k)
                    w[v.columns[k]] = jackplane::to_float(v.values[k]);
            });
    }
    inline std::size_t bytes_read(any_csr const& a)
    {
        return a.visit([](auto const& of) { return of.nonzeros() == 0 ? 0 : bytes_read(of); });
    }

    // What they add to the planes of one width, for this engine's kernels.
    using any_residuals = std::variant<jackplane::csr<float>, jackplane::csr<float, std::uint32_t>>;
}
