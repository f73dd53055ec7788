// SPDX-License-Identifier: BSD-3-Clause
#include "gguf_tensors.hpp"
#include <algorithm>
#include <iterator>
#include <set>
#include <string_view>

namespace engine
{
    namespace
    {
        struct two_names
        {
            std::string_view ours, theirs;
        };
        constexpr two_names whole_names[] = {
            {"model.embed_tokens", "token_embd"}, {"model.norm", "output_norm"}, {"lm_head", "output"}};
        constexpr two_names layer_names[] = {
            {"input_layernorm", "attn_norm"},
            {"self_attn.q_proj", "attn_q"},
            {"self_attn.k_proj", "attn_k"},
            {"self_attn.v_proj", "attn_v"},
            {"self_attn.qkv_proj", "attn_qkv"},
            {"self_attn.o_proj", "attn_output"},
            {"self_attn.q_norm", "attn_q_norm"},
            {"self_attn.k_norm", "attn_k_norm"},
            {"pre_feedforward_layernorm", "ffn_norm"},
            {"post_feedforward_layernorm", "post_ffw_norm"},
            {"mlp.gate_proj", "ffn_gate"},
            {"mlp.up_proj", "ffn_up"},
            {"mlp.gate_up_proj", "ffn_up"},
            {"mlp.down_proj", "ffn_down"},
        };

        // "model.layers.0.mlp.experts.3.up_proj.weight": 3.
        std::size_t expert_of(std::string const& tensor)
        {
            constexpr std::string_view before = ".experts.";
            return std::stoul(tensor.substr(tensor.find(before) + before.size()));
        }

        // "blk.0.ffn_up_exps.weight": "blk.0.ffn_up.3.weight".
        std::string one_expert(std::string const& stacked, std::size_t expert)
        {
            constexpr std::string_view end = "_exps.weight";
            return text(stacked.substr(0, stacked.size() - end.size()), ".", expert, ".weight");
        }

        template <std::size_t N>
        std::string_view other_name(two_names const (&all)[N], std::string_view ours)
        {
            for (two_names const& each : all)
                if (each.ours == ours)
                    return each.theirs;
            return {};
        }
    }

    gguf_tensors::gguf_tensors(jackplane::gguf::file const& file, config c)
        : _file(file), _config(std::move(c)), _side_by_side(family_of(file).gguf.pairs_side_by_side)
    {
    }

    // Empty: it has none.
    std::string gguf_tensors::name_of(std::string const& tensor) const
    {
        auto const dot = tensor.rfind('.');
        std::string_view const stem = std::string_view(tensor).substr(0, dot);
        constexpr std::string_view layers = "model.layers.";
        if (!stem.starts_with(layers))
        {
            auto const found = other_name(whole_names, stem);
            return found.empty() ? std::string() : text(found, tensor.substr(dot));
        }
        auto const number_end = stem.find('.', layers.size());
        std::string_view const number = stem.substr(layers.size(), number_end - layers.size()),
                               inside = stem.substr(number_end + 1);
        expert_description const& e = _config.block.experts;
        std::string_view found = other_name(layer_names, inside);
        if (inside == "post_attention_layernorm")
            found = _config.block.post_norms ? "post_attention_norm" : "ffn_norm";
        else if (inside == text(e.place, "gate"))
            found = "ffn_gate_inp";
        else if (inside.starts_with(text(e.place, "experts.")))
            for (two_names const& each :
                 {two_names{e.gate, "ffn_gate_exps"}, {e.up, "ffn_up_exps"}, {e.down, "ffn_down_exps"}})
                if (inside.substr(inside.rfind('.') + 1) == each.ours)
                    found = each.theirs;
        return found.empty() ? std::string() : text("blk.", number, ".", found, tensor.substr(dot));
    }

    void gguf_tensors::expect_shape(jackplane::gguf::tensor const& t, safetensors::extents const& shape) const
    {
        JACKPLANE_EXPECTS(t.shape == shape, jackplane::shape_error, _file.name(), ": tensor '", t.name, "' has shape ",
                          safetensors::shape_text(t.shape), ", the metadata makes it ", safetensors::shape_text(shape));
        JACKPLANE_EXPECTS(t.type.is_decoded, jackplane::format_error, _file.name(), ": tensor '", t.name, "' is ",
                          t.type.name, ", a type that is not read here");
    }

