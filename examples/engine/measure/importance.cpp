// SPDX-License-Identifier: BSD-3-Clause
#include "importance.hpp"
#include "../describe/gguf/layout.hpp"
#include "dense_walk.hpp"
#include <algorithm>
#include <iterator>
#include <span>
#include <string>
#include <vector>

namespace engine
{
    namespace
    {
        using jackplane::gguf::importance_matrix;

        // One matrix more of a tensor; the parts of a fused one read the same.
        void add(importance_matrix& to, std::string const& name, input_squares const& of, bool is_expert)
        {
            auto& all = to.of[name];
            if (!all.counts.empty() && !is_expert)
                return;
            std::transform(of.sums.begin(), of.sums.end(), std::back_inserter(all.squares),
                           [](double x) { return static_cast<float>(x); });
            all.counts.push_back(static_cast<float>(of.tokens));
        }

        // Of what makes logits: the normed stream [tokens, hidden].
        input_squares squares_of_head(config const& c, std::span<float const> stream, float const* weights)
        {
            input_squares all{std::vector<double>(c.hidden), stream.size() / c.hidden};
            std::vector<float> x(c.hidden);
            float inverse = 0;
            for (std::size_t t = 0; t < all.tokens; ++t)
            {
                norm(c, stream.data() + t * c.hidden, weights, x.data(), &inverse, 1);
                for (std::size_t i = 0; i < x.size(); ++i)
                    all.sums[i] += static_cast<double>(x[i]) * static_cast<double>(x[i]);
            }
            return all;
        }
    }

    importance_matrix importance_of(model_source const& source, calibration_text const& text,
                                    jackplane::progress const& progress, jackplane::team const& workers)
    {
        JACKPLANE_EXPECTS(!text.tokens.empty(), jackplane::value_error,
                          "an importance matrix needs a calibration text");
        config const& c = source.sizes();
        importance_matrix out;
        out.chunk_size = static_cast<std::uint32_t>(text.length);
        out.chunk_count = static_cast<std::uint32_t>(text.tokens.size() / text.length);
        auto const behind =
            walk(source, text, workers,
                 [&](std::size_t i, layer_view<float const> const& layer, calibration_stream const& stream)
                 {
                     auto const parts = source.table().of_layer(i);
                     auto const squares = stream.squares(layer, workers);
                     auto const stages = stages_of(c, layer.kind);
                     for (std::size_t s = 0; s < stages.size(); ++s)
                         for (std::size_t m = stages[s].first; m < stages[s].last; ++m)
                             add(out, gguf_name_of(c, parts[m]), squares[s], parts[m].of_expert);
                     if (progress)
                         progress(engine::text("model.layers.", i), i + 1, c.layers);
                 });
        parameter const& norm_of_head = source.table().parameters()[source.table().tuned_parameters() + 1];
        std::vector<float> weights(norm_of_head.size());
        source.read(norm_of_head, weights.data());
        char const* const head = c.tied ? "model.embed_tokens.weight" : "lm_head.weight";
        add(out, gguf_name(c, head), squares_of_head(c, behind.input(), weights.data()), false);
        return out;
    }
}
