// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <CLI/CLI.hpp>
#include <cmath>
#include <string>
#include <string_view>

// What CLI11 lets through where an option is a number.
namespace cli
{
    // CLI11's own tells the range, with the 309 digits of the largest double.
    inline CLI::Validator positive()
    {
        auto const wrong = [](std::string const& word)
        {
            double x = 0;
            bool const is_number = CLI::detail::lexical_cast(word, x);
            auto const kept = static_cast<float>(x); // what is made of it, and 0 would stand for the default
            bool const is_positive = is_number && kept > 0 && std::isfinite(kept);
            return is_positive ? std::string() : word + " is no positive number";
        };
        return CLI::Validator(wrong, "POSITIVE");
    }

    // Its ranges let NaN through.
    inline CLI::Validator finite()
    {
        auto const wrong = [](std::string const& word)
        {
            double x = 0;
            bool const is_number = CLI::detail::lexical_cast(word, x);
            return is_number && !std::isfinite(x) ? word + " is no finite number" : std::string();
        };
        return CLI::Validator(wrong, "");
    }

    // 010 is 8 to it, and -1 the largest unsigned number.
    inline CLI::Validator whole(bool may_be_negative)
    {
        auto const wrong = [may_be_negative](std::string const& word)
        {
            std::string_view digits = word;
            bool const negative = digits.starts_with('-');
            digits.remove_prefix(negative ? 1 : 0);
            bool const decimal = !digits.empty() && digits.find_first_not_of("0123456789") == digits.npos &&
                                 (digits.size() == 1 || digits[0] != '0');
            return !decimal                       ? "'" + word + "' is no whole number in decimal"
                   : negative && !may_be_negative ? word + " is negative"
                                                  : std::string();
        };
        return CLI::Validator(wrong, "");
    }

    // For every option of every command.
    inline void check_numbers(CLI::App& app)
    {
        for (CLI::App* const command : app.get_subcommands({}))
            for (CLI::Option* const option : command->get_options())
                if (std::string const type = option->get_type_name(); type.find("FLOAT") != type.npos)
                    option->check(finite());
                else if (type.find("INT") != type.npos)
                    option->transform(whole(!type.starts_with("UINT"))); // before its other checks
    }
}
