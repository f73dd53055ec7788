// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "../engine/keep/inputs.hpp"
#include "../engine/describe/settings_file.hpp"
#include <jackplane/store/safetensors.hpp>
#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <system_error>
#include <unistd.h>

namespace cli
{
    // The folder in which a long run keeps what a killed one goes on from (engine/keep). A folder of that name that
    // holds anything else is an error before any work, and nothing else is ever removed.
    class kept_folder
    {
    public:
        kept_folder() = default; // keeps nothing
        kept_folder(std::filesystem::path folder, engine::inputs const& read) : _folder(std::move(folder))
        {
            std::string const name = jackplane::detail::one_line(_folder.string());
            bool const exists = engine::is_there(_folder);
            if (::access((exists ? _folder : jackplane::detail::folder_of(_folder)).c_str(), W_OK | X_OK) != 0)
                refuse(name, std::system_category().message(errno));
            if (!exists)
                return;
            std::error_code error;
            for (std::filesystem::directory_iterator each(_folder, error), end; !error && each != end;
                 each.increment(error))
            {
                if (!is_ours(*each))
                    refuse(name, "it holds " + told(*each));
                read.expect_unread(each->path());
            }
            if (error)
                refuse(name, error.message());
        }

        // Throws io_error where the device has less than so many bytes left, which the run may come to keep.
        void expect_room(std::uint64_t bytes) const
        {
            if (_folder.empty())
                return;
            std::error_code error;
            auto const left = std::filesystem::space(jackplane::detail::folder_of(_folder), error).available;
            if (!error && left < bytes)
                refuse(jackplane::detail::one_line(_folder.string()),
                       jackplane::text(left, " bytes are left on its device, ", bytes, " may be needed"));
        }

        std::filesystem::path const& path() const noexcept { return _folder; } // "" for none

        void remove() const // when the run is done
        {
            std::error_code ignored;
            for (auto const& each : std::filesystem::directory_iterator(_folder, ignored))
                if (is_ours(each))
                    std::filesystem::remove(each.path(), ignored);
            ::rmdir(_folder.c_str());
        }

    private:
        [[noreturn]] static void refuse(std::string const& name, std::string const& why)
        {
            jackplane::fail<jackplane::io_error>(name + ": cannot keep checkpoints to resume from: " + why +
                                                 "; --no-resume keeps nothing");
        }
        static bool is_ours(std::filesystem::directory_entry const& entry)
        {
            std::string const name = entry.path().filename().string();
            if (entry.symlink_status().type() != std::filesystem::file_type::regular)
                return false;
            std::string_view const output = jackplane::detail::output_of_temporary(name);
            return output.empty() ? is_name_of_ours(name) && was_kept(entry.path()) : is_name_of_ours(output);
        }
        // Damaged, it cannot say whose it is.
        static std::string told(std::filesystem::directory_entry const& entry)
        {
            std::string const name = entry.path().filename().string(), shown = jackplane::detail::one_line(name);
            bool const is_damaged =
                entry.symlink_status().type() == std::filesystem::file_type::regular && is_name_of_ours(name);
            return is_damaged ? shown + ", which is damaged, or not written by this tool: remove it" : shown;
        }
        // Somebody's own file may have such a name, too.
        static bool was_kept(std::filesystem::path const& path)
        {
            auto const file = jackplane::try_load([&] { return jackplane::safetensors::open(path); });
            return file && file->metadata().contains("origin");
        }
        static bool is_name_of_ours(std::string_view name)
        {
            struct pattern
            {
                std::string_view begin, end; // between them, but for training, a number
            };
            static constexpr std::array<pattern, 5> ours{{{"layer.", ".jack"},
                                                          {"layer.", ".safetensors"},
                                                          {"integral.", ".safetensors"},
                                                          {"scales.", ".safetensors"},
                                                          {"training", ".safetensors"}}};
            return std::any_of(ours.begin(), ours.end(),
                               [&](pattern const& p)
                               {
                                   if (name.size() < p.begin.size() + p.end.size() || !name.starts_with(p.begin) ||
                                       !name.ends_with(p.end))
                                       return false;
                                   auto const number =
                                       name.substr(p.begin.size(), name.size() - p.begin.size() - p.end.size());
                                   return number.empty() == (p.begin == "training") &&
                                          number.find_first_not_of("0123456789abcdef") == name.npos;
                               });
        }

        std::filesystem::path _folder{};
    };
}
