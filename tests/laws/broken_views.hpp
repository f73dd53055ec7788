// SPDX-License-Identifier: BSD-3-Clause
#pragma once
// A view of a matrix filled in by hand, and all the ways in which its elements cannot have places of their own.
#include <cstring>
#include <limits>
#include <string>
#include <vector>
#include <doctest/doctest.h>
#include <jackplane/core/view.hpp>

namespace laws
{
    template <class T>
    struct broken_view
    {
        jackplane::matrix_view<T> view;
        std::string error; // without the name
    };

    template <class T>
    std::vector<broken_view<T>> broken_views(T* memory, std::size_t rows, std::size_t cols)
    {
        using jackplane::text;
        std::size_t const wraps = std::numeric_limits<std::size_t>::max() / sizeof(T) / rows + 1; // back to the start
        std::vector<broken_view<T>> all{
            {{nullptr, rows, cols}, text(rows, " x ", cols, " without data")},
            {{nullptr, rows, cols, cols + 3}, text(rows, " x ", cols, " without data")},
            {{memory, rows, cols, wraps}, text(rows, " x ", wraps, " elements do not fit in memory")},
        };
        for (std::size_t const stride : {cols - 1, std::size_t{1}, std::size_t{0}})
            all.push_back({{memory, rows, cols, stride}, text("rows of ", cols, " elements begin ", stride, " apart")});
        return all;
    }

    // take(view) refuses every broken view [rows, cols] with a line that begins with `name`, and writes nothing; whole
    // ones it takes, also with room between rows.
    template <class T, class Take>
    void refuses_broken_views(std::size_t rows, std::size_t cols, std::string const& name, Take&& take)
    {
        using view = jackplane::matrix_view<T>;
        std::vector<T> memory(rows * (cols + 3));
        CHECK_NOTHROW(take(view{memory.data(), rows, cols}));
        CHECK_NOTHROW(take(view{memory.data(), rows, cols, cols + 3}));
        std::size_t const bytes = memory.size() * sizeof(T);
        std::memset(static_cast<void*>(memory.data()), 1, bytes);
        std::vector<T> const before = memory;
        for (auto const& b : broken_views(memory.data(), rows, cols))
        {
            CAPTURE(b.error);
            CHECK_THROWS_WITH_AS(take(b.view), (name + ": " + b.error).c_str(), jackplane::shape_error);
            CHECK(std::memcmp(memory.data(), before.data(), bytes) == 0);
        }
    }
}
