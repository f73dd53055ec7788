// SPDX-License-Identifier: BSD-3-Clause
#include "layer_store.hpp"
#include "kept_tensors.hpp"
#include <jackplane/store/gguf/types.hpp>
#include <jackplane/store/nested_read.hpp>
#include <jackplane/store/nested_write.hpp>
#include <nlohmann/json.hpp>

namespace engine
{
    namespace nested = jackplane::nested;

    namespace
    {
        std::string text_of(width_reports const& losses)
        {
            auto all = nlohmann::json::array();
            for (width_report const& w : losses)
                all.push_back({{"bits", w.bits},
                               {"before", w.before},
                               {"after", w.after},
                               {"steps", w.steps},
                               {"moved", w.moved}});
            return all.dump();
        }

        width_reports losses_of(std::string const& text)
        {
            width_reports losses;
            for (auto const& w : nlohmann::json::parse(text))
                losses.push_back({w.at("bits"), w.at("before"), w.at("after"), w.at("steps"), w.at("moved")});
            return losses;
        }

        template <class Matrix>
        std::string file_name(std::size_t layer)
        {
            return text("layer.", layer, std::same_as<Matrix, block_matrix> ? ".safetensors" : ".jack");
        }

        void load(std::filesystem::path const& path, std::string const& origin, std::span<parameter const> parts,
                  tuned_matrices& to)
        {
            nested::file const file = nested::open(path);
            detail::expect_said(file, "origin", origin);
            file.verify();
            to.losses = losses_of(file.metadata().at("losses"));
            for (parameter const& p : parts)
                to.matrices.push_back(file.matrix(p.name));
        }
        void save(std::filesystem::path const& path, std::string const& origin, std::span<parameter const> parts,
                  tuned_matrices const& done)
        {
            nested::writer out;
            out.metadata["origin"] = origin;
            out.metadata["losses"] = text_of(done.losses);
            for (std::size_t i = 0; i < parts.size(); ++i)
                out.add(parts[i].name, done.matrices[i]);
            out.save(path);
        }

        void load(std::filesystem::path const& path, std::string const& origin, std::span<parameter const> parts,
                  tuned_blocks& to)
        {
            auto const file = open_kept(path, origin);
            to.losses = losses_of(file.metadata().at("losses"));
            auto const types = nlohmann::json::parse(file.metadata().at("types"));
            for (std::size_t i = 0; i < parts.size(); ++i)
            {
                auto const bytes = file.at(parts[i].name).bytes;
                auto const type = jackplane::gguf::find_type(types.at(i).get<std::uint32_t>());
                parameter const& p = parts[i];
                JACKPLANE_EXPECTS(type && jackplane::gguf::byte_size(*type, {p.rows, p.cols}) == bytes.size(),
                                  jackplane::format_error, file.name(), ": ", bytes.size(), " bytes of ", p.name);
                to.matrices.push_back({type->id, p.rows, p.cols, {bytes.begin(), bytes.end()}});
            }
        }
        void save(std::filesystem::path const& path, std::string const& origin, std::span<parameter const> parts,
                  tuned_blocks const& done)
        {
            auto types = nlohmann::json::array();
            std::vector<safetensors::item> tensors;
            for (std::size_t i = 0; i < parts.size(); ++i)
            {
                auto const& bytes = done.matrices[i].bytes;
                types.push_back(done.matrices[i].type);
                tensors.push_back({parts[i].name, jackplane::dtype::U8, {bytes.size()}, bytes, {}});
            }
            save_kept(path, origin, tensors, {{"losses", text_of(done.losses)}, {"types", types.dump()}});
        }
    }

    template <class Matrix>
    std::optional<tuned_layer<Matrix>> layer_store::find(std::size_t layer, std::string const& origin,
                                                         std::span<parameter const> parts) const
    {
        if (_folder.empty())
            return std::nullopt;
        return jackplane::try_load( // what cannot be read, or is damaged, is made again
                   [&]
                   {
                       tuned_layer<Matrix> done;
                       load(_folder / file_name<Matrix>(layer), origin, parts, done);
                       return done;
                   })
            .value;
    }

    template <class Matrix>
    tuned_layer<Matrix> layer_store::keep(std::size_t layer, std::string const& origin,
                                          std::span<parameter const> parts, tuned_layer<Matrix> done) const
    {
        if (_folder.empty())
            return done;
        std::filesystem::create_directories(_folder);
        auto const file = _folder / file_name<Matrix>(layer);
        save(file, origin, parts, done);
        auto read_back = find<Matrix>(layer, origin, parts);
        JACKPLANE_EXPECTS(read_back, jackplane::io_error, file.string(), ": cannot be read back");
        return *std::move(read_back);
    }

    template std::optional<tuned_matrices> layer_store::find(std::size_t, std::string const&,
                                                             std::span<parameter const>) const;
    template std::optional<tuned_blocks> layer_store::find(std::size_t, std::string const&,
                                                           std::span<parameter const>) const;
    template tuned_matrices layer_store::keep(std::size_t, std::string const&, std::span<parameter const>,
                                              tuned_matrices) const;
    template tuned_blocks layer_store::keep(std::size_t, std::string const&, std::span<parameter const>,
                                            tuned_blocks) const;
}
