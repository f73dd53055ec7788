// SPDX-License-Identifier: BSD-3-Clause
#include "layer_store.hpp"
#include <jackplane/store/nested_read.hpp>
#include <jackplane/store/nested_write.hpp>

namespace llama
{
    namespace nested = jackplane::nested;

    std::optional<std::vector<jackplane::any_packed>> layer_store::find(std::size_t layer, std::string const& origin,
                                                                        std::span<parameter const> parts) const
    {
        return jackplane::try_load( // what cannot be read, or is damaged, is made again
                   [&]
                   {
                       nested::file const file = nested::open(file_of(layer));
                       auto const made_from = file.metadata().find("origin");
                       JACKPLANE_EXPECTS(made_from != file.metadata().end() && made_from->second == origin,
                                         jackplane::format_error, file.name(), ": made from something else");
                       file.verify();
                       std::vector<jackplane::any_packed> all;
                       for (parameter const& p : parts)
                           all.push_back(file.matrix(p.name));
                       return all;
                   })
            .value;
    }

    std::vector<jackplane::any_packed> layer_store::keep(std::size_t layer, std::string const& origin,
                                                         std::span<parameter const> parts,
                                                         std::span<jackplane::any_packed const> matrices) const
    {
        std::filesystem::create_directories(_folder);
        nested::writer out;
        out.metadata["origin"] = origin;
        for (std::size_t i = 0; i < parts.size(); ++i)
            out.add(parts[i].name, matrices[i]);
        out.save(file_of(layer));
        auto kept = find(layer, origin, parts);
        JACKPLANE_EXPECTS(kept, jackplane::io_error, file_of(layer).string(), ": cannot be read back");
        return *std::move(kept);
    }
}
