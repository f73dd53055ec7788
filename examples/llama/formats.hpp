// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <jackplane/core/team.hpp>
#include <jackplane/multiply/activation.hpp>
#include <jackplane/pack/any_packed.hpp>
#include <concepts>
#include <span>

namespace llama
{
    // What this engine's own files hold: its kernels are there for every activation and several machines (llama_kernels
    // in CMakeLists.txt).
    template <class M>
    concept common_format =
        std::same_as<typename M::layout_type, jackplane::bit_planes> && !std::same_as<typename M::scale_type, float> &&
        !std::same_as<typename M::zero_type, jackplane::real_zero>;

    // y = A x for the other formats that a file may hold: fp32 x, the kernels of this build's own flags.
    void multiply_other(jackplane::any_packed const& a, unsigned bits, jackplane::exact_view const& x,
                        std::span<float> y, jackplane::team const& team);
}
