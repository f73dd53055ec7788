// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "warn.hpp"
#include <jackplane/store/foreign.hpp>
#include <jackplane/store/map.hpp>
#include <nlohmann/json.hpp>
#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <string>
#include <string_view>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

namespace cli
{
    inline bool is_utf8(std::string_view all)
    {
        try
        {
            nlohmann::json(all).dump(); // which looks
            return true;
        }
        catch (nlohmann::json::type_error const&)
        {
            return false;
        }
    }
    inline void warn_unless_utf8(std::string_view all, std::string const& name)
    {
        if (!is_utf8(all))
            warn(name + ": not all of it is UTF-8; the tokenizer reads U+FFFD there");
    }

    // What may be meant as a text, but is rarely.
    inline std::string page_that_begins(std::string_view all)
    {
        std::string words(jackplane::detail::without_leading_space(all).substr(0, 14));
        std::transform(words.begin(), words.end(), words.begin(),
                       [](char c) { return 'A' <= c && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
        return words.starts_with("<!doctype html") || words.starts_with("<html") ? "an HTML page"
               : words.starts_with("%pdf")                                       ? "a PDF"
                                                                                 : "";
    }

    // Throws value_error for what is no text. Bytes that are no UTF-8 are told: a tokenizer reads U+FFFD there.
    inline void expect_text(std::string_view all, std::string const& name)
    {
        auto const zero = all.find('\0');
        std::string const kind = jackplane::detail::known_kind(all);
        bool const pointer = kind.starts_with("a git-"); // to the text
        bool const binary = zero != all.npos || (!kind.empty() && !is_utf8(all));
        JACKPLANE_EXPECTS(!pointer && !binary, jackplane::value_error, name,
                          ": no text: ", !kind.empty() ? kind : jackplane::text("byte ", zero, " is 0"),
                          kind == "a NumPy array" ? " (of tokens: --tokens of eval, or a name that ends in .npy)" : "");
        if (std::string const page = page_that_begins(all); !page.empty())
            warn(name + " begins as " + page);
        warn_unless_utf8(all, name);
    }

    // A text named on the command line: a file, or a pipe that is read to its end, as in --text <(command). A pipe that
    // nobody writes to is an error after two seconds; one whose writer takes longer is waited for, and that is said.
    inline std::string read_text(std::filesystem::path const& path)
    {
        namespace detail = jackplane::detail;
        constexpr int patience = 2000; // ms
        std::string const name = detail::one_line(path.string());
        detail::descriptor const file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
        struct ::stat status = {};
        if (file.value < 0 || ::fstat(file.value, &status) != 0)
            detail::fail_io(path, "open", errno);
        bool const pipe = S_ISFIFO(status.st_mode);
        JACKPLANE_EXPECTS(pipe || S_ISREG(status.st_mode), jackplane::io_error, name,
                          ": cannot read: neither a file nor a pipe");
        std::string all;
        bool has_writer = false, waited = false, told = false;
        for (char block[1 << 16];;)
        {
            auto const got = ::read(file.value, block, sizeof block);
            int const code = got < 0 ? errno : 0;
            if (got > 0)
                all.append(block, static_cast<std::size_t>(got));
            has_writer = has_writer || got > 0 || code == EAGAIN;
            if (got > 0 || code == EINTR)
                continue;
            if (code != 0 && code != EAGAIN)
                detail::fail_io(path, "read", code);
            if (!pipe || (got == 0 && has_writer))
            {
                if (all.starts_with("\xef\xbb\xbf")) // a byte order mark says that it is UTF-8, and is no text
                    all.erase(0, 3);
                expect_text(all, name);
                return all;
            }
            JACKPLANE_EXPECTS(!waited || has_writer, jackplane::io_error, name,
                              ": cannot read: nobody writes to this pipe");
            if (waited)
                std::fprintf(stderr, "jackplane: waiting for %s, a pipe\n", name.c_str());
            told = told || waited;
            ::pollfd wait{file.value, POLLIN, 0};
            waited = ::poll(&wait, 1, told ? -1 : patience) == 0;
            has_writer = has_writer || !waited;
        }
    }
}
