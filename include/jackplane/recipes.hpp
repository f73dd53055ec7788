// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "pack/config.hpp"

// Common formats by name: quantize<recipes::nested8<>>(w). G: columns that share a scale.
namespace jackplane::inline v0::inline JACKPLANE_TARGET::recipes
{
    // Every width from 8 to 1 in one matrix.
    template <std::size_t G = 64>
    using nested8 = config<uniform<8>, minmax<>, G, bit_planes>;

    // Symmetric integers; int8 with a scale a row is what most engines call W8.
    template <std::size_t G = group_of_row>
    using int8 = config<uniform<8>, absmax, G, planes<8>>;
    template <std::size_t G = 128>
    using int4 = config<uniform<4>, absmax, G, planes<4>>;

    // Integers with a zero point, as GPTQ and AWQ checkpoints have them.
    template <std::size_t G = 128>
    using uint4 = config<uniform<4>, minmax<>, G, planes<4>>;
    template <std::size_t G = 64>
    using uint2 = config<uniform<2>, minmax<>, G, planes<2>>;

    // Signed scales and all 16 codes: the arithmetic of GGUF's Q4_0.
    using q4_0 = config<uniform<4>, full_range, 32, planes<4>>;

    // Tables of 4 bits: quantiles of a normal distribution (QLoRA) and E2M1 floats.
    template <std::size_t G = 64>
    using nf4 = config<jackplane::nf4, absmax, G, planes<4>>;
    template <std::size_t G = 32>
    using fp4 = config<jackplane::fp4, absmax, G, planes<4>>;
}
