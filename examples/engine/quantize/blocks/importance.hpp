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
    // The weights of the columns of a matrix, by which scales are searched; none where the importance matrix (file: its
    // name) has none of it. Throws shape_error where it has other columns or experts.
    inline std::vector<float> importance_of_matrix(jackplane::gguf::importance_matrix const& from, config const& c,
                                                   parameter const& p, std::string const& file)
    {
        std::string const name = gguf_name_of(c, p);
        auto const found = from.of.find(name);
        if (found == from.of.end())
            return {};
        jackplane::gguf::importance_sums const& sums = found->second;
        std::size_t const matrices = p.of_expert ? c.block.experts.count : 1,
                          first = p.of_expert ? expert_of(p.name) * p.cols : 0;
        bool const one_count = sums.counts.size() == 1; // of all experts, in files of the older form
        JACKPLANE_EXPECTS((one_count || sums.counts.size() == matrices) && sums.squares.size() == matrices * p.cols,
                          jackplane::shape_error, file, ": importance of '", name, "' is of ", sums.counts.size(),
                          " matrices with ", sums.columns(), " columns, the model has ", matrices, " with ", p.cols);
        auto const squares = std::span(sums.squares).subspan(first, p.cols);
        jackplane::gguf::importance_sums const one{{squares.begin(), squares.end()},
                                                   {sums.counts[one_count ? 0 : first / p.cols]}};
        return one.importance();
    }

    // Those of each matrix: of the layers, a head of its own, the embedding. Throws format_error, too, where one of the
    // layers has none; the others may have none.
    inline std::vector<std::vector<float>> importance_of_matrices(jackplane::gguf::importance_matrix const& from,
                                                                  config const& c, std::string const& file)
    {
        parameter_table const table(c);
        std::vector<std::vector<float>> all;
        for (std::size_t i = 0; i <= table.tuned_parameters(); ++i)
        {
            parameter const& p = table.parameters()[i];
            all.push_back(importance_of_matrix(from, c, p, file));
            JACKPLANE_EXPECTS(!all.back().empty() || i >= table.of_layers().size(), jackplane::format_error, file,
                              ": no importance of '", gguf_name_of(c, p), "'");
        }
        return all;
    }
}
