// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <jackplane/store/map.hpp>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <string>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

namespace cli
{
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
                return all;
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
