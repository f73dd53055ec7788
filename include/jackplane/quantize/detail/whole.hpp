// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cstring>
#include <span>
#include <string_view>
#include "../../core/concepts.hpp"
#include "../group.hpp"

// What is checked of codes, scales and zeros that anybody may have filled in, before they are read.
namespace jackplane::inline v0::inline JACKPLANE_TARGET::detail
{
    struct code_sizes // what there is
    {
        std::size_t codes, scales, zeros;
    };

    // n == a * b, also where the product does not fit
    constexpr bool is_product(std::size_t n, std::size_t a, std::size_t b) noexcept
    {
        return a == 0 || b == 0 ? n == 0 : n % a == 0 && n / a == b;
    }

    inline void expect_sizes(std::size_t rows, std::size_t cols, group_grid const& grid, code_sizes are, bool has_zeros,
                             bool grid_fits, std::string_view name)
    {
        bool const scales_fit = grid.whole_tensor ? are.scales == grid.scales(rows)
                                                  : is_product(are.scales, rows, grid.per_row);
        JACKPLANE_EXPECTS(grid_fits && is_product(are.codes, rows, cols) && scales_fit &&
                              are.zeros == (has_zeros ? are.scales : 0),
                          shape_error, name, ": ", rows, " x ", cols, " in ", grid.per_row, " groups of ", grid.columns,
                          grid.whole_tensor ? " with one scale" : "", ", but ", are.codes, " codes, ", are.scales,
                          " scales and ", are.zeros, " zeros");
    }

    // Eight codes at a time: a fraction of what reading them costs anyway.
    inline bool codes_below(std::span<code const> codes, unsigned bits) noexcept
    {
        if (bits >= 8)
            return true;
        std::uint64_t seen = 0, eight = 0;
        std::size_t i = 0;
        for (; i + sizeof eight <= codes.size(); i += sizeof eight)
        {
            std::memcpy(&eight, codes.data() + i, sizeof eight);
            seen |= eight;
        }
        for (; i < codes.size(); ++i)
            seen |= codes[i];
        return (seen & 0x0101010101010101u * (0xffu >> bits << bits)) == 0;
    }

    inline void expect_codes(std::span<code const> codes, std::size_t cols, unsigned bits, std::string_view name)
    {
        if (codes_below(codes, bits)) [[likely]]
            return;
        for (std::size_t i = 0; i < codes.size(); ++i)
            JACKPLANE_EXPECTS(codes[i] >> bits == 0, value_error, name, ": the code at row ", i / cols, ", column ",
                              i % cols, " is ", codes[i], ", the largest of ", bits, " bits is ", (1u << bits) - 1);
    }

    // Scales or zeros; `what` of the two.
    template <class T>
    void expect_finite(std::span<T const> numbers, group_grid const& grid, char const* what, std::string_view name)
    {
        if constexpr (requires(T x) { is_finite(x); })
            for (std::size_t i = 0; i < numbers.size(); ++i)
                JACKPLANE_EXPECTS(is_finite(numbers[i]), value_error, name, ": the ", what, " of group ",
                                  i % grid.per_row, " in row ", i / grid.per_row, " is ", to_float(numbers[i]));
    }
}
