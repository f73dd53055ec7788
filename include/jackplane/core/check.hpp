// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#if defined(__FAST_MATH__)
#error "jackplane promises the same bytes everywhere; -ffast-math breaks rounding, NaN checks and compensated sums"
#endif

#if !defined(JACKPLANE_NO_EXCEPTIONS) && !defined(__cpp_exceptions)
#define JACKPLANE_NO_EXCEPTIONS
#endif
#if !defined(JACKPLANE_NO_EXCEPTIONS)
#include <stdexcept>
#endif

namespace jackplane::inline v0
{
#if defined(JACKPLANE_NO_EXCEPTIONS)
    struct error // only a name here: fail() prints and aborts
    {
        explicit error(std::string const& what) : message(what) {}
        char const* what() const noexcept { return message.c_str(); }
        std::string message;
    };
#else
    struct error : std::runtime_error
    {
        using std::runtime_error::runtime_error;
    };
#endif

    struct shape_error : error // sizes that do not fit together
    {
        using error::error;
    };
    struct value_error : error // NaN, Inf, or a number outside its storage type
    {
        using error::error;
    };
    struct width_error : error // a bit width that these planes cannot give
    {
        using error::error;
    };
    struct io_error : error // the operating system said no
    {
        using error::error;
    };
    struct format_error : error // a file that is not what it says: file, tensor, offset, expected, found
    {
        using error::error;
    };

    // Throws E(message); without exceptions prints one line and aborts.
    template <class E>
    [[noreturn]] void fail(std::string const& message)
    {
#if defined(JACKPLANE_NO_EXCEPTIONS)
        std::fprintf(stderr, "jackplane: %s\n", E(message).what());
        std::abort();
#else
        throw E(message);
#endif
    }

    // One readable sentence from pieces: text("row ", 3, " has ", 7, " columns").
    template <class... Pieces>
    std::string text(Pieces const&... pieces)
    {
        std::string all;
        [[maybe_unused]] auto add = [&](auto const& piece)
        {
            if constexpr (requires { std::string_view(piece); })
                all += std::string_view(piece);
            else if constexpr (requires { piece > 0.5f; } && !requires { piece % 2; })
            {
                char digits[32];
                std::snprintf(digits, sizeof digits, "%.9g", static_cast<double>(piece));
                all += digits;
            }
            else
                all += std::to_string(piece);
        };
        (add(pieces), ...);
        return all;
    }
}

// The one macro: JACKPLANE_EXPECTS(x.size() == a.cols(), shape_error, "x has ", x.size(), ", the matrix ", a.cols())
#define JACKPLANE_EXPECTS(condition, kind, ...)                      \
    do                                                               \
    {                                                                \
        if (!(condition)) [[unlikely]]                               \
            ::jackplane::fail<kind>(::jackplane::text(__VA_ARGS__)); \
    } while (false)
