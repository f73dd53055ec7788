// SPDX-License-Identifier: BSD-3-Clause
#include "given.hpp"
#include "../../describe/gguf/file_type.hpp"
#include "../../read/gguf/tensors.hpp"

namespace engine
{
    std::vector<block_matrix> take_blocks(std::filesystem::path const& path, config const& c, block_types& types)
    {
        jackplane::gguf::file const file = jackplane::gguf::open(path);
        config const there = read_config({file.name(), settings_of(file).config_json});
        std::string const other = difference(c, there);
        JACKPLANE_EXPECTS(other.empty(), jackplane::value_error, file.name(), ": another model (", other, ")");
        types.file_type = file.metadata().get_or<std::uint32_t>("general.file_type", guessed_file_type);
        auto const take = [&](char const* tensor, std::uint32_t& to)
        {
            if (auto const* const found = file.find(tensor); found != nullptr && found->type.is_decoded)
                to = found->type.id;
        };
        take("token_embd.weight", types.of_embedding);
        types.of_head = types.of_embedding; // where they are tied
        take("output.weight", types.of_head);
        gguf_tensors const tensors(file, there);
        parameter_table const table(c);
        std::vector<block_matrix> all;
        types.of_layers.clear();
        for (parameter const& p : table.of_layers())
        {
            std::vector<float> values(p.size());
            tensors.read(p, values); // all finite, or an error that names file, tensor and place
            all.push_back(tensors.blocks(p));
            types.of_layers.push_back(all.back().type);
        }
        return all;
    }
}
