// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "../source.hpp"
#include <algorithm>
#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace engine
{
    // What a model takes in its GGUF file, where engines leave it in blocks.
    struct gguf_size
    {
        std::string type;            // of most weights of the linear layers and the output head: "Q4_K"
        double bits_per_weight;      // of those
        std::size_t bytes_per_token; // that a token reads
    };
    // Nothing where the model comes from no GGUF file.
    inline std::optional<gguf_size> gguf_size_of(model_source const& source)
    {
        config const& c = source.sizes();
        parameter_table const& table = source.table();
        std::map<std::string_view, std::size_t> weights_of; // by type
        std::size_t weights = 0, bytes = 0, of_all = 0, of_experts = 0; // the latter: read by tokens
        for (std::size_t i = 0; i < table.parameters().size(); ++i)
        {
            parameter const& p = table.parameters()[i];
            auto const* const type = source.gguf_type(p);
            if (type == nullptr)
                return {};
            std::size_t const here = p.size() / type->values * type->bytes;
            bool const is_embedding = i == table.tuned_parameters();
            if (i < table.tuned_parameters() || (is_embedding && c.tied))
                weights_of[type->name] += p.size(), weights += p.size(), bytes += here;
            (p.of_expert ? of_experts : of_all) += is_embedding && !c.tied ? here / c.vocabulary : here;
        }
        if (expert_description const& e = c.block.experts; e.count != 0)
            of_all += of_experts * e.used / e.count;
        auto const most = std::max_element(weights_of.begin(), weights_of.end(),
                                           [](auto const& a, auto const& b) { return a.second < b.second; });
        return gguf_size{std::string(most->first), 8 * static_cast<double>(bytes) / static_cast<double>(weights),
                         of_all};
    }
}
