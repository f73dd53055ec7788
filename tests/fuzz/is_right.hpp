// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <jackplane/store/reject.hpp>
#include <cstdlib>
#include <string>

// What every fuzzer asks of a try_ twin: a value, or an error of one short line.
namespace jackplane
{
    inline void require(bool holds)
    {
        if (!holds)
            std::abort();
    }
    template <class T>
    bool is_right(attempt<T> const& read)
    {
        require(static_cast<bool>(read) == read.error.empty());
        require(read.error.find('\n') == std::string::npos && read.error.size() < 2000);
        return static_cast<bool>(read);
    }
}
