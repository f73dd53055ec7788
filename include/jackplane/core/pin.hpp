// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cstddef>
#include <system_error>
#include <thread>
#include <vector>
#include "check.hpp"
#if defined(__linux__)
#include <cerrno>
#include <pthread.h>
#include <sched.h>
#endif

// Threads that stay on one CPU: on Linux; elsewhere each of these throws io_error.
namespace jackplane::inline v0::inline JACKPLANE_TARGET::detail
{
    // The CPUs that this thread may run on, ascending; `taskset` and a container's limits take some away.
    inline std::vector<std::size_t> usable_cpus()
    {
        std::vector<std::size_t> all;
#if defined(__linux__)
        ::cpu_set_t set = {};
        JACKPLANE_EXPECTS(::sched_getaffinity(0, sizeof set, &set) == 0, io_error, "CPUs of this thread: ",
                          std::generic_category().message(errno));
        for (std::size_t cpu = 0; cpu < CPU_SETSIZE; ++cpu)
            if (CPU_ISSET(cpu, &set))
                all.push_back(cpu);
#else
        fail<io_error>("threads are pinned on Linux only");
#endif
        return all;
    }

#if defined(__linux__)
    inline void pin(::pthread_t thread, std::size_t cpu)
    {
        ::cpu_set_t set = {};
        CPU_SET(cpu, &set);
        int const error = ::pthread_setaffinity_np(thread, sizeof set, &set);
        JACKPLANE_EXPECTS(error == 0, io_error, "a thread for CPU ", cpu, ": ",
                          std::generic_category().message(error));
    }
    inline void pin_this_thread(std::size_t cpu) { pin(::pthread_self(), cpu); }
#else
    inline void pin(std::thread::native_handle_type, std::size_t)
    {
        fail<io_error>("threads are pinned on Linux only");
    }
    inline void pin_this_thread(std::size_t) { fail<io_error>("threads are pinned on Linux only"); }
#endif
}
