// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <jackplane/store/digest.hpp>
#include <jackplane/store/safetensors.hpp>
#include <jackplane/store/safetensors_write.hpp>
#include <cstddef>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>

// A file of tensors from which a killed run goes on. Nothing in it is trusted: it counts only if it opens, its digest
// holds, and it was made from the same everything (`origin`).
namespace engine
{
    namespace safetensors = jackplane::safetensors;

    namespace detail
    {
        inline std::string digest_of_kept(safetensors::metadata_map const& said,
                                          std::map<std::string_view, std::span<std::byte const>> const& tensors)
        {
            jackplane::digest d;
            for (auto const& [key, value] : said)
                if (key != "digest")
                    for (std::string const& each : {key, value})
                        d.add(std::as_bytes(std::span(each)));
            for (auto const& [name, bytes] : tensors)
            {
                d.add(std::as_bytes(std::span(name)));
                d.add(bytes);
            }
            return d.text();
        }
        // Of a safetensors or a nested file. Throws format_error where its metadata say something else.
        void expect_said(auto const& file, char const* key, std::string const& value)
        {
            auto const found = file.metadata().find(key);
            JACKPLANE_EXPECTS(found != file.metadata().end() && found->second == value, jackplane::format_error,
                              file.name(), ": made from something else");
        }
    }

    // Written aside and renamed.
    inline void save_kept(std::filesystem::path const& path, std::string const& origin,
                          std::span<safetensors::item const> tensors, safetensors::metadata_map more = {})
    {
        std::map<std::string_view, std::span<std::byte const>> bytes;
        for (safetensors::item const& each : tensors)
            bytes[each.name] = each.bytes;
        more["origin"] = origin;
        more["digest"] = detail::digest_of_kept(more, bytes);
        safetensors::save(path, tensors, more);
    }

    // Throws io_error, format_error.
    inline safetensors::file open_kept(std::filesystem::path const& path, std::string const& origin)
    {
        auto file = safetensors::open(path);
        std::map<std::string_view, std::span<std::byte const>> bytes;
        for (auto const& [name, tensor] : file.tensors())
            bytes[name] = tensor.bytes;
        detail::expect_said(file, "origin", origin);
        detail::expect_said(file, "digest", detail::digest_of_kept(file.metadata(), bytes));
        return file;
    }
}
