// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <jackplane/store/gguf/types.hpp>
#include <cstdint>

namespace engine
{
    // llama.cpp's mark of a `general.file_type` that says nothing.
    inline constexpr std::uint32_t guessed_file_type = 1024;

    // What `general.file_type` says of a GGUF file whose matrices are all of that type. (Mixtures have numbers of their
    // own: quantize/blocks/types.hpp.)
    constexpr std::uint32_t file_type_of(std::uint32_t type)
    {
        namespace gguf = jackplane::gguf;
        struct entry
        {
            std::uint32_t type, number;
        };
        constexpr entry all[] = {
            {gguf::f32::id, 0},     {gguf::f16::id, 1},     {gguf::q4_0::id, 2},  {gguf::q4_1::id, 3},
            {gguf::q8_0::id, 7},    {gguf::q5_0::id, 8},    {gguf::q5_1::id, 9},  {gguf::q2_k::id, 10},
            {gguf::q3_k::id, 11},   {gguf::q4_k::id, 14},   {gguf::q5_k::id, 16}, {gguf::q6_k::id, 18},
            {gguf::iq4_nl::id, 25}, {gguf::iq4_xs::id, 30}, {gguf::bf16::id, 32}, {gguf::tq1_0::id, 36},
            {gguf::tq2_0::id, 37},  {gguf::mxfp4::id, 38},
        };
        for (entry const& each : all)
            if (each.type == type)
                return each.number;
        return guessed_file_type;
    }
}
