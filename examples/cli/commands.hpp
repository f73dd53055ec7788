// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <CLI/CLI.hpp>

// Each adds its subcommand, which runs when the command line is parsed.
namespace cli
{
    void add_quantize(CLI::App& app);
    void add_inspect(CLI::App& app);
    void add_cut(CLI::App& app);
    void add_export(CLI::App& app);
    void add_eval(CLI::App& app);
    void add_generate(CLI::App& app);
    void add_allocate(CLI::App& app);
    void add_sensitivity(CLI::App& app);
    void add_bench_decode(CLI::App& app);
}
