// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <nlohmann/json.hpp>
#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <span>
#include <string>

namespace cli
{
    // A column of a table: what the rows of a JSON report have under a key.
    struct column
    {
        char const *title, *key;
        int digits = 0; // behind the point
        double factor = 1;
    };

    // The columns that the rows have; the titles are as wide as the numbers.
    inline void print_table(nlohmann::ordered_json const& rows, std::span<column const> columns)
    {
        auto const print = [&](auto const& cell, char const* between)
        {
            std::string line;
            for (column const& each : columns)
                if (!rows.empty() && rows[0].contains(each.key))
                    line += (line.empty() ? "" : between) + cell(each);
            std::printf("%s\n", line.c_str());
        };
        auto const wide = [](column const& each, std::string const& what)
        {
            std::size_t const width = std::string(each.title).size();
            return std::string(width - std::min(width, what.size()), ' ') + what;
        };
        print([](column const& each) { return std::string(each.title); }, " | ");
        print([](column const& each) { return std::string(std::string(each.title).size(), '-'); }, "-|-");
        for (auto const& row : rows)
            print(
                [&](column const& each)
                {
                    auto const& value = row[each.key];
                    if (value.is_string())
                        return wide(each, value.template get<std::string>());
                    char number[32];
                    std::snprintf(number, sizeof number, "%.*f", each.digits,
                                  each.factor * value.template get<double>());
                    return wide(each, number);
                },
                " | ");
    }
}
