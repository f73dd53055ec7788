// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "../engine/read/checkpoint_files.hpp"
#include "../engine/read/model_files.hpp"
#include "../engine/read/words/tensors.hpp"
#include "terminal.hpp"
#include <jackplane/store/gguf/file.hpp>
#include <jackplane/store/reject.hpp>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace cli
{
    // What the headers of a GGUF file or a Hugging Face folder say of its tensors. No model has to come of them: files
    // of unknown architectures or types are shown, too.
    class dense_contents
    {
    public:
        explicit dense_contents(std::filesystem::path const& model)
        {
            engine::is_gguf(model) ? look_into_file(model) : look_into_folder(model);
        }

        nlohmann::ordered_json as_json(std::string const& name) const
        {
            nlohmann::ordered_json out{{"file", name},
                                       {"bytes", _bytes},
                                       {"format", _format},
                                       {"architecture", _architecture},
                                       {"bits_per_weight", bits_per_weight()},
                                       {"types", nlohmann::ordered_json::array()},
                                       {"tensors", nlohmann::ordered_json::array()}};
            for (auto const& [type, of] : _types)
                out["types"].push_back({{"type", type}, {"tensors", of.tensors}, {"bytes", of.bytes}});
            for (entry const& t : _tensors)
                out["tensors"].push_back({{"name", t.name}, {"dtype", t.type}, {"shape", t.shape}, {"bytes", t.bytes}});
            return out;
        }

        void print(std::string const& name) const
        {
            std::printf("%s: %s, %s, %s, %.4f bits a weight\n", name.c_str(),
                        megabytes(static_cast<double>(_bytes)).c_str(), _format.c_str(), _architecture.c_str(),
                        bits_per_weight());
            for (auto const& [type, of] : _types)
                std::printf("  %-8s %6zu tensors %14s\n", type.c_str(), of.tensors,
                            megabytes(static_cast<double>(of.bytes)).c_str());
        }

    private:
        struct entry
        {
            std::string name, type;
            engine::safetensors::extents shape;
            std::uint64_t bytes;
        };
        struct sums
        {
            std::size_t tensors = 0;
            std::uint64_t bytes = 0;
        };

        void look_into_file(std::filesystem::path const& path)
        {
            auto const file = jackplane::gguf::open(path);
            auto const* const said = file.metadata().find("general.architecture");
            auto const* const named = said == nullptr ? nullptr : std::get_if<std::string>(said);
            _format = "GGUF";
            _architecture = named == nullptr ? "no architecture" : jackplane::detail::printable(*named);
            _bytes = std::filesystem::file_size(path);
            for (auto const* const t : file.order())
            {
                add(t->name, t->type.name, t->shape, t->size);
                _weights += t->rows() * t->cols();
            }
        }

        void look_into_folder(std::filesystem::path const& folder)
        {
            engine::settings_file const config = engine::config_file(folder / "config.json");
            auto const words = engine::words_in(folder, config);
            engine::checkpoint_files const files(folder);
            auto const& kind = config.has("model_type") ? config.tree()["model_type"] : nlohmann::json();
            _architecture = kind.is_string() ? jackplane::detail::printable(kind.get<std::string>()) : "no model_type";
            _format = words ? engine::text(words->format, " of ", words->bits, " bits") : "numbers";
            for (auto const& [name, where] : files.tensors())
            {
                auto const& t = files.at(name);
                add(name, dtype_name(t.type), t.shape, t.bytes.size());
                _bytes += t.bytes.size();
                _weights += t.bytes.size() * 8 / jackplane::dtype_bits(t.type);
            }
            if (words) // several in each word
                _weights = engine::parameter_table(engine::config_of(folder)).size();
        }

        void add(std::string const& name, std::string_view type, engine::safetensors::extents const& shape,
                 std::uint64_t bytes)
        {
            _tensors.push_back({name, std::string(type), shape, bytes});
            sums& of = _types[std::string(type)];
            ++of.tensors;
            of.bytes += bytes;
        }
        // Of all tensors, norms and embedding among them.
        double bits_per_weight() const
        {
            std::uint64_t bytes = 0;
            for (auto const& [type, of] : _types)
                bytes += of.bytes;
            return _weights == 0 ? 0 : 8 * static_cast<double>(bytes) / static_cast<double>(_weights);
        }

        std::string _format{}, _architecture{};
        std::uint64_t _bytes = 0, _weights = 0; // in all
        std::map<std::string, sums> _types{};
        std::vector<entry> _tensors{}; // as they lie in the file; of a folder, by name
    };
}
