// SPDX-License-Identifier: BSD-3-Clause
#include "allocation.hpp"
#include "../../describe/gguf/layout.hpp"
#include "../../measure/sensitivity.hpp"
#include "../../read/gguf/block_matrix.hpp"
#include "../budget.hpp"
#include "types.hpp"
#include <jackplane/allocate/allocate.hpp>
#include <jackplane/store/gguf/types.hpp>
#include <algorithm>
#include <map>
#include <string>

namespace engine
{
    std::vector<std::uint32_t> allocate_types(model const& dense, std::span<std::uint32_t const> types, double average,
                                              std::span<std::vector<float> const> importance,
                                              calibration_text const& text, jackplane::progress const& tell)
    {
        auto const layers = dense.table.of_layers();
        std::map<std::string, std::size_t> numbers; // of the tensors, by name
        std::vector<std::size_t> tensor_of;
        for (parameter const& p : layers)
            tensor_of.push_back(numbers.emplace(gguf_name_of(dense.sizes, p), numbers.size()).first->second);
        std::vector<std::vector<jackplane::allocation_choice>> table(
            numbers.size(), std::vector<jackplane::allocation_choice>(types.size(), {0, 0.0}));
        for (std::size_t i = 0; i < layers.size(); ++i)
            for (std::size_t t = 0; t < types.size(); ++t)
            {
                auto const type = jackplane::gguf::find_type(type_for(types[t], layers[i].cols));
                table[tensor_of[i]][t].size += 8 * layers[i].size() / type->values * type->bytes;
            }
        std::uint64_t const weights = size_of(layers), budget = budget_of(average, weights);
        std::uint64_t least = 0; // looked at before anything is measured
        for (auto const& of_tensor : table)
            least += std::min_element(of_tensor.begin(), of_tensor.end(),
                                      [](auto const& a, auto const& b) { return a.size < b.size; })
                         ->size;
        JACKPLANE_EXPECTS(least <= budget, jackplane::value_error, "at most ", average,
                          " bits a weight, but the smallest of the types need ",
                          static_cast<double>(least) / static_cast<double>(weights));
        sensitivity_settings const integral{.calibration = text, .parts_alone = false, .taylor = false};
        for (std::size_t t = 0; t < types.size(); ++t)
        {
            model quantized = dense;
            for (std::size_t i = 0; i < layers.size(); ++i)
            {
                parameter const& p = layers[i];
                auto const w = matrix_of(quantized.w.data() + p.offset, layers.subspan(i, 1), 0);
                auto const by = importance.empty() ? std::span<float const>() : std::span<float const>(importance[i]);
                to_blocks(w, type_for(types[t], p.cols), by, p.name).decode(w);
            }
            auto const found = measure_sensitivity(dense, quantized, integral, tell);
            for (std::size_t i = 0; i < layers.size(); ++i)
                table[tensor_of[i]][t].loss += found.matrices[i].pqi;
        }
        auto const best = jackplane::allocate(table, budget, "types under a size");
        std::vector<std::uint32_t> chosen;
        for (std::size_t i = 0; i < layers.size(); ++i)
            chosen.push_back(type_for(types[best.choices[tensor_of[i]]], layers[i].cols));
        return chosen;
    }
}
