// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <jackplane/core/progress.hpp>
#include "../measure/calibration.hpp"
#include "../pack/packed_model.hpp"
#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

namespace engine
{
    enum class method
    {
        rtn,       // scales from the range of the group, weights to the nearest code
        mse,       // scales by a search for the least squared error
        gptq,      // scales as rtn; each weight makes up for the errors before it, as the calibration text weighs them
        signround, // learned rounding and clipping: each layer shall give what it gives in the dense model
        omniquant, // learned clipping alone
        qat,       // the weights themselves learn, all at once, from the cross-entropy of the calibration text
        nested_gptq,  // gptq coarse to fine: the bits that come below make up for errors, too
        awq,          // as rtn, after columns and what makes their inputs were balanced and weights clipped
        matgptq,      // gptq with codes of 8 bits chosen for what they mean at several widths
        efficientqat, // the weights and scales of a layer learn, as signround; then all scales, as qat
        squeezellm    // values of each row's own, the best as the squared slopes of the calibration text weigh weights
    };
    // They make parents of 8 bits whose leading bits are tuned, too.
    constexpr bool learns(method how) noexcept
    {
        return how == method::signround || how == method::omniquant || how == method::nested_gptq ||
               how == method::qat || how == method::efficientqat;
    }
    constexpr bool needs_parents(method how) noexcept { return learns(how) || how == method::matgptq; }
    constexpr bool calibrates(method how) noexcept
    {
        return needs_parents(how) || how == method::gptq || how == method::awq || how == method::squeezellm;
    }
    // Errors of single weights make up for each other.
    constexpr bool compensates(method how) noexcept
    {
        return calibrates(how) && how != method::awq && how != method::squeezellm;
    }
    enum class scheme
    {
        symmetric,     // absmax
        asymmetric,    // minmax with an integer zero
        full_range,    // signed scales
        gptq_symmetric // the range of absmax over all steps of the codes
    };

    // Of methods that learn.
    struct tuning_settings
    {
        // Narrowest first. Tuned one after the other, each inside the cells of the one before; bits below the last lie
        // as near to the weight as they can. With lambdas: all at once, so weighted (the joint Matryoshka objective).
        std::vector<unsigned> widths{2, 3, 4, 6, 8};
        std::vector<float> lambdas{};
        std::size_t steps = 200, finer_steps = 60; // of the first width, or of all at once; of each further one
        std::size_t batch = 8;                     // windows a step
        // At first; 0: that of the method. signround: 1 / steps, in steps of the codes; omniquant: 0.01, in logits;
        // qat: 3e-4, efficientqat: 1e-3, in units of the weights (and scales ten times that, in parts of themselves).
        float rate = 0;
        float rate_or(float usual) const noexcept { return rate > 0 ? rate : usual; }
        std::size_t scale_steps = 0;    // of the scales, end to end, after everything else; see train_scales
        float scale_rate = 1e-3f;       // of those at first, in parts of what the scales are
        std::uint64_t seed = 0;         // of the batches
        bool suppress_outliers = false; // see layer_loss
        bool learn_clipping = true;     // of signround
        bool keep_best = false;         // by all windows, every 20 steps; else what the last step left
        // signround, nested-gptq: the first width starts from a range of its own, its outermost values at the ends; not
        // from that of 8 bits, whose cells cover the range at every width (parent_scale).
        bool own_range = false;
        bool dense_inputs = false; // layers learn from what the dense layers before them give
        // With lambdas: how far an offset may go, in steps of the parent (0: half a step of the narrowest width); so
        // many steps of all widths at once after the stages, instead of all steps (0: no stages); and the width whose
        // output the narrowest one learns as much as the dense layer's (0: none; co-distillation).
        float reach = 0;
        std::size_t joint_steps = 0;
        unsigned teacher = 0;
        // signround, without lambdas: a file of the same model whose codes, cut to the first width, stay, with their
        // scales and groups; the other widths are tuned inside their cells.
        std::filesystem::path inside{};
        // signround: not from the outputs of whole layers but, matrix after matrix, from the Gram matrices of what each
        // reads; and then, if asked, from the codes of GPTQ on, with its scales.
        bool layer_wise = false, from_gptq = false;
    };

    struct quantize_settings
    {
        method how = method::rtn;
        scheme range = scheme::asymmetric;
        jackplane::group group{64};
        slice_rule slice{};
        unsigned bits = 8;              // of the parent; 8 in eight planes, 4 or 2 in one, 3 in two; squeezellm: not 8
        calibration_text calibration{}; // for methods that look at activations
        bool by_activation = false;     // gptq: columns of large inputs first
        bool search_scale = false;      // gptq, matgptq, signround: scales as mse
        bool balance = false;           // any method but qat and squeezellm: see layer_balancer; awq always does
        tuning_settings tuning{};       // of methods that learn
        // Of every matrix of the layers: places (row * cols + column, ascending) of weights that stand beside the
        // planes, where these hold 0. Empty: none. Any method but qat.
        std::vector<std::vector<std::size_t>> beside{};
        std::vector<float> information{}; // squeezellm: see information_of; empty: of its calibration text
        // Folder that keeps every layer that is done, and where the training of a whole model stands; a run with the
        // same settings goes on behind them. Empty: nothing is kept.
        std::filesystem::path resume{};
    };

    struct width_report // of a layer: its loss with weights to the nearest code, and tuned
    {
        unsigned bits;
        double before, after;
        std::vector<double> steps{}; // of each step's batch, before the step
        double moved = 0;            // part of the codes, at the narrowest width, that are not the nearest ones

        bool operator==(width_report const&) const = default;
    };

    inline bool balances(quantize_settings const& s) noexcept { return s.balance || s.how == method::awq; }
    inline bool needs_calibration(quantize_settings const& s) noexcept
    {
        return calibrates(s.how) || s.balance || s.tuning.scale_steps > 0;
    }

    // Throws where the settings, known without a look at any weight, ask for what cannot be done.
    void expect_possible(quantize_settings const& s);

    // Fisher information of every tuned weight, as SqueezeLLM takes it: the mean over the windows of a text of the
    // squared slope of each window's loss.
    std::vector<float> information_of(model const& dense, calibration_text const& text,
                                      jackplane::progress const& tell = {});

    // Quantizes the linear layers of a Hugging Face folder, one layer in memory at a time (qat, squeezellm: all); its
    // head stays dense (quantize_head). gptq
    // looks at what the part of the model before a matrix, quantized already, makes of the calibration text; methods
    // that learn (8 bits, all widths) work layer by layer and report each width of each layer. dense becomes the model
    // whose weights were quantized: that of the folder, or balanced. Throws value_error that names tensor, row, column.
    packed_model quantize_model(std::filesystem::path const& folder, quantize_settings const& s,
                                jackplane::progress const& tell = {}, std::vector<width_report>* widths = nullptr,
                                model* dense = nullptr);
}
