// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <jackplane/store/gguf/imatrix.hpp>
#include "../../describe/gguf/layout.hpp"
#include "../../read/table.hpp"
#include <cstddef>
#include <string>
#include <vector>

namespace engine
{
    // The weights of the columns of each matrix of the layers, by which scales are searched. Throws format_error where
    // the importance matrix (file: its name) lacks one, shape_error where one has other columns or experts.
    inline std::vector<std::vector<float>> importance_of_layers(jackplane::gguf::importance_matrix const& from,
                                                                config const& c, std::string const& file)
    {
        parameter_table const table(c);
        std::vector<std::vector<float>> all;
        for (parameter const& p : table.of_layers())
        {
            std::string const name = gguf_name_of(c, p);
            auto const found = from.of.find(name);
            JACKPLANE_EXPECTS(found != from.of.end(), jackplane::format_error, file, ": no importance of '", name, "'");
            std::size_t const matrices = p.of_expert ? c.block.experts.count : 1;
            JACKPLANE_EXPECTS(found->second.counts.size() == matrices && found->second.columns() == p.cols,
                              jackplane::shape_error, file, ": importance of '", name, "' is of ",
                              found->second.counts.size(), " matrices with ", found->second.columns(),
                              " columns, the model has ", matrices, " with ", p.cols);
            all.push_back(found->second.importance(p.of_expert ? expert_of(p.name) : 0));
        }
        return all;
    }
}
