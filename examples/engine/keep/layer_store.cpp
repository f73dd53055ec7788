// SPDX-License-Identifier: BSD-3-Clause
#include "layer_store.hpp"
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
    }

    std::optional<tuned_matrices> layer_store::find(std::size_t layer, std::string const& origin,
                                                    std::span<parameter const> parts) const
    {
        if (_folder.empty())
            return std::nullopt;
        return jackplane::try_load( // what cannot be read, or is damaged, is made again
                   [&]
                   {
                       nested::file const file = nested::open(file_of(layer));
                       auto const made_from = file.metadata().find("origin");
                       JACKPLANE_EXPECTS(made_from != file.metadata().end() && made_from->second == origin,
                                         jackplane::format_error, file.name(), ": made from something else");
                       file.verify();
                       tuned_matrices done{{}, losses_of(file.metadata().at("losses"))};
                       for (parameter const& p : parts)
                           done.matrices.push_back(file.matrix(p.name));
                       return done;
                   })
            .value;
    }

    tuned_matrices layer_store::keep(std::size_t layer, std::string const& origin, std::span<parameter const> parts,
                                     tuned_matrices done) const
    {
        if (_folder.empty())
            return done;
        std::filesystem::create_directories(_folder);
        nested::writer out;
        out.metadata["origin"] = origin;
        out.metadata["losses"] = text_of(done.losses);
        for (std::size_t i = 0; i < parts.size(); ++i)
            out.add(parts[i].name, done.matrices[i]);
        out.save(file_of(layer));
        auto read_back = find(layer, origin, parts);
        JACKPLANE_EXPECTS(read_back, jackplane::io_error, file_of(layer).string(), ": cannot be read back");
        return *std::move(read_back);
    }
}
