// SPDX-License-Identifier: BSD-3-Clause
#include "formats.hpp"

namespace engine
{
    void multiply_other(jackplane::any_packed const&, unsigned, jackplane::exact_view const&,
                        jackplane::matrix_view<float>, jackplane::team const&)
    {
        jackplane::fail<jackplane::format_error>(
            "this build multiplies what the demo packs and nothing else (ENGINE_QUICK_BUILD); "
            "`cmake --workflow --preset tool` builds the tool for every format");
    }
}
