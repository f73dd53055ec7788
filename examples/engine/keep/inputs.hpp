// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <jackplane/store/nested_read.hpp>
#include <jackplane/store/write.hpp>
#include <algorithm>
#include <array>
#include <filesystem>
#include <initializer_list>
#include <map>
#include <string>
#include <system_error>
#include <utility>
#include <sys/stat.h>

namespace engine
{
    // What a run reads: files, and folders with everything in them but what runs like it leave there. What it writes
    // must be something else, which is decided by device and inode, behind all links, before any work.
    class inputs
    {
    public:
        inputs(std::initializer_list<std::filesystem::path> named) // "": an option that was not given
        {
            std::error_code error;
            for (auto const& name : named)
            {
                add(_files, name);
                if (!std::filesystem::is_directory(name, error))
                    continue;
                add(_folders, name);
                for (std::filesystem::directory_iterator each(name, error), end; !error && each != end;
                     each.increment(error))
                    if (!is_result(each->path()))
                        add(_files, each->path());
            }
        }

        // Throws io_error where writing `output` would replace one of these files.
        void expect_unread(std::filesystem::path const& output) const
        {
            identity is;
            if (!find(output, is))
                return;
            auto const same = _files.find(is);
            JACKPLANE_EXPECTS(same == _files.end(), jackplane::io_error, jackplane::detail::one_line(output.string()),
                              ": would replace ", same->second, ", which is read; name another output");
        }

        // The same for whatever stands in one of these folders or below, and for what a reader of a model's folder
        // would take for a part of the model.
        void expect_other(std::filesystem::path const& output) const
        {
            expect_unread(output);
            expect_no_stream(output);
            for (auto const& name : {output, jackplane::detail::end_of_links(output)})
            {
                std::error_code error;
                identity is;
                if (find(name, is) ? is_result(name) : !is_part(name))
                    continue;
                auto folder = std::filesystem::canonical(jackplane::detail::folder_of(name), error);
                for (auto child = name; !error && folder != child; child = std::exchange(folder, folder.parent_path()))
                    JACKPLANE_EXPECTS(!find(folder, is) || !_folders.contains(is), jackplane::io_error,
                                      jackplane::detail::one_line(output.string()), ": lies in the folder ",
                                      _folders.at(is), ", which is read; name an output somewhere else");
            }
        }

        // The checked output, begun.
        jackplane::atomic_file create(std::filesystem::path const& output) const
        {
            expect_other(output);
            jackplane::detail::for_each_temporary_of( // which go with the output's next run, but not what is read
                jackplane::detail::end_of_links(output), [&](auto const& temporary) { expect_unread(temporary); });
            return jackplane::atomic_file(output);
        }

    private:
        using identity = std::pair<::dev_t, ::ino_t>;

        // What a reader of a model's folder takes.
        static bool is_part(std::filesystem::path const& file)
        {
            static constexpr std::array parts{".json", ".model", ".safetensors"};
            return std::find(parts.begin(), parts.end(), file.extension()) != parts.end();
        }
        // What a command was told to write into a model's folder, and may replace the next time: no reader takes it.
        static bool is_result(std::filesystem::path const& file)
        {
            return !is_part(file) &&
                   (file.extension() == ".npy" || jackplane::nested::try_open(file) ||
                    !jackplane::detail::output_of_temporary(file.filename().string()).empty());
        }

        // `> FILE` beside `-o FILE`: the output would take the name, the report would go to a file without one.
        static void expect_no_stream(std::filesystem::path const& output)
        {
            identity is;
            if (!find(output, is))
                return;
            for (auto const& [stream, name] : {std::pair{STDOUT_FILENO, "standard output"}, {STDERR_FILENO, "stderr"}})
            {
                struct ::stat status = {};
                bool const same = ::fstat(stream, &status) == 0 && identity{status.st_dev, status.st_ino} == is;
                JACKPLANE_EXPECTS(!same || !S_ISREG(status.st_mode), jackplane::io_error,
                                  jackplane::detail::one_line(output.string()), ": ", name,
                                  " goes there; name another output");
            }
        }

        static bool find(std::filesystem::path const& path, identity& is)
        {
            struct ::stat status = {};
            bool const found = ::stat(path.c_str(), &status) == 0;
            is = {status.st_dev, status.st_ino};
            return found;
        }
        static void add(std::map<identity, std::string>& to, std::filesystem::path const& path)
        {
            if (identity is; find(path, is))
                to.emplace(is, jackplane::detail::one_line(path.string()));
        }

        std::map<identity, std::string> _files, _folders;
    };
}
