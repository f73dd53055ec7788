// SPDX-License-Identifier: BSD-3-Clause
#pragma once
// The tiny model in a folder, to be quantized by any method.
#include <engine/pack/nested_model.hpp>
#include <engine/quantize/quantize_model.hpp>
#include "tiny_text.hpp"
#include <filesystem>
#include <string>

namespace engine::tiny
{
    struct saved_model
    {
        model m = random_model(tiny_config(false));
        std::filesystem::path folder = "tuned_model";
        quantize_settings s{};
        tuning_settings tuning{}; // of methods that learn
        run_options run{};

        saved_model()
        {
            save_model<float>(m, folder, "float32");
            s.group = jackplane::group{32};
            s.calibration = text_of(24, m.sizes.vocabulary);
            tuning.steps = tuning.finer_steps = 30;
        }
        tuning_settings at_once() const // of methods without stages
        {
            tuning_settings t = tuning;
            t.finer_steps = tuning_settings{}.finer_steps;
            return t;
        }
        double off(packed_model const& q, unsigned bits) const { return difference(m, q.decode(bits), s.calibration); }
        packed_model made(any_method const& how, width_reports* told = nullptr) const
        {
            quantize_result q = quantize(model_source(folder), how, s, run);
            if (told)
                *told = std::move(q.losses);
            return std::move(q.packed);
        }
        packed_model learned(width_reports* told = nullptr) const { return made(signround{tuning}, told); }
        packed_model nearest() const
        {
            quantize_settings plain = s;
            plain.balance = false;
            return quantize(model_source(folder), rtn{}, plain).packed;
        }
    };
    inline std::string bytes_of(packed_model const& q, std::filesystem::path const& folder)
    {
        save_nested(q, folder, "tuned.jack");
        return settings_file::contents("tuned.jack");
    }
}
