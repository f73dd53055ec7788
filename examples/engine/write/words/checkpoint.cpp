// SPDX-License-Identifier: BSD-3-Clause
#include "checkpoint.hpp"
#include <jackplane/store/words/config.hpp>
#include "../../pack/format/storage.hpp"
#include "../../tokenize/tokenizer.hpp"
#include "../new_folder.hpp"
#include <memory>

namespace engine
{
    namespace words = jackplane::words;

    words_checkpoint::words_checkpoint(packed_model const& m, std::string const& name, std::string const& format,
                                       unsigned bits, unsigned head_bits)
        : _model(m), _layers(m, name, format, bits)
    {
        for (std::size_t i = 0; i < _layers.size(); ++i)
        {
            auto const made = _layers.tensors(i);
            _tensors.push_back(made.items());
            for (auto& each : _tensors.back())
                each.bytes = {};
        }
        if (!m.head_is_packed())
            return;
        parameter const& head = m.table.parameters()[m.head()];
        _head.resize(head.size());
        jackplane::matrix_view<float> const out{_head.data(), head.rows, head.cols};
        dequantize(m.matrices[m.head()].packed, m.slice, head_bits, out);
        put_back(m.matrices[m.head()].sparse, out, head.name);
    }

    jackplane::matrix_view<float const> words_checkpoint::values(std::size_t i) const
    {
        parameter const& p = _model.table.parameters()[i];
        return i == _model.head() && !_head.empty() ? jackplane::matrix_view<float const>{_head.data(), p.rows, p.cols}
                                                    : _model.dense_values(i);
    }

    std::vector<safetensors::item> words_checkpoint::items() const
    {
        struct last_made
        {
            std::size_t layer;
            words::tensors all;
        };
        auto const last = std::make_shared<last_made>(last_made{_layers.size(), {}});
        std::vector<safetensors::item> all;
        for (std::size_t i = 0; i < _tensors.size(); ++i)
            for (std::size_t n = 0; n < _tensors[i].size(); ++n)
            {
                all.push_back(_tensors[i][n]);
                all.back().fill = [this, last, i, n](safetensors::sink const& out)
                {
                    if (last->layer != i)
                        *last = {i, _layers.tensors(i)};
                    out(last->all.items()[n].bytes);
                };
            }
        for (std::size_t i = _model.table.of_layers().size(); i < _model.table.parameters().size(); ++i)
        {
            parameter const& p = _model.table.parameters()[i];
            auto const type = dense_type(values(i));
            all.push_back(
                {p.name, type, p.norm ? safetensors::extents{p.cols} : safetensors::extents{p.rows, p.cols}, {}, {}});
            all.back().fill = [this, i, type](safetensors::sink const& out)
            {
                auto const from = values(i);
                std::span const numbers(from.data, from.rows * from.cols);
                type == jackplane::dtype::F16    ? give_as<jackplane::half>(numbers, out)
                : type == jackplane::dtype::BF16 ? give_as<jackplane::bfloat16>(numbers, out)
                                                 : give_as<float>(numbers, out);
            };
        }
        return all;
    }

    // What is a linear layer to other engines and is stored as numbers: the output head, the routers of experts.
    std::string words_checkpoint::quantization() const
    {
        constexpr std::string_view end = ".weight";
        std::vector<std::string> left_out{"lm_head"};
        auto const& all = _model.table.parameters();
        for (std::size_t i = _model.table.tuned_parameters() + 1; i < all.size(); ++i) // behind the embedding
            if (!all[i].norm)
                left_out.push_back(all[i].name.substr(0, all[i].name.size() - end.size()));
        return words::write_config(settings(), left_out);
    }

    std::string words_checkpoint::config() const
    {
        auto tree = nlohmann::json::parse(write_config(_model.sizes, "float16"));
        tree["quantization_config"] = nlohmann::json::parse(quantization());
        return tree.dump(2) + "\n";
    }

    std::uint64_t words_checkpoint::save(std::filesystem::path const& path) const
    {
        new_folder folder(path);
        if (!_model.tokenizer.empty())
            folder.add(tokenizer::name_of(_model.tokenizer), _model.tokenizer);
        if (!_model.tokenizer_settings.empty())
            folder.add("tokenizer_config.json", _model.tokenizer_settings);
        folder.add("model.safetensors", items());
        if (settings().format.starts_with("gptq")) // where older readers look
            folder.add("quantize_config.json", quantization());
        folder.add("config.json", config());
        return folder.commit();
    }
}
