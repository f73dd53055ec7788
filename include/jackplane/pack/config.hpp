// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <string>
#include "../quantize/quantize.hpp"
#include "pack.hpp"

namespace jackplane::inline v0::inline JACKPLANE_TARGET
{
    // A whole configuration as one type: what the codes mean, how a group of `Columns` finds its scale, how they lie in
    // memory, what scales are stored as. Names that people know stand in recipes.hpp.
    //     auto a = quantize<config<uniform<4>, absmax, 32, planes<4>>>(w);
    template <codebook C, class P, std::size_t Columns, code_layout L, scale_number S = half>
    struct config
    {
        static_assert(L::bits == C::bits, "the planes of the layout must add up to the bits of the codebook");
        static_assert(scale<P, C>, "this scale policy does not work with this codebook");
        static_assert(Columns > 0, "a group needs a column; for one scale a row use group_of_row");
        using codebook_type = C;
        using scale_policy = P;
        using layout_type = L;
        using packed_type = packed<L, C, S, typename P::zero_type>;
        static constexpr group columns{Columns};

        // planes, scale and zero, without the padding of ragged shapes
        static constexpr double bits_per_weight() noexcept
        {
            std::size_t const stored =
                sizeof(S) + (std::same_as<typename P::zero_type, no_zero> ? 0 : sizeof(typename P::zero_type));
            return C::bits + 8.0 * static_cast<double>(stored) / static_cast<double>(Columns);
        }
    };
    inline constexpr std::size_t group_of_row = group::per_row().columns; // one scale a row

    // Weights to planes in one step. Throws as quantize and pack do.
    template <class Config, matrix_like M, rounding R = nearest, sweep W = independent,
              parallel_policy Parallel = serial>
        requires element<std::remove_const_t<element_of<M>>>
    typename Config::packed_type quantize(M const& w, R rounded = {}, W const& order = {},
                                          quantize_options options = {}, Parallel parallel = {})
    {
        using packed_type = typename Config::packed_type;
        return pack<typename Config::layout_type>(quantize<typename packed_type::scale_type>(
            w, typename Config::codebook_type{}, typename Config::scale_policy{}, Config::columns, rounded, order,
            options, parallel));
    }

    // "uniform, 8 bits in planes of 1 1 1 1 1 1 1 1, 8.375 bits per weight, readable at 1, 2, 3, 4, 5, 6, 7, 8"
    template <class Config>
    std::string describe()
    {
        using L = typename Config::layout_type;
        using C = typename Config::codebook_type;
        std::string planes, widths;
        for (unsigned const width : L::widths)
            planes += text(" ", width);
        for (unsigned bits = 1; bits <= C::bits; ++bits)
            if (bits == C::bits || (nested_codebook<C> && L::planes_of(bits) != 0))
                widths += text(widths.empty() ? "" : ", ", bits);
        return text(C::name(), ", ", C::bits, " bits in planes of", planes, ", ", Config::bits_per_weight(),
                    " bits per weight, readable at ", widths);
    }
}
