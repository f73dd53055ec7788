// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <jackplane/core/team.hpp>
#include <jackplane/multiply/dispatch.hpp>
#include <jackplane/pack/any_packed.hpp>

namespace engine
{
    // What this engine's own files hold: its kernels are there for every activation and several machines
    // (engine_kernels in CMakeLists.txt, whose list this is).
    template <class M>
    concept common_format = jackplane::dispatch::is_built<typename M::view_type>;

    // Y = A X for the other formats that a file may hold: fp32 x, the kernels of this build's own flags. Throws
    // format_error in a build without them.
    void multiply_other(jackplane::any_packed const& a, unsigned bits, jackplane::exact_view const& x,
                        jackplane::matrix_view<float> y, jackplane::team const& team);
}
