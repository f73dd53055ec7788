// SPDX-License-Identifier: BSD-3-Clause
#include "unread_experts.hpp"
#include "dense_walk.hpp"

namespace engine
{
    std::vector<std::string> unread_experts(model_source const& source, calibration_text const& text,
                                            std::string_view becomes, jackplane::team const& workers)
    {
        config const& c = source.sizes();
        std::vector<std::string> told;
        if (c.block.experts.count == 0 || text.tokens.empty())
            return told;
        walk(source, text, workers,
             [&](std::size_t i, layer_view<float const> const& layer, calibration_stream const& stream)
             {
                 auto const tokens = stream.tokens_of_experts(layer, workers);
                 std::string unread;
                 for (std::size_t e = 0; e < tokens.size(); ++e)
                     if (tokens[e] == 0)
                         unread += engine::text(unread.empty() ? "" : ", ", e);
                 if (!unread.empty())
                     told.push_back(engine::text("model.layers.", i,
                                                 ": no token of the calibration text goes to expert ", unread, "; ",
                                                 becomes));
             });
        return told;
    }
}
