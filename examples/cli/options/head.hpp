// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "../../engine/pack/packed_model.hpp"
#include <CLI/CLI.hpp>
#include <string>

namespace cli
{
    inline constexpr char const* head_bits_help =
        "width of the output head, and of an embedding tied to it; default: the widest in the file";

    inline CLI::Option* add_head_bits(CLI::App& command, unsigned& bits, char const* help = head_bits_help)
    {
        return command.add_option("--head-bits", bits, help)->check(CLI::Range(1u, 8u));
    }

    // What --head-bits means for a file whose layers are read at `bits`; asked: 0 for none. 0 for a dense head, of
    // which no width may be asked.
    inline unsigned head_width(engine::packed_model const& m, unsigned bits, unsigned asked, std::string const& name)
    {
        if (asked != 0)
            m.expect_width_of_head(asked, name);
        return asked != 0 ? asked : m.head_beside(bits);
    }
}
