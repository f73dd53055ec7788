// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <jackplane/core/check.hpp>
#include "../engine/describe/config.hpp"
#include <charconv>
#include <cmath>
#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace engine
{
    // The command line: jackplane_train [DATA_DIR OUT_DIR] [--OPTION NUMBER ...]. The model of the repository was
    // trained with these defaults.
    class settings
    {
    public:
        std::filesystem::path data = "build/train/data", out = "build/train/run";

        settings(int argc, char const* const* argv)
        {
            std::vector<std::filesystem::path> folders;
            for (int i = 1; i < argc; ++i)
            {
                std::string_view const word = argv[i];
                if (!word.starts_with("--"))
                    folders.emplace_back(word);
                else
                    set(word.substr(2), i + 1 < argc ? argv[++i] : "");
            }
            JACKPLANE_EXPECTS(folders.empty() || folders.size() == 2, jackplane::value_error,
                              "expected two folders, found ", folders.size(), "; --help lists everything");
            if (!folders.empty())
                data = folders[0], out = folders[1];
        }

        double operator[](std::string_view name) const { return find(name)->value; }
        std::size_t count(std::string_view name) const { return static_cast<std::size_t>(find(name)->value); }

        static std::string help()
        {
            std::string lines = "jackplane_train [DATA_DIR OUT_DIR] [--OPTION NUMBER ...]\n"
                                "Trains, or goes on where OUT_DIR/checkpoint ends; then writes OUT_DIR/model.\n";
            for (option const& o : settings().options)
                lines += text("  --", o.name, std::string(14 - o.name.size(), ' '), o.meaning, " (", o.value, ")\n");
            return lines;
        }

    private:
        struct option
        {
            std::string_view name;
            double value;
            bool whole; // 1, 2, 3, ...
            std::string_view meaning;
        };

        settings() = default;

        option const* find(std::string_view name) const
        {
            for (option const& o : options)
                if (o.name == name)
                    return &o;
            return nullptr;
        }

        void set(std::string_view name, std::string_view number)
        {
            auto* const o = const_cast<option*>(find(name));
            JACKPLANE_EXPECTS(o, jackplane::value_error, "unknown option --", name, "; --help lists them");
            auto const read = std::from_chars(number.data(), number.data() + number.size(), o->value);
            bool const fits = read.ec == std::errc() && read.ptr == number.data() + number.size() && o->value >= 0.0 &&
                              o->value <= 1e9 && (!o->whole || (o->value >= 1.0 && o->value == std::floor(o->value)));
            JACKPLANE_EXPECTS(fits, jackplane::value_error, "--", name, " is '", number, "', expected a ",
                              o->whole ? "whole number from 1" : "number from 0", " to 1e9");
        }

        std::vector<option> options = {
            {"steps", 6000, true, "optimizer steps of the whole schedule"},
            {"minutes", 100, false, "the schedule is shortened to end by then"},
            {"seed", 1, true, "of the weights, the order of the windows and dropout"},
            {"rate", 3e-3, false, "peak of the learning rate"},
            {"warm-up", 0.02, false, "share of the schedule before the peak"},
            {"dropout", 0.15, false, "rate on the embedding and on both branches of a layer"},
            {"bible", 0.7, false, "share of the windows taken from the Bible"},
            {"windows", 8, true, "windows a step, an even number"},
            {"at-once", 2, true, "windows a worker holds in memory"},
            {"validate", 100, true, "steps between validations and checkpoints"},
            {"context", 512, true, "tokens a window"},
            {"hidden", 256, true, "width of the residual stream"},
            {"intermediate", 704, true, "width of the MLP"},
            {"layers", 6, true, "layers"},
            {"heads", 8, true, "query heads"},
            {"kv-heads", 4, true, "key and value heads"},
            {"head-dim", 32, true, "width of a head, even"}};
    };
}
