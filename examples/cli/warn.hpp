// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "../engine/read/warnings.hpp"
#include <jackplane/store/reject.hpp>
#include <cstdio>
#include <string>

namespace cli
{
    // A line on stderr, with --quiet too: it is no progress.
    inline void warn(std::string const& line)
    {
        std::fprintf(stderr, "jackplane: warning: %s\n", jackplane::detail::one_line(line).c_str());
    }

    // What is strange about a model. What cannot be read is an error of whoever needs it.
    inline void warn_about(std::string const& model)
    {
        try
        {
            for (std::string const& line : engine::warnings_about(model))
                warn(line);
        }
        catch (jackplane::error const&)
        {
        }
    }
}
