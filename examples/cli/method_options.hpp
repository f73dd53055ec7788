// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "../engine/quantize/quantize_model.hpp"
#include "numbers.hpp"
#include <CLI/CLI.hpp>
#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace cli
{
    template <class T>
    using named = std::vector<std::pair<std::string, T>>;

    inline named<engine::method> const& method_names()
    {
        using enum engine::method;
        static named<engine::method> const all{{"rtn", rtn},
                                              {"mse", mse},
                                              {"awq", awq},
                                              {"gptq", gptq},
                                              {"matgptq", matgptq},
                                              {"nested-gptq", nested_gptq},
                                              {"signround", signround},
                                              {"omniquant", omniquant},
                                              {"efficientqat", efficientqat},
                                              {"qat", qat},
                                              {"squeezellm", squeezellm}};
        return all;
    }

    // A name to what CLI11 reads as the enumerator: its number. (CheckedTransformer takes numbers, too.)
    template <class T>
    CLI::Validator one_of(named<T> const& all)
    {
        std::string list;
        for (auto const& [name, value] : all)
            list += (list.empty() ? "" : ", ") + name;
        auto const number_of = [all, list](std::string& given)
        {
            for (auto const& [name, value] : all)
                if (given == name)
                {
                    given = std::to_string(static_cast<int>(value));
                    return std::string{};
                }
            return "'" + given + "' is none of " + list;
        };
        return CLI::Validator(number_of, "{" + list + "}");
    }

    // Any other method would read past the option. Throws ValidationError.
    inline void expect_read_by_method(CLI::App const& command, engine::quantize_settings const& s)
    {
        using enum engine::method;
        using methods = std::vector<engine::method>;
        methods const blocks{signround, omniquant, efficientqat}, trained{signround, omniquant, efficientqat, qat};
        methods const several{signround, omniquant, efficientqat, qat, nested_gptq, matgptq};
        struct option
        {
            char const* name;
            methods read_by;
            bool of_scales = false; // --scale-iters reads it, too
        };
        option const all[]{{"--widths", several, true},
                           {"--lambda", {signround, omniquant, qat, matgptq}},
                           {"--preset", {signround}},
                           {"--iters", trained},
                           {"--finer-iters", {signround, omniquant}},
                           {"--lr", trained},
                           {"--batch", trained, true},
                           {"--suppress-outliers", blocks},
                           {"--keep-best", blocks},
                           {"--dense-inputs", blocks},
                           {"--no-clipping", {signround}},
                           {"--own-range", {signround, nested_gptq}},
                           {"--inside", {signround}},
                           {"--layer-wise", {signround}},
                           {"--reach", {signround}},
                           {"--joint-iters", {signround, omniquant}},
                           {"--teacher", {signround, omniquant, qat}},
                           {"--act-order", {gptq}},
                           {"--mse", {gptq, matgptq, nested_gptq, signround}},
                           {"--scale-lr", {efficientqat}, true}};
        for (option const& o : all)
        {
            bool const read = std::find(o.read_by.begin(), o.read_by.end(), s.how) != o.read_by.end() ||
                              (o.of_scales && s.tuning.scale_steps > 0);
            if (read || command.count(o.name) == 0)
                continue;
            std::string who;
            for (auto const& [name, method] : method_names())
                if (std::find(o.read_by.begin(), o.read_by.end(), method) != o.read_by.end())
                    who += (who.empty() ? "" : ", ") + name;
            throw CLI::ValidationError(o.name, "goes with " + who + (o.of_scales ? ", --scale-iters" : ""));
        }
        if (command.count("--scale-lr") > 0 && s.tuning.scale_steps == 0 && command.count("--scale-iters") > 0)
            throw CLI::ValidationError("--scale-lr", "goes with --scale-iters, which is 0");
        struct pair
        {
            char const *name, *beside, *why; // unread beside the other
        };
        constexpr pair pairs[]{{"--batch", "--layer-wise", "takes all windows at once"},
                               {"--own-range", "--lambda", "gives all widths the range of 8 bits"},
                               {"--group-size", "--inside", "keeps the groups of that file"},
                               {"--own-range", "--inside", "keeps the ranges of that file"},
                               {"--no-clipping", "--inside", "keeps the ranges of that file"},
                               {"--mse", "--inside", "keeps the ranges of that file"},
                               {"--iters", "--inside", "keeps the first width; --finer-iters are of the others"}};
        for (auto const& [name, beside, why] : pairs)
            if (command.count(name) > 0 && command.count(beside) > 0 &&
                !(name == std::string_view("--batch") && s.tuning.scale_steps > 0)) // which reads it, too
                throw CLI::ValidationError(name, engine::text("says nothing here: ", beside, " ", why));
        if (command.count("--finer-iters") > 0 && command.count("--lambda") > 0 && s.tuning.joint_steps == 0)
            throw CLI::ValidationError("--finer-iters", "says nothing here: --lambda without --joint-iters tunes all "
                                                        "widths at once");
        for (char const* const name : {"--group-size", "--scheme"})
            if (s.how == squeezellm && command.count(name) > 0)
                throw CLI::ValidationError(name, "is of scales; squeezellm has values of each row's own");
    }
}
