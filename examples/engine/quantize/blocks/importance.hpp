// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <jackplane/store/gguf/imatrix.hpp>
#include "../../describe/gguf/layout.hpp"
#include "../../read/table.hpp"
#include <cstddef>
#include <span>
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
            jackplane::gguf::importance_sums const& sums = found->second;
            std::size_t const matrices = p.of_expert ? c.block.experts.count : 1,
                              first = p.of_expert ? expert_of(p.name) * p.cols : 0;
            bool const one_count = sums.counts.size() == 1; // of all experts, in files of the older form
            JACKPLANE_EXPECTS((one_count || sums.counts.size() == matrices) && sums.squares.size() == matrices * p.cols,
                              jackplane::shape_error, file, ": importance of '", name, "' is of ", sums.counts.size(),
                              " matrices with ", sums.columns(), " columns, the model has ", matrices, " with ",
                              p.cols);
            auto const squares = std::span(sums.squares).subspan(first, p.cols);
            jackplane::gguf::importance_sums const one{{squares.begin(), squares.end()},
                                                       {sums.counts[one_count ? 0 : first / p.cols]}};
            all.push_back(one.importance());
        }
        return all;
    }
}
