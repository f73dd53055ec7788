// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "../../tune/settings.hpp"
#include <cstddef>
#include <string>
#include <vector>

// How a method tells its settings to a command line. A method's `options(to)` calls to(option, field) for each that it
// reads; what one option means is said once, here.
namespace engine
{
    struct option
    {
        char const* name;
        char const* help;
        double least = 0, most = 0;     // of a number; both 0: any
        bool above_least = false;       // not least itself
        char const* needs = nullptr;    // another option
        char const* excludes = nullptr; // another option
    };

    namespace option_of
    {
        inline constexpr double most_steps = 1000000, any = 1e30;
        inline constexpr option widths{"--widths",
                                       "tuned one after the other, each behind the codes of the one before; default "
                                       "2,3,4,5,6,8",
                                       1, 8};
        inline constexpr option lambdas{"--lambda", "all widths at once, with these weights of their losses", 0, 1e6};
        inline constexpr option steps{"--iters", "steps of the first width, or of all at once", 0, most_steps};
        inline constexpr option finer_steps{"--finer-iters", "steps of each further width", 0, most_steps};
        inline constexpr option batch{"--batch", "windows a step", 1, 1 << 20};
        inline constexpr option rate{"--lr", "rate at first", 0, any, true};
        inline constexpr option suppress_outliers{"--suppress-outliers",
                                                  "the largest thousandth of the differences does not count"};
        inline constexpr option keep_best{"--keep-best", "what had the least loss of all windows, looked at every 20 "
                                                         "steps; not the last"};
        inline constexpr option dense_inputs{"--dense-inputs",
                                             "from what the dense layers before give, not the quantized ones"};
        inline constexpr option no_clipping{"!--no-clipping", "ranges stay"};
        inline constexpr option own_range{"--own-range", "the first width's own range, not that of 8 bits"};
        inline constexpr option no_overlap{"!--no-overlap", "codes of 3 bits and more divide the cells of 2 bits; else "
                                                            "they reach beyond them, nearer to the model"};
        inline constexpr option search_scale{"--mse", "search the scales of least squared error"};
        inline constexpr option by_activation{"--act-order", "columns of large inputs first"};
        inline constexpr option reach{"--reach",
                                      "--lambda: how far an offset may go, in steps of 8 bits; default: half a step of "
                                      "the narrowest width",
                                      0,
                                      any,
                                      true,
                                      "--lambda"};
        inline constexpr option joint_steps{"--joint-iters",
                                            "--lambda: so many steps of all widths at once, after each had its own",
                                            0,
                                            most_steps,
                                            false,
                                            "--lambda"};
        inline constexpr option teacher{"--teacher",
                                        "--lambda: the narrowest width learns from this one's output, too "
                                        "(co-distillation)",
                                        1,
                                        8,
                                        false,
                                        "--lambda"};
        inline constexpr option inside{"--inside",
                                       "a quantized file of the model; its codes at the first of --widths stay, the "
                                       "others are tuned inside their cells",
                                       0,
                                       0,
                                       false,
                                       nullptr,
                                       "--lambda"};
        inline constexpr option layer_wise{"--layer-wise", "matrix after matrix, from the Gram matrices of their "
                                                           "inputs; no backward pass"};
        inline constexpr option from_feedback{"--from-gptq", "layer-wise: from the codes of GPTQ on", 0, 0, false,
                                              "--layer-wise"};
    }

    // What several options of a learning method stand for, where none of their own is given.
    struct effort
    {
        char const* name;
        std::size_t steps, finer_steps, samples;
        float rate_to_3_bits, rate; // the former where the narrowest width has at most 3
    };

    // What several methods read alike.
    void width_options(auto&& to, tuning_settings& t)
    {
        to(option_of::widths, t.widths);
        to(option_of::lambdas, t.lambdas);
        to(option_of::teacher, t.teacher);
    }
    void training_options(auto&& to, tuning_settings& t)
    {
        to(option_of::steps, t.steps);
        to(option_of::rate, t.rate);
        to(option_of::batch, t.batch);
    }
    void block_options(auto&& to, tuning_settings& t)
    {
        to(option_of::suppress_outliers, t.suppress_outliers);
        to(option_of::keep_best, t.keep_best);
        to(option_of::dense_inputs, t.dense_inputs);
    }
    void layer_options(auto&& to, tuning_settings& t) // of several widths
    {
        width_options(to, t);
        training_options(to, t);
        to(option_of::finer_steps, t.finer_steps);
        to(option_of::joint_steps, t.joint_steps);
        block_options(to, t);
    }

    // Settings that contradict each other. given(name): whether that option stands there; refuse(name, why) throws.
    template <class Refuse>
    void check_lambdas(std::vector<unsigned> const& widths, std::vector<float> const& lambdas, unsigned teacher,
                       Refuse&& refuse)
    {
        bool counts = lambdas.empty(), taught = teacher == 0;
        for (float const lambda : lambdas)
            counts = counts || lambda != 0;
        for (std::size_t i = 1; i < widths.size(); ++i)
            taught = taught || widths[i] == teacher;
        if (!counts)
            refuse("--lambda", "no width counts");
        if (!taught)
            refuse("--teacher", "is " + std::to_string(teacher) + ", which is none of --widths beyond the narrowest");
    }
    template <class Given, class Refuse>
    void check_widths(tuning_settings const& t, Given&& given, Refuse&& refuse)
    {
        check_lambdas(t.widths, t.lambdas, t.teacher, refuse);
        if (given("--finer-iters") && given("--lambda") && t.joint_steps == 0)
            refuse("--finer-iters", "has no effect here: --lambda without --joint-iters tunes all widths at once");
    }
}
