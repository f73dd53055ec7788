// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "../../engine/quantize/detach_model.hpp"
#include "calibration.hpp"
#include "integral.hpp"
#include "../warn.hpp"
#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

namespace cli
{
    // The sparse part: --outliers, --significant and how they are chosen.
    struct detach_choice
    {
        engine::detach_settings settings{};
        std::string score{}; // of significant weights; empty: what measures best
        calibration_choice validation{.samples = 32};
        std::size_t samples = 0; // windows that choose; 0: all of the quantizer's

        bool asked() const noexcept { return settings.outliers > 0 || settings.significant > 0; }

        void add_to(CLI::App& app)
        {
            auto const percent = CLI::Range(0.0, 100.0);
            app.add_option("--outliers", settings.outliers,
                           "percent of the weights, the largest, that leave for a sparse part of 16 bits before the "
                           "others are quantized")
                ->check(percent);
            app.add_option("--outlier-rule", settings.outlier_rule,
                           "adaptive: the largest of each matrix, shared out by its sensitivity (Fisher's, or the "
                           "integral's where that chooses significant weights); even: the same part of each; "
                           "interquartile: SqueezeLLM's; random")
                ->check(CLI::IsMember(engine::outlier_rule_names()))
                ->capture_default_str();
            CLI::Option* const significant =
                app.add_option(
                       "--significant", settings.significant,
                       "percent of the weights that cost the loss most, for a sparse part of 16 bits: restored after "
                       "the others are quantized, or taken out before (--before; without --significant-rule, where a "
                       "file is for all widths)")
                    ->check(percent);
            app.add_option(
                   "--significant-rule", score,
                   "pqi: the largest shares of the change of the loss; rise: of changes that raise it; fisher: of "
                   "SqueezeLLM's estimate of it; magnitude: the largest weights; random; pursuit: those that lower "
                   "the error of their matrix most, with fitted values; information: SqueezeLLM's own, taken out "
                   "before; default: pqi with an option of the integral; else pursuit with --validation and --bits "
                   "4, 3 or 2; else pqi where errors make up for each other (gptq, learned methods), else fisher; "
                   "in a file for all widths they are taken out before (--before; not with qat, --inside)")
                ->check(CLI::IsMember(engine::weight_score_names()))
                ->needs(significant);
            app.add_flag("--before", settings.before,
                         "significant weights are taken out before the others are quantized, chosen by their change "
                         "under rounding to nearest")
                ->needs(significant);
            app.add_flag(
                   "--fit", settings.fit,
                   "significant weights get values fitted to the errors of the others at --detach-bits, which makes "
                   "the wider widths of a file for all widths worse")
                ->needs(significant);
            app.add_option("--detach-steps", settings.steps, "steps in which significant weights are chosen")
                ->check(CLI::Range(1, 1000))
                ->capture_default_str();
            app.add_option("--detach-bits", settings.bits,
                           "the width whose errors count; default: the narrowest that is tuned, or --bits")
                ->check(CLI::Range(1, 8));
            app.add_option("--detach-nsamples", samples,
                           "windows of the calibration text to choose by; default: those of the method")
                ->check(CLI::Range(1, 1 << 20));
            add_integral(app, settings.integral);
            for (char const* const name : {"--detach-steps", "--rule", "--intervals", "--each-sample"})
                of_integral.push_back(app.get_option(name));
            validation.file_option =
                app.add_option(
                       "--validation", validation.file,
                       "a text file, or a .npy file of tokens: a layer's fitted weights (--fit, pursuit) stay only "
                       "if its loss falls")
                    ->check(CLI::ExistingFile);
        }

