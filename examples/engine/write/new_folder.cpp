// SPDX-License-Identifier: BSD-3-Clause
#include "new_folder.hpp"
#include <jackplane/core/check.hpp>
#include <cerrno>
#include <span>
#include <string>
#include <system_error>
#include <sys/stat.h>
#include <unistd.h>

namespace engine
{
    new_folder::new_folder(std::filesystem::path path) : _path(std::move(path))
    {
        std::string const name = jackplane::detail::one_line(_path.string());
        _is_new = ::mkdir(_path.c_str(), 0777) == 0;
        if (_is_new)
            return;
        if (errno != EEXIST)
            jackplane::detail::fail_io(_path, "create the folder", errno);
        JACKPLANE_EXPECTS(std::filesystem::is_directory(_path), jackplane::io_error, name, ": is there, and no folder");
        for (auto const& each : std::filesystem::directory_iterator(_path))
        {
            std::string const found = each.path().filename().string();
            JACKPLANE_EXPECTS(!jackplane::detail::output_of_temporary(found).empty(), jackplane::io_error, name,
                              ": the folder is not empty, it holds ", jackplane::detail::one_line(found),
                              "; name a new one");
        }
    }

    new_folder::~new_folder()
    {
        _files.clear();
        if (_is_new)
            ::rmdir(_path.c_str()); // if nothing took its name
    }

    void new_folder::add(char const* name, std::string_view contents)
    {
        _files.emplace_back(_path / name).write(std::as_bytes(std::span(contents)));
    }

    void new_folder::add(char const* name, std::vector<safetensors::item> const& tensors)
    {
        auto& out = _files.emplace_back(_path / name);
        std::string const head = safetensors::write_header(out.path().string(), tensors, {{"format", "pt"}});
        std::uint64_t bytes = head.size();
        for (auto const& each : tensors)
            bytes += safetensors::byte_size(each.type, each.shape).value_or(0);
        out.reserve(bytes);
        out.write(std::as_bytes(std::span(head)));
        for (auto const& each : tensors)
            safetensors::write_data(each, [&](std::span<std::byte const> some) { out.write(some); });
    }

    std::uint64_t new_folder::commit()
    {
        std::uint64_t bytes = 0;
        for (auto& each : _files)
        {
            each.commit();
            bytes += each.size();
        }
        return bytes;
    }
}
