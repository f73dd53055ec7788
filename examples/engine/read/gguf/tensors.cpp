// SPDX-License-Identifier: BSD-3-Clause
#include "tensors.hpp"
#include "../../describe/gguf/layout.hpp"
#include <algorithm>
#include <set>
#include <string_view>

namespace engine
{
    namespace
    {
        // "blk.0.ffn_up_exps.weight": "blk.0.ffn_up.3.weight".
        std::string one_expert(std::string const& stacked, std::size_t expert)
        {
            constexpr std::string_view end = "_exps.weight";
            return text(stacked.substr(0, stacked.size() - end.size()), ".", expert, ".weight");
        }
    }

    gguf_tensors::gguf_tensors(jackplane::gguf::file const& file, config c)
        : _file(file), _config(std::move(c)), _side_by_side(family_of(file).gguf.pairs_side_by_side)
    {
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
            std::string const name = gguf_name(_config, part.tensor);
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
        if (float const shift = norm_shift_there(_config, p.name); shift != 0)
            for (float& each : w)
                each -= shift;
        part_pairs(p, w, p.norm ? 1 : p.cols); // a bias is a column
    }

    template <class T>
    void gguf_tensors::part_pairs(parameter const& p, std::span<T> w, std::size_t width) const
    {
        std::size_t const heads = _side_by_side ? rotary_heads(_config, p.name) : 0;
        if (heads == 0)
            return;
        std::size_t const turned = w.size() / width / heads;
        std::vector<T> head(turned * width);
        for (std::size_t h = 0; h < heads; ++h)
        {
            auto const rows = w.subspan(h * head.size(), head.size());
            std::copy(rows.begin(), rows.end(), head.begin());
            for (std::size_t row = 0; row < turned; ++row)
                std::copy_n(head.begin() + static_cast<std::ptrdiff_t>(row_side_by_side(row, turned) * width), width,
                            rows.begin() + static_cast<std::ptrdiff_t>(row * width));
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

    stored_codes gguf_tensors::codes(parameter const& p) const
    {
        jackplane::gguf::tensor const& tensor = *find(p).tensor;
        std::string const name = text(_file.name(), ": tensor '", tensor.name, "'");
        auto found = blocks(p).with_zeros(name);
        JACKPLANE_EXPECTS(found, jackplane::format_error, name, " is ", tensor.type.name,
                          "; types whose codes have one scale and a whole zero, and could stay: ", types_with_zeros());
        return *std::move(found);
    }
}
