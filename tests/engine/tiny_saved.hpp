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

        saved_model()
        {
            save_model<float>(m, folder, "float32");
            s.how = method::signround;
            s.group = jackplane::group{32};
            s.calibration = text_of(24, m.sizes.vocabulary);
            s.tuning.steps = s.tuning.finer_steps = 30;
        }
        double off(packed_model const& q, unsigned bits) const { return difference(m, q.decode(bits), s.calibration); }
        packed_model nearest() const
        {
            quantize_settings plain = s;
            plain.how = method::rtn;
            plain.balance = false;
            return quantize_model(folder, plain);
        }
    };
    inline std::string bytes_of(packed_model const& q, std::filesystem::path const& folder)
    {
        save_nested(q, folder, "tuned.jack");
        return settings_file::contents("tuned.jack");
    }
}
