// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <jackplane/store/foreign.hpp>
#include <jackplane/store/map.hpp>
#include <jackplane/store/safetensors.hpp>
#include "../describe/settings_file.hpp"
#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace engine
{
    namespace safetensors = jackplane::safetensors;

    // All tensors of a Hugging Face folder: of all files that model.safetensors.index.json names; without an index, of
    // model.safetensors. Throws format_error or shape_error where two files do not agree about a tensor. Tensors of a
    // language model inside a larger one go by the names that they have alone; the others of it are left out.
    class checkpoint_files
    {
    public:
        explicit checkpoint_files(std::filesystem::path const& folder)
        {
            if (auto const index = folder / "model.safetensors.index.json"; is_there(index))
                read_index(settings_file(index), folder);
            else
            {
                expect_weights(folder);
                add(folder / "model.safetensors");
            }
            look_at_strays(folder);
            for (char const* const prefix : {"language_model.", "model.language_model."})
                if (!_place.contains("model.embed_tokens.weight") && // else they have no place
                    _place.contains(text(prefix, prefix[0] == 'l' ? "model." : "", "embed_tokens.weight")))
                    keep_part(prefix);
        }

        // The file that holds a tensor; null if none does.
        safetensors::file const* find(std::string const& tensor) const
        {
            auto const found = _place.find(tensor);
            return found == _place.end() ? nullptr : &_files[found->second.file];
        }
        // find(name) is not null.
        safetensors::tensor const& at(std::string const& tensor) const
        {
            place const& of = _place.at(tensor);
            return _files[of.file].at(of.name);
        }

        struct place
        {
            std::size_t file;
            std::string name; // there
        };
        std::map<std::string, place> const& tensors() const noexcept { return _place; }
        std::size_t left_out() const noexcept { return _left_out; } // tensors of the larger model
        std::string const& first_file() const noexcept { return _files.front().name(); }
        // Other files of weights in the folder, which are not read.
        std::vector<std::string> const& strays() const noexcept { return _strays; }

    private:
        void read_index(settings_file const& index, std::filesystem::path const& folder)
        {
            bool const mapped = index.has("weight_map") && index.tree()["weight_map"].is_object() &&
                                !index.tree()["weight_map"].empty();
            JACKPLANE_EXPECTS(mapped, jackplane::format_error, index.name(), ": no 'weight_map' of tensors to files");
            settings_file const map = index.inner("weight_map");
            std::set<std::string> shards;
            for (auto const& [tensor, value] : map.tree().items())
            {
                std::string const shard = value.is_string() ? value.get<std::string>() : "";
                bool const plain = !shard.empty() && shard != "." && shard != ".." &&
                                   std::none_of(shard.begin(), shard.end(),
                                                [](char c) { return c == '/' || static_cast<unsigned char>(c) < ' '; });
                map.expect(plain, tensor, "the plain name of a file beside the index");
                shards.insert(shard);
            }
            for (std::string const& shard : shards)
                add(folder / shard);
            for (auto const& [tensor, value] : map.tree().items())
            {
                safetensors::file const* const found = find(tensor);
                map.expect(found != nullptr && found->name() == (folder / value.get<std::string>()).string(), tensor,
                           found == nullptr ? "a file that holds it; none does"
                                            : text("'", found->name(), "', which holds it"));
            }
        }

        void add(std::filesystem::path const& path)
        {
            safetensors::file const file = safetensors::open(path);
            for (auto const& [name, tensor] : file.tensors())
            {
                auto const [at, is_new] = _place.emplace(name, place{_files.size(), name});
                if (is_new)
                    continue;
                safetensors::file const& before = _files[at->second.file];
                safetensors::tensor const& other = before.at(name);
                bool const same = tensor.type == other.type && tensor.shape == other.shape &&
                                  std::equal(tensor.bytes.begin(), tensor.bytes.end(), other.bytes.begin());
                JACKPLANE_EXPECTS(same, jackplane::format_error, file.name(), ": tensor '",
                                  jackplane::detail::printable(name), "' is another one than in ", before.name(),
                                  "; the index names both files");
            }
            _files.push_back(file);
        }

        // "language_model.model.norm.weight" and "model.language_model.norm.weight" are "model.norm.weight".
        void keep_part(std::string const& prefix)
        {
            std::map<std::string, place> part;
            auto const keep = [&](std::string const& name, place const& where)
            {
                JACKPLANE_EXPECTS(part.emplace(name, where).second, jackplane::format_error,
                                  _files[where.file].name(), ": tensor '", where.name, "' is there twice, as '",
                                  part.at(name).name, "', too");
            };
            for (auto const& [name, where] : _place)
                if (name.starts_with(prefix))
                    keep((prefix[0] == 'm' ? "model." : "") + name.substr(prefix.size()), where);
                else if (name == "lm_head.weight")
                    keep(name, where);
            _left_out += _place.size() - part.size();
            _place = std::move(part);
        }

        static std::vector<std::filesystem::path> weights_in(std::filesystem::path const& folder)
        {
            std::vector<std::filesystem::path> all;
            for (auto const& entry : std::filesystem::directory_iterator(folder))
                for (char const* const kind : {".safetensors", ".bin", ".gguf", ".pt", ".pth"})
                    if (entry.path().extension() == kind && entry.is_regular_file())
                        all.push_back(entry.path());
            std::sort(all.begin(), all.end());
            return all;
        }

        static void expect_weights(std::filesystem::path const& folder)
        {
            if (is_there(folder / "model.safetensors"))
                return;
            std::string found;
            if (auto const others = weights_in(folder); !others.empty())
            {
                jackplane::mapped_file const other(others[0]);
                std::string const kind = jackplane::detail::foreign(other.bytes());
                found = text("; found ", others[0].filename().string(), kind.empty() ? "" : ", ", kind);
            }
            jackplane::fail<jackplane::io_error>(
                text(folder.string(), ": neither model.safetensors nor model.safetensors.index.json there", found));
        }

        // The same weights once more, or others: nobody can tell, except by their shapes.
        void look_at_strays(std::filesystem::path const& folder)
        {
            for (auto const& path : weights_in(folder))
            {
                bool const read = std::any_of(_files.begin(), _files.end(),
                                              [&](auto const& file) { return file.name() == path.string(); });
                if (read || path.extension() != ".safetensors")
                    continue;
                _strays.push_back(path.string());
                auto const stray = safetensors::try_open(path);
                if (!stray)
                    continue;
                for (auto const& [name, tensor] : stray->tensors())
                    if (safetensors::file const* const file = find(name))
                        JACKPLANE_EXPECTS(tensor.shape == file->at(name).shape, jackplane::shape_error, path.string(),
                                          ": not part of the checkpoint, but tensor '", name, "' has shape ",
                                          safetensors::shape_text(tensor.shape), " there and ",
                                          safetensors::shape_text(file->at(name).shape), " in ", file->name(),
                                          "; remove one of them");
            }
        }

        std::vector<safetensors::file> _files;
        std::map<std::string, place> _place;
        std::size_t _left_out = 0;
        std::vector<std::string> _strays;
    };
}
