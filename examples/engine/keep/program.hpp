// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <jackplane/store/write.hpp>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <initializer_list>
#include <system_error>
#include <fcntl.h>
#include <unistd.h>

namespace engine
{
    // What a program does first, so that nothing is lost or left behind whatever ends it.
    inline void begin_program()
    {
        // A file that took the number of a closed stream would get the report between its bytes. Whatever is opened
        // takes the lowest free number, and this cannot be written to (or read from).
        for (int const stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
            if (::fcntl(stream, F_GETFD) < 0 && errno == EBADF)
                ::open("/dev/null", stream == STDIN_FILENO ? O_WRONLY : O_RDONLY);
        // Errors of the write that causes them, which say more.
        std::signal(SIGPIPE, SIG_IGN);
        std::signal(SIGXFSZ, SIG_IGN);
        struct ::sigaction end = {};
        end.sa_flags = static_cast<int>(SA_RESETHAND); // the second time it ends the process as if nobody had looked
        end.sa_handler = [](int signal)
        {
            jackplane::remove_temporaries();
            ::raise(signal);
        };
        for (int const signal : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGALRM, SIGUSR1, SIGUSR2, SIGXCPU, SIGABRT, SIGBUS,
                                 SIGSEGV, SIGFPE, SIGILL})
            if (struct ::sigaction now = {}; ::sigaction(signal, nullptr, &now) == 0 && now.sa_handler == SIG_DFL)
                ::sigaction(signal, &end, nullptr); // what nohup ignores stays ignored
    }

    // What was printed on stdout has arrived, or an io_error: reports on a full disk must not look like success.
    inline void flush_report()
    {
        bool const lost = std::ferror(stdout) != 0;
        int code = std::fflush(stdout) == 0 ? 0 : errno;
        if (code == 0 && ::close(::dup(STDOUT_FILENO)) != 0) // network file systems report a full disk here
            code = errno;
        JACKPLANE_EXPECTS(!lost && code == 0, jackplane::io_error, "standard output: cannot write the report: ",
                          std::system_category().message(code == 0 ? EIO : code));
    }
}
