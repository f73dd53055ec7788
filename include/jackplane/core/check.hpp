// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <type_traits>
#include "target.hpp"

#if defined(__FAST_MATH__) || defined(__ASSOCIATIVE_MATH__) || __FINITE_MATH_ONLY__ // the second: g++ alone tells
#error "jackplane promises the same bytes everywhere; -ffast-math breaks rounding, NaN checks and compensated sums"
#endif

#if !defined(JACKPLANE_NO_EXCEPTIONS) && !defined(__cpp_exceptions)
#define JACKPLANE_NO_EXCEPTIONS
#endif
#if !defined(JACKPLANE_NO_EXCEPTIONS)
#include <stdexcept>
#endif

#if defined(JACKPLANE_NO_EXCEPTIONS)
namespace jackplane::inline v0::inline JACKPLANE_TARGET
{
    struct error // never thrown here: fail() prints and aborts
    {
        explicit error(std::string const& what) : message(what) {}
        char const* what() const noexcept { return message.c_str(); }
        std::string message;
    };
#else
namespace jackplane::inline v0 // shared by all units: core/target.hpp
{
    struct error : std::runtime_error
    {
        [[gnu::always_inline]] explicit error(std::string const& what) : std::runtime_error(what) {}
    };
#endif

    struct shape_error : error // sizes that do not fit together
    {
        [[gnu::always_inline]] explicit shape_error(std::string const& what) : error(what) {}
    };
    struct value_error : error // NaN, Inf, or a number outside its storage type
    {
        [[gnu::always_inline]] explicit value_error(std::string const& what) : error(what) {}
    };
    struct width_error : error // a bit width that these planes cannot give
    {
        [[gnu::always_inline]] explicit width_error(std::string const& what) : error(what) {}
    };
    struct io_error : error // the operating system refused
    {
        [[gnu::always_inline]] explicit io_error(std::string const& what) : error(what) {}
    };
    struct format_error : error // a file that is not what it says: file, tensor, offset, expected, found
    {
        [[gnu::always_inline]] explicit format_error(std::string const& what) : error(what) {}
    };
    struct arch_error : error // an arch that this CPU or this program does not have
    {
        [[gnu::always_inline]] explicit arch_error(std::string const& what) : error(what) {}
    };
}

namespace jackplane::inline v0::inline JACKPLANE_TARGET
{
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
            {
                constexpr bool natural = std::is_unsigned_v<std::remove_cvref_t<decltype(piece)>>;
                using number = std::conditional_t<natural, unsigned long long, long long>;
                char digits[32]; // std::to_string would be a symbol of all units
                std::snprintf(digits, sizeof digits, natural ? "%llu" : "%lld", static_cast<number>(piece));
                all += digits;
            }
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
