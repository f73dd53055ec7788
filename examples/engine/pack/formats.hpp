// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <jackplane/core/team.hpp>
#include <jackplane/multiply/activation.hpp>
#include <jackplane/pack/any_packed.hpp>
#include <concepts>

namespace engine
{
    // What this engine's own files hold: its kernels are there for every activation and several machines
    // (engine_kernels in CMakeLists.txt).
    template <class M>
    concept common_format =
        std::same_as<M, jackplane::packed<jackplane::bit_planes, jackplane::uniform<8>, jackplane::half>> ||
        std::same_as<M, jackplane::packed<jackplane::bit_planes, jackplane::uniform<8>, jackplane::half,
                                          jackplane::integer_zero>> ||
        std::same_as<M, jackplane::packed<jackplane::bit_planes, jackplane::uniform<8>, jackplane::bfloat16,
                                          jackplane::integer_zero>>;

    // Y = A X for the other formats that a file may hold: fp32 x, the kernels of this build's own flags.
    void multiply_other(jackplane::any_packed const& a, unsigned bits, jackplane::exact_view const& x,
                        jackplane::matrix_view<float> y, jackplane::team const& team);
}