    gguf_tensors::place gguf_tensors::find(parameter const& p) const
    {
        std::string expected;
        for (tensor_part const& part : p.places)
        {
            std::string const name = name_of(part.tensor);
            if (name.empty())
                continue;
            expected += text(expected.empty() ? "'" : " nor '", name, "'");
            jackplane::gguf::tensor const* const found = _file.find(name);
            if (found == nullptr)
            {
                // older files: each expert in a tensor of its own
                std::string const alone = p.of_expert ? one_expert(name, expert_of(part.tensor)) : std::string();
                jackplane::gguf::tensor const* const one = p.of_expert ? _file.find(alone) : nullptr;
                if (one == nullptr)
                    continue;
                expect_shape(*one, {p.rows, p.cols});
                return {one, 0};
            }
            safetensors::extents shape(part.shape.begin(), part.shape.end());
            std::size_t first = part.first;
            if (p.of_expert) // all of a layer in one tensor
            {
                first = expert_of(part.tensor) * p.size();
                shape = {_config.block.experts.count, p.rows, p.cols};
            }
            expect_shape(*found, shape);
            return {found, first};
        }
        jackplane::fail<jackplane::format_error>(text(_file.name(), ": no tensor ", expected));
    }

    std::size_t gguf_tensors::heads_of(parameter const& p) const
    {
        auto const is = [&](std::string_view which) { return p.name.find(which) != std::string::npos; };
        return !_side_by_side ? 0 : is(".q_proj.") ? _config.heads : is(".k_proj.") ? _config.kv_heads : 0;
    }

    void gguf_tensors::check(parameter_table const& table) const
    {
        std::set<std::string> read{"rope_freqs.weight", "rope_factors_long.weight", "rope_factors_short.weight"};
        for (parameter const& p : table.parameters())
            read.insert(find(p).tensor->name);
        for (auto const* const tensor : _file.order())
            JACKPLANE_EXPECTS(read.contains(tensor->name), jackplane::format_error, _file.name(), ": tensor '",
                              jackplane::detail::printable(tensor->name),
                              "' has no place in a model of this file's metadata");
    }

    void gguf_tensors::read(parameter const& p, std::span<float> w) const
    {
        place const at = find(p);
        jackplane::gguf::read_rows(*at.tensor, at.first / p.cols, {w.data(), p.rows, p.cols});
        for (std::size_t i = 0; i < p.size(); ++i)
            JACKPLANE_EXPECTS(jackplane::is_finite(w[i]), jackplane::value_error, _file.name(), ": tensor '",
                              at.tensor->name, "', row ", (at.first + i) / p.cols, ", column ", i % p.cols,
                              ": no finite number in fp32");
        if (p.norm && _config.block.shifted_norms && p.name.ends_with("norm.weight"))
            for (float& each : w)
                each -= 1;
        part_pairs(p, w, p.norm ? 1 : p.cols); // a bias is a column
    }

    template <class T>
    void gguf_tensors::part_pairs(parameter const& p, std::span<T> w, std::size_t width) const
    {
        std::size_t const heads = heads_of(p);
        if (heads == 0)
            return;
        std::size_t const turned = w.size() / width / heads;
        std::vector<T> head(turned * width);
        for (std::size_t h = 0; h < heads; ++h)
        {
            auto const rows = w.subspan(h * head.size(), head.size());
            std::copy(rows.begin(), rows.end(), head.begin());
            for (std::size_t row = 0; row < turned; ++row) // pair i: rows 2 i and 2 i + 1 there, i and i + half here
            {
                std::size_t const half = turned / 2, from = 2 * (row % half) + row / half;
                std::copy_n(head.begin() + static_cast<std::ptrdiff_t>(from * width), width,
                            rows.begin() + static_cast<std::ptrdiff_t>(row * width));
            }
        }
    }

    block_matrix gguf_tensors::blocks(parameter const& p) const
    {
        place const at = find(p);
        jackplane::gguf::type_facts const& type = at.tensor->type;
        std::size_t const row = p.cols / type.values * type.bytes;
        auto const bytes = at.tensor->bytes.subspan(at.first / p.cols * row, p.rows * row);
        block_matrix m{type.id, p.rows, p.cols, {bytes.begin(), bytes.end()}};
        part_pairs(p, std::span(m.bytes), row);
        return m;
    }

    std::vector<block_matrix> read_blocks(std::filesystem::path const& path, parameter_table const& table)
    {
        jackplane::gguf::file const file = jackplane::gguf::open(path);
        gguf_tensors const tensors(file, read_config({file.name(), settings_of(file).config_json}));
        std::vector<block_matrix> all;
        for (parameter const& p : table.of_layers())
            all.push_back(tensors.blocks(p));
        return all;
    }
}