        // Settings without texts, for those of the quantizer. Throws ValidationError where options contradict.
        engine::detach_settings resolved(engine::any_method const& how, engine::quantize_settings const& s) const
        {
            engine::method_facts const of = engine::facts_of(how);
            engine::detach_settings out = settings;
            bool const one_width = s.bits < 8;
            out.score = !score.empty() ? score : best_score(of.compensates, one_width);
            if (score.empty() && !out.fit && !one_width && engine::may_leave(how))
                out.before = true; // which serves every width
            if (CLI::Option const* const asked = integral_asked(); asked && out.score != "pqi" && out.score != "rise")
                throw CLI::ValidationError(asked->get_name(),
                                           "is of the integral, which " + out.score + " weights are not chosen by");
            out.seed = s.scales.seed;
            if (s.bits < 8 && out.bits != 0 && out.bits != s.bits)
                throw CLI::ValidationError(
                    "--detach-bits", engine::text("is ", out.bits, ", the file can be read at ", s.bits, " alone"));
            if (out.bits == 0)
                out.bits = engine::narrowest(how, s);
            if (out.outliers > 0 && out.significant > 0 && out.outliers + out.significant >= 100)
                throw CLI::ValidationError("--significant", "and --outliers leave no weight to quantize");
            if (fits(out) && validation.file.empty())
                throw CLI::RequiredError("--validation for fitted weights (--fit, pursuit)");
            if (fits(out) && (out.before || out.score == "information"))
                throw CLI::ValidationError("--before",
                                           "weights that leave before the others (information, too) are not "
                                           "fitted (--fit; pursuit, the rule with --validation)");
            engine::expect_rule(out.integral);
            return out;
        }

        // Throws ValidationError for an option that nothing would read. s: resolved, where there is a sparse part.
        void expect_read(CLI::App const& command, engine::detach_settings const& s) const
        {
            auto const refuse = [&](bool read, char const* name, char const* by)
            {
                if (!read && command.count(name) > 0)
                    throw CLI::ValidationError(name, std::string("goes with ") + by);
            };
            bool const by_loss = s.significant > 0 && (s.score == "pqi" || s.score == "rise" || s.score == "fisher");
            bool const estimated = by_loss || (s.outliers > 0 && s.outlier_rule == "adaptive");
            refuse(s.outliers > 0, "--outlier-rule", "--outliers");
            constexpr char const* by = "--significant-rule pqi, rise or fisher, or with adaptive --outliers";
            for (char const* const name :
                 {"--detach-steps", "--detach-nsamples", "--rule", "--intervals", "--each-sample"})
                refuse(estimated, name, by);
            refuse(estimated || fits(s), "--detach-bits", by);
        }

        static bool fits(engine::detach_settings const& s)
        {
            return s.significant > 0 && (s.fit || s.score == "pursuit");
        }

        void warn_of_unused(engine::detach_settings const& s) const
        {
            if (!validation.file.empty() && !fits(s))
                warn("--validation " + validation.file +
                     " decides nothing here: no weights are fitted (--fit, "
                     "--significant-rule pursuit: for files of one width)");
        }

        // Reads the texts. calibration: of the quantizer.
        void read(std::filesystem::path const& folder, calibration_choice calibration, engine::detach_settings& out)
        {
            if (samples > 0)
            {
                calibration.samples = samples;
                out.integral.calibration = calibration.read(folder);
            }
            if (fits(out))
                out.validation = validation.read(folder);
        }

    private:
        std::vector<CLI::Option*> of_integral{};

        CLI::Option const* integral_asked() const
        {
            auto const found = std::find_if(of_integral.begin(), of_integral.end(), [](auto o) { return !o->empty(); });
            return found == of_integral.end() ? nullptr : *found;
        }

        // As measured: examples/results. Of outliers alone, Fisher's estimate shares them out. Fitted values serve one
        // width and spoil wider ones.
        std::string best_score(bool compensates, bool one_width) const
        {
            if (integral_asked())
                return "pqi";
            if (!validation.file.empty() && one_width)
                return "pursuit";
            return settings.significant > 0 && compensates ? "pqi" : "fisher";
        }
    };
}
