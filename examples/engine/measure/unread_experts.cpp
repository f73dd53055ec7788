// SPDX-License-Identifier: BSD-3-Clause
#include "unread_experts.hpp"
#include "../read/model.hpp"

namespace engine
{
    std::vector<std::string> unread_experts(std::filesystem::path const& folder, calibration_text const& text,
                                            jackplane::team const& workers)
    {
        config const c = read_config(folder / "config.json");
        std::vector<std::string> told;
        if (c.block.experts.count == 0)
            return told;
        checkpoint_files const files(folder);
        check_tensors(files, c);
        parameter_table const table(c);
        auto const read = [&](std::span<parameter const> parts, std::vector<float>& w)
        {
            w.resize(size_of(parts));
            for (parameter p : parts)
            {
                p.offset -= parts[0].offset;
                read_parameter(files, p, w);
            }
        };
        std::vector<float> rest, w;
        read(std::span(table.parameters()).subspan(table.tuned_parameters()), rest);
        parameter_view<float const> const view(c, nullptr, rest.data());
        calibration_stream stream(c, view.ends().embedding, text);
        for (std::size_t i = 0; i < c.layers; ++i)
        {
            read(table.of_layer(i), w);
            auto const layer = view.layer(i, w.data());
            auto const tokens = stream.tokens_of_experts(layer, workers);
            std::string unread;
            for (std::size_t e = 0; e < tokens.size(); ++e)
                if (tokens[e] == 0)
                    unread += engine::text(unread.empty() ? "" : ", ", e);
            if (!unread.empty())
                told.push_back(engine::text("model.layers.", i, ": no token of the calibration text goes to expert ",
                                            unread,
                                            "; what the method learns from tokens stays out of it, and its "
                                            "weights are rounded to nearest"));
            stream.advance(layer, workers);
        }
        return told;
    }
}
