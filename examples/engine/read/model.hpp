// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <jackplane/core/check.hpp>
#include <jackplane/core/number.hpp>
#include <jackplane/core/view.hpp>
#include <jackplane/store/safetensors.hpp>
#include <jackplane/store/safetensors_write.hpp>
#include "checkpoint_files.hpp"
#include "../describe/config.hpp"
#include "table.hpp"
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <filesystem>
#include <functional>
#include <numeric>
#include <span>
#include <string>
#include <vector>

namespace engine
{
    // A dense model in memory.
    struct model
    {
        config sizes;
        parameter_table table;
        jackplane::aligned_vector<float> w; // all parameters, as the table says

        explicit model(config const& c) : sizes(c), table(c), w(table.size()) {}

        std::span<float> tuned() noexcept { return std::span(w).first(table.tuned_size()); }
        std::span<float const> tuned() const noexcept { return std::span(w).first(table.tuned_size()); }
        parameter_view<float const> view() const noexcept { return view(tuned()); }

        // The same model with other tuned weights.
        parameter_view<float const> view(std::span<float const> others) const noexcept
        {
            return {sizes, others.data(), w.data() + table.tuned_size()};
        }
    };

    // Whether y is what a nested file, which holds dense tensors in fp16, makes of x; or x itself.
    inline bool same_but_for_half(float x, float y) noexcept
    {
        return x == y || to_float(jackplane::from_float<jackplane::half>(x)) == y;
    }

    inline void expect_floats(std::string const& file, safetensors::tensor const& t)
    {
        using jackplane::dtype;
        bool const floats =
            t.type == dtype::F32 || t.type == dtype::F16 || t.type == dtype::BF16 || t.type == dtype::F64;
        JACKPLANE_EXPECTS(floats, jackplane::format_error, file, ": tensor '", jackplane::detail::printable(t.name),
                          "' is ", jackplane::dtype_name(t.type), ", expected F32, F16, BF16 or F64");
    }

    inline void check_shape(std::string const& file, safetensors::tensor const& t, parameter const& p)
    {
        safetensors::extents const expected = p.part_of(t.name).shape;
        JACKPLANE_EXPECTS(t.shape == expected, jackplane::shape_error, file, ": tensor '", t.name, "' has shape ",
                          safetensors::shape_text(t.shape), ", config.json makes it ",
                          safetensors::shape_text(expected));
        expect_floats(file, t);
    }

    // Copies one parameter to w; F32, F16, BF16 or F64 (rounded), all finite.
    inline void read_tensor(std::string const& file, safetensors::tensor const& t, parameter const& p,
                            std::span<float> w)
    {
        check_shape(file, t, p);
        std::size_t const first = p.part_of(t.name).first, bytes = jackplane::dtype_bits(t.type) / 8;
        safetensors::tensor part = t;
        part.shape = {p.rows, p.cols};
        part.bytes = t.bytes.subspan(first * bytes, p.size() * bytes);
        auto const values = safetensors::read<float>(part);
        for (std::size_t i = 0; i < p.size(); ++i)
            JACKPLANE_EXPECTS(jackplane::is_finite(values[i]), jackplane::value_error, file, ": tensor '", t.name,
                              "', row ", (first + i) / p.cols, ", column ", i % p.cols, ": no finite number in fp32");
        std::copy(values.begin(), values.end(), w.begin());
    }

    // An lm_head beside an embedding that config.json says is tied to it: a copy is fine, another one is a model that
    // config.json does not describe.
    inline void check_copy(std::string const& file, safetensors::tensor const& head,
                           safetensors::tensor const& embedding)
    {
        constexpr char const* way =
            "; config.json ties it to model.embed_tokens.weight. Set tie_word_embeddings to false "
            "there if the model uses it, or drop the tensor";
        JACKPLANE_EXPECTS(head.shape == embedding.shape, jackplane::shape_error, file, ": tensor '", head.name,
                          "' has shape ", safetensors::shape_text(head.shape), ", the embedding ",
                          safetensors::shape_text(embedding.shape), way);
        if (head.type == embedding.type && std::equal(head.bytes.begin(), head.bytes.end(), embedding.bytes.begin()))
            return;
        expect_floats(file, head);
        auto const a = safetensors::read<float>(head), b = safetensors::read<float>(embedding);
        auto const i = static_cast<std::size_t>(std::mismatch(a.begin(), a.end(), b.begin()).first - a.begin());
        JACKPLANE_EXPECTS(i == a.size(), jackplane::format_error, file, ": tensor '", head.name, "', row ",
                          i / head.shape[1], ", column ", i % head.shape[1], " is ", a[i], ", the embedding has ", b[i],
                          way);
    }

