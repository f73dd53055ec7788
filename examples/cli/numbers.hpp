// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <CLI/CLI.hpp>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <string>
#include <string_view>
#include <system_error>

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

    // 010 stands for 8 elsewhere: here for nothing.
    inline bool has_leading_zero(std::string_view digits)
    {
        return digits.size() > 1 && digits[0] == '0' && '0' <= digits[1] && digits[1] <= '9';
    }

    // Its ranges let NaN through, and it reads 0x10.
    inline CLI::Validator finite()
    {
        auto const wrong = [](std::string const& word)
        {
            double x = 0;
            bool const is_number = CLI::detail::lexical_cast(word, x);
            if (is_number && !std::isfinite(x))
                return word + " is no finite number";
            std::string_view const digits = std::string_view(word).substr(word.starts_with('-') ? 1 : 0);
            bool const decimal = word.find_first_not_of("0123456789.eE+-") == word.npos && !has_leading_zero(digits);
            return decimal ? std::string() : "'" + word + "' is no number in decimal";
        };
        return CLI::Validator(wrong, "");
    }

    // 010 is 8 to it, -1 the largest unsigned number, and so is what is larger.
    inline CLI::Validator whole(bool may_be_negative)
    {
        auto const wrong = [may_be_negative](std::string const& word)
        {
            std::string_view digits = word;
            bool const negative = digits.starts_with('-');
            digits.remove_prefix(negative ? 1 : 0);
            bool const decimal = !digits.empty() && digits.find_first_not_of("0123456789") == digits.npos &&
                                 !has_leading_zero(digits);
            if (!decimal)
                return "'" + word + "' is no whole number in decimal";
            if (negative && !may_be_negative)
                return word + " is negative";
            auto const fits = [&]<class T>(T number)
            { return std::from_chars(word.data(), word.data() + word.size(), number).ec == std::errc(); };
            bool const exists = may_be_negative ? fits(std::int64_t{}) : fits(std::uint64_t{});
            return exists ? std::string() : word + " is beyond 64 bits";
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
