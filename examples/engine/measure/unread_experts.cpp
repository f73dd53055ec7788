// SPDX-License-Identifier: BSD-3-Clause
#include "unread_experts.hpp"

namespace engine
{
    std::vector<std::string> unread_experts(model_source const& source, calibration_text const& text,
                                            std::string_view becomes,
                                            jackplane::team const& workers)
    {
        config const& c = source.sizes();
        std::vector<std::string> told;
        if (c.block.experts.count == 0 || text.tokens.empty())
            return told;
        parameter_table const& table = source.table();
        std::vector<float> rest(table.size() - table.tuned_size()), w;
        source.read(std::span(table.parameters()).subspan(table.tuned_parameters()), rest.data());
        parameter_view<float const> const view(c, nullptr, rest.data());
        calibration_stream stream(c, view.ends().embedding, text);
        for (std::size_t i = 0; i < c.layers; ++i)
        {
            w.resize(size_of(table.of_layer(i)));
            source.read(table.of_layer(i), w.data());
            auto const layer = view.layer(i, w.data());
            auto const tokens = stream.tokens_of_experts(layer, workers);
            std::string unread;
            for (std::size_t e = 0; e < tokens.size(); ++e)
                if (tokens[e] == 0)
                    unread += engine::text(unread.empty() ? "" : ", ", e);
            if (!unread.empty())
                told.push_back(engine::text("model.layers.", i, ": no token of the calibration text goes to expert ",
                                            unread, "; ", becomes));
            stream.advance(layer, workers);
        }
        return told;
    }
}
