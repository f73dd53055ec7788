// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cstdint>
#include <exception>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include "../core/check.hpp"

namespace jackplane::inline v0::inline JACKPLANE_TARGET
{
    // What the try_ twins return: a value, or one line that says why there is none. No exception leaves them, so a
    // unit compiled with exceptions can serve an engine that has none. Without exceptions an error ends the program, so
    // the twins do not compile there; they are templates so that only their use is an error.
    template <class T>
    struct attempt
    {
        std::optional<T> value;
        std::string error; // empty when there is a value

        explicit operator bool() const noexcept { return value.has_value(); }
        T& operator*() & noexcept { return *value; }
        T const& operator*() const& noexcept { return *value; }
        T operator*() && { return *std::move(value); }
        T* operator->() & noexcept { return &*value; }
        T const* operator->() const& noexcept { return &*value; }
        void operator->() const&& = delete; // it would point into a temporary
    };

    namespace detail
    {
        template <class Load>
        auto attempt_to(Load&& load) -> attempt<std::invoke_result_t<Load>>
        {
#if defined(JACKPLANE_NO_EXCEPTIONS)
            return {load(), {}}; // or the end of the program
#else
            try
            {
                return {std::forward<Load>(load)(), {}};
            }
            catch (std::exception const& problem) // ours, and bad_alloc
            {
                return {std::nullopt, problem.what()};
            }
#endif
        }
    }

    // What load() returns, or the message of what it throws.
    template <class Load>
    auto try_load(Load&& load) -> attempt<std::invoke_result_t<Load>>
    {
#if defined(JACKPLANE_NO_EXCEPTIONS)
        static_assert(!std::is_same_v<Load, Load>,
                      "the try_ twins need exceptions: compile the unit that reads files with them, or call open and "
                      "parse, which print the error and abort");
#endif
        return detail::attempt_to(std::forward<Load>(load));
    }
}

namespace jackplane::inline v0::inline JACKPLANE_TARGET::detail
{
    // Text out of a file, fit for one line of an error: printable ASCII, at most `limit` characters.
    inline std::string printable(std::string_view s, std::size_t limit = 96)
    {
        std::string line;
        for (char const c : s)
        {
            if (line.size() >= limit)
                return line + "...";
            if (c >= ' ' && c <= '~')
                line += c;
            else
            {
                constexpr char digits[] = "0123456789abcdef";
                auto const byte = static_cast<unsigned char>(c);
                line += {'\\', 'x', digits[byte >> 4], digits[byte & 15]};
            }
        }
        return line;
    }

    // A path as the user wrote it, except that a line stays one line.
    inline std::string one_line(std::string_view path)
    {
        std::string line(path);
        for (char& c : line)
            if (static_cast<unsigned char>(c) < ' ' || c == '\x7f')
                c = '?';
        return line;
    }

    // Where something was found: file, tensor ("" for the file itself) and offset in bytes from the file's start.
    struct place
    {
        std::string_view file, tensor;
        std::uint64_t offset = 0;
        std::string_view kind = "tensor"; // of the name
    };

    // The one line of every format_error.
    [[noreturn]] inline void reject(place at, std::string const& expected, std::string const& found)
    {
        std::string const tensor = at.tensor.empty() ? "" : text(at.kind, " '", printable(at.tensor), "', ");
        fail<format_error>(
            text(one_line(at.file), ": ", tensor, "offset ", at.offset, ": expected ", expected, ", found ", found));
    }
}