    // Frequencies that old checkpoints store are recomputed: they must be what config.json says.
    inline void check_frequencies(std::string const& file, safetensors::tensor const& t, config const& c)
    {
        expect_floats(file, t);
        auto const frequencies = c.rotations()[0].frequencies;
        bool right = t.shape == safetensors::extents{frequencies.size()};
        auto const found = right ? safetensors::read<float>(t) : jackplane::aligned_vector<float>{};
        for (std::size_t i = 0; i < found.size(); ++i)
        {
            double const off = std::abs(static_cast<double>(found[i]) - frequencies[i]);
            right = right && off <= frequencies[i] / 256 + 0x1p-24; // rounded to bfloat16, or to half's subnormals
        }
        JACKPLANE_EXPECTS(right, jackplane::format_error, file, ": tensor '", t.name,
                          "' holds another rotation than config.json's of base ", c.rope_theta);
    }

    // The tensor that holds a parameter. Throws format_error where none does.
    inline std::string const& tensor_of(checkpoint_files const& files, parameter const& p)
    {
        std::string expected;
        for (tensor_part const& part : p.places)
        {
            if (files.find(part.tensor))
                return part.tensor;
            expected += text(expected.empty() ? "'" : " nor '", part.tensor, "'");
        }
        jackplane::fail<jackplane::format_error>(
            text(files.first_file(), ": no tensor ", expected,
                 p.name == "lm_head.weight" ? " (config.json does not set tie_word_embeddings)" : ""));
    }

    // Every tensor of the table is there, in the shape that config.json makes it, and no other that matters (a bias,
    // say): checked before a wrong config.json can ask for all memory. elsewhere(p, rest): whether other tensors hold a
    // parameter, which it takes out of the rest.
    template <class Elsewhere>
    void check_tensors(checkpoint_files const& files, config const& c, Elsewhere const& elsewhere)
    {
        constexpr char const* embedding = "model.embed_tokens.weight";
        parameter_table const table(c);
        auto rest = files.tensors();
        for (parameter const& p : table.parameters())
        {
            if (elsewhere(p, rest))
                continue;
            std::string const& tensor = tensor_of(files, p);
            check_shape(files.find(tensor)->name(), files.at(tensor), p);
            rest.erase(tensor);
        }
        for (auto const& [name, place] : rest)
        {
            safetensors::file const& file = *files.find(name);
            if (c.tied && name == "lm_head.weight")
                check_copy(file.name(), files.at(name), files.at(embedding));
            else if (name.ends_with("rotary_emb.inv_freq"))
                check_frequencies(file.name(), files.at(name), c);
            else
                jackplane::fail<jackplane::format_error>(text(file.name(), ": tensor '",
                                                              jackplane::detail::printable(name),
                                                              "' has no place in a model of this config.json"));
        }
    }

    inline void check_tensors(checkpoint_files const& files, config const& c)
    {
        check_tensors(files, c, [](auto&...) { return false; });
    }

    inline void read_parameter(checkpoint_files const& files, parameter const& p, std::span<float> w)
    {
        std::string const& tensor = tensor_of(files, p);
        read_tensor(files.find(tensor)->name(), files.at(tensor), p, w);
    }

    // Writes config.json and model.safetensors with elements of type T.
    template <class T>
    void save_model(model const& m, std::filesystem::path const& folder, char const* element)
    {
        std::filesystem::create_directories(folder);
        std::vector<T> values(m.w.size());
        for (std::size_t i = 0; i < values.size(); ++i)
        {
            values[i] = jackplane::from_float<T>(m.w[i]);
            JACKPLANE_EXPECTS(jackplane::is_finite(values[i]), jackplane::value_error, "weight ", i, " is ", m.w[i],
                              ", which ", element, " cannot hold");
        }
        std::vector<safetensors::item> items;
        for (parameter const& p : m.table.parameters())
        {
            tensor_part const& part = p.places[0];
            if (part.first != 0) // the parts of a fused tensor lie one behind the other
                continue;
            std::size_t const size =
                std::accumulate(part.shape.begin(), part.shape.end(), std::size_t{1}, std::multiplies<>{});
            items.push_back(
                safetensors::item::of<T>(part.tensor, part.shape, std::span<T const>(values).subspan(p.offset, size)));
        }
        safetensors::save(folder / "model.safetensors", items, {{"format", "pt"}});
        std::string const json = write_config(m.sizes, element);
        jackplane::atomic_file file(folder / "config.json");
        file.write(std::as_bytes(std::span(json)));
        file.commit();
    }
}
