// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <CLI/CLI.hpp>
#include <jackplane/core/progress.hpp>
#include <nlohmann/json.hpp>
#include <unistd.h>
#include <algorithm>
#include <cstdio>
#include <string>

namespace cli
{
    // Progress on stderr: a bar on a terminal, a line per step otherwise, nothing when quiet.
    inline jackplane::progress progress_on_stderr(bool quiet)
    {
        if (quiet)
            return {};
        bool const terminal = isatty(fileno(stderr)) == 1;
        return [terminal](std::string_view name, std::size_t done, std::size_t total)
        {
            constexpr std::size_t width = 30;
            std::size_t const filled = width * done / std::max<std::size_t>(total, 1);
            std::string const label(name);
            if (terminal)
                std::fprintf(stderr, "\r[%s%s] %zu/%zu %-50.50s%s", std::string(filled, '#').c_str(),
                             std::string(width - filled, '.').c_str(), done, total, label.c_str(),
                             done == total ? "\n" : "");
            else
                std::fprintf(stderr, "[%zu/%zu] %s\n", done, total, label.c_str());
        };
    }

    inline void add_quiet(CLI::App& command, bool& quiet)
    {
        command.add_flag("--quiet", quiet, "no progress on stderr; the report on stdout and warnings stay");
    }

    // Names of files are bytes, JSON is UTF-8: what is none becomes U+FFFD.
    inline void print_json(nlohmann::ordered_json const& report)
    {
        std::printf("%s\n", report.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace).c_str());
    }

    // 1234567 -> "1.23 MB"
    inline std::string megabytes(double bytes)
    {
        char out[32];
        std::snprintf(out, sizeof out, "%.2f MB", bytes / 1e6);
        return out;
    }
}
