// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cstddef>
#include <fstream>
#include <pthread.h>
#include <sys/resource.h>
#include <unistd.h>

// While it lives, the system has stacks for two or three more threads, and none for further ones.
class few_threads
{
public:
    few_threads()
    {
        constexpr std::size_t stack = std::size_t{1} << 30;
        std::size_t pages = 0;
        std::ifstream("/proc/self/statm") >> pages;
        ::getrlimit(RLIMIT_AS, &_before);
        ::pthread_getattr_default_np(&_attributes);
        ::pthread_attr_t large = {};
        ::pthread_attr_init(&large);
        ::pthread_attr_setstacksize(&large, stack);
        ::pthread_setattr_default_np(&large);
        ::pthread_attr_destroy(&large);
        ::rlimit now = _before;
        now.rlim_cur = pages * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE)) + 3 * stack + stack / 2;
        limited = pages != 0 && ::setrlimit(RLIMIT_AS, &now) == 0;
    }
    few_threads(few_threads const&) = delete;
    few_threads& operator=(few_threads const&) = delete;
    ~few_threads()
    {
        ::setrlimit(RLIMIT_AS, &_before);
        ::pthread_setattr_default_np(&_attributes);
        ::pthread_attr_destroy(&_attributes);
    }

    bool limited = false;

private:
    ::rlimit _before = {};
    ::pthread_attr_t _attributes = {};
};
