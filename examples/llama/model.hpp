// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <jackplane/core/check.hpp>
#include <jackplane/core/number.hpp>
#include <jackplane/core/view.hpp>
#include <jackplane/store/safetensors.hpp>
#include <jackplane/store/safetensors_write.hpp>
#include "config.hpp"
#include "weights.hpp"
#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <vector>

namespace llama
{
    namespace safetensors = jackplane::safetensors;

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

    // All tensors of a Hugging Face folder: of model.safetensors, or of the shards that its index names.
    class checkpoint_files
    {
    public:
        explicit checkpoint_files(std::filesystem::path const& folder)
        {
            auto const index = folder / "model.safetensors.index.json";
            if (std::filesystem::exists(folder / "model.safetensors") || !std::filesystem::exists(index))
            {
                add(folder / "model.safetensors", {});
                return;
            }
            settings_file const file(index);
            JACKPLANE_EXPECTS(file.tree().value("weight_map", nlohmann::json()).is_object() &&
                                  !file.tree()["weight_map"].empty(),
                              jackplane::format_error, file.name(), ": no 'weight_map' of tensors to files");
            std::map<std::string, std::vector<std::string>> shards;
            for (auto const& [tensor, shard] : file.tree()["weight_map"].items())
            {
                std::filesystem::path const path = shard.is_string() ? shard.get<std::string>() : "";
                bool const plain = !path.empty() && path.filename() == path;
                JACKPLANE_EXPECTS(plain, jackplane::format_error, file.name(), ": the file of '", tensor, "' is ",
                                  shard.dump(), ", expected a plain file name");
                shards[shard.get<std::string>()].push_back(tensor);
            }
            for (auto const& [shard, names] : shards)
                add(folder / shard, names);
        }

        // The file that holds a tensor; null if none does.
        safetensors::file const* find(std::string const& tensor) const
        {
            auto const found = _place.find(tensor);
            return found == _place.end() ? nullptr : &_files[found->second];
        }

        std::map<std::string, std::size_t> const& tensors() const noexcept { return _place; }
        std::string const& first_file() const noexcept { return _files.front().name(); }

    private:
        void add(std::filesystem::path const& path, std::vector<std::string> const& names)
        {
            safetensors::file const file = safetensors::open(path);
            for (auto const& [name, tensor] : file.tensors())
                if (names.empty())
                    _place[name] = _files.size();
            for (auto const& name : names)
            {
                file.at(name); // or an error
                _place[name] = _files.size();
            }
            _files.push_back(file);
        }

        std::vector<safetensors::file> _files;
        std::map<std::string, std::size_t> _place;
    };

    // Whether y is what a nested file, which holds dense tensors in fp16, makes of x; or x itself.
    inline bool same_but_for_half(float x, float y) noexcept
    {
        return x == y || to_float(jackplane::from_float<jackplane::half>(x)) == y;
    }

    inline void check_shape(std::string const& file, safetensors::tensor const& t, parameter const& p)
    {
        safetensors::extents const expected =
            p.norm ? safetensors::extents{p.cols} : safetensors::extents{p.rows, p.cols};
        JACKPLANE_EXPECTS(t.shape == expected, jackplane::shape_error, file, ": tensor '", p.name, "' has shape ",
                          safetensors::shape_text(t.shape), ", config.json makes it ",
                          safetensors::shape_text(expected));
    }

    // Copies one tensor to its place in w; F32, F16, BF16 or F64 (rounded), all finite.
    inline void read_tensor(std::string const& file, safetensors::tensor const& t, parameter const& p,
                            std::span<float> w)
    {
        check_shape(file, t, p);
        auto const values = safetensors::read<float>(t);
        for (std::size_t i = 0; i < values.size(); ++i)
            JACKPLANE_EXPECTS(jackplane::is_finite(values[i]), jackplane::value_error, file, ": tensor '", p.name,
                              "', row ", i / p.cols, ", column ", i % p.cols, ": not a finite number");
        std::copy(values.begin(), values.end(), w.begin() + static_cast<std::ptrdiff_t>(p.offset));
    }

    // Every tensor of the table is there, in the shape that config.json makes it, and no other that matters (a bias,
    // say): checked before a wrong config.json can ask for all memory.
    inline void check_tensors(checkpoint_files const& files, config const& c)
    {
        parameter_table const table(c);
        auto rest = files.tensors();
        for (parameter const& p : table.parameters())
        {
            safetensors::file const* const file = files.find(p.name);
            JACKPLANE_EXPECTS(file, jackplane::format_error, files.first_file(), ": no tensor '", p.name, "'");
            check_shape(file->name(), file->at(p.name), p);
            rest.erase(p.name);
        }
        for (auto const& [name, place] : rest)
        {
            bool const ignored = (c.tied && name == "lm_head.weight") ||        // a copy of the embedding
                                 name.find("rotary_emb.inv_freq") != name.npos; // recomputed
            JACKPLANE_EXPECTS(ignored, jackplane::format_error, files.find(name)->name(), ": tensor '", name,
                              "' has no place in a Llama of this config.json");
        }
    }

    inline void read_parameter(checkpoint_files const& files, parameter const& p, std::span<float> w)
    {
        safetensors::file const& file = *files.find(p.name);
        read_tensor(file.name(), file.at(p.name), p, w);
    }

    // Reads config.json and the weights.
    inline model load_model(std::filesystem::path const& folder)
    {
        config const c = read_config(folder / "config.json");
        checkpoint_files const files(folder);
        check_tensors(files, c);
        model m(c);
        for (parameter const& p : m.table.parameters())
            read_parameter(files, p, m.w);
        return m;
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
            safetensors::extents shape = p.norm ? safetensors::extents{p.cols} : safetensors::extents{p.rows, p.cols};
            items.push_back(
                safetensors::item::of<T>(p.name, shape, std::span<T const>(values).subspan(p.offset, p.size())));
        }
        safetensors::save(folder / "model.safetensors", items, {{"format", "pt"}});
        std::string const json = write_config(m.sizes, element);
        jackplane::atomic_file file(folder / "config.json");
        file.write(std::as_bytes(std::span(json)));
        file.commit();
    }
}
