// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>
#include "../reject.hpp"

// What a GGUF file says beside its tensors: values by key.
namespace jackplane::inline v0::inline JACKPLANE_TARGET::gguf
{
    // The index of an alternative is its number in a file, also that of an array's elements.
    using array = std::variant<std::vector<std::uint8_t>, std::vector<std::int8_t>, std::vector<std::uint16_t>,
                               std::vector<std::int16_t>, std::vector<std::uint32_t>, std::vector<std::int32_t>,
                               std::vector<float>, std::vector<bool>, std::vector<std::string>,
                               std::monostate, // arrays of arrays: ggml reads none either
                               std::vector<std::uint64_t>, std::vector<std::int64_t>, std::vector<double>>;
    // One value of the metadata.
    using value = std::variant<std::uint8_t, std::int8_t, std::uint16_t, std::int16_t, std::uint32_t, std::int32_t,
                               float, bool, std::string, array, std::uint64_t, std::int64_t, double>;
    // Their names, as the format's pages write them.
    inline constexpr std::string_view value_names[] = {"UINT8",  "INT8",    "UINT16", "INT16",  "UINT32",
                                                       "INT32",  "FLOAT32", "BOOL",   "STRING", "ARRAY",
                                                       "UINT64", "INT64",   "FLOAT64"};
    static_assert(std::size(value_names) == std::variant_size_v<value> &&
                  std::variant_size_v<array> == std::variant_size_v<value>);
}

namespace jackplane::inline v0::inline JACKPLANE_TARGET::gguf::detail
{
    using namespace JACKPLANE_TARGET::detail; // the library's own

    template <class T>
    concept whole_number = std::integral<T> && !std::same_as<T, bool>;
    template <class T>
    inline constexpr bool is_list = false;
    template <class E>
    inline constexpr bool is_list<std::vector<E>> = true;

    // A stored number, text or list as a T; nothing where it is of another kind or does not fit.
    template <class T, class From>
    std::optional<T> converted(From const& from)
    {
        if constexpr (std::same_as<T, From>)
            return from;
        else if constexpr (whole_number<T> && whole_number<From>)
            return std::in_range<T>(from) ? std::optional(static_cast<T>(from)) : std::nullopt;
        else if constexpr (std::floating_point<T> && std::floating_point<From>)
            return static_cast<T>(from);
        else if constexpr (is_list<T> && is_list<From>)
        {
            T all;
            all.reserve(from.size());
            for (auto const& each : from)
            {
                auto one = converted<typename T::value_type>(typename From::value_type(each));
                if (!one)
                    return std::nullopt;
                all.push_back(*std::move(one));
            }
            return all;
        }
        else
            return std::nullopt;
    }
    template <class T>
    std::optional<T> converted_value(value const& v)
    {
        if constexpr (is_list<T>)
        {
            array const* const list = std::get_if<array>(&v);
            return list == nullptr ? std::nullopt : std::visit([](auto const& of) { return converted<T>(of); }, *list);
        }
        else
            return std::visit([](auto const& of) { return converted<T>(of); }, v);
    }

    template <class T>
    std::string wanted_name() // "a whole number of 32 bits, unsigned"
    {
        if constexpr (is_list<T>)
            return text("an array, each ", wanted_name<typename T::value_type>());
        else if constexpr (whole_number<T>)
            return text("a whole number of ", sizeof(T) * 8, " bits, ",
                        std::signed_integral<T> ? "signed" : "unsigned");
        else
            return std::string(std::same_as<T, bool>          ? "BOOL"
                               : std::same_as<T, std::string> ? "STRING"
                                                              : "a floating-point number");
    }
    inline std::string said(value const& v) // "INT32 -1"
    {
        std::string const name(value_names[v.index()]);
        return std::visit(
            [&]<class T>(T const& x)
            {
                if constexpr (std::same_as<T, array>)
                    return text(name, " of ", value_names[x.index()]);
                else if constexpr (std::same_as<T, std::string>)
                    return text(name, " '", printable(x, 40), "'");
                else
                    return text(name, " ", x);
            },
            v);
    }
}

namespace jackplane::inline v0::inline JACKPLANE_TARGET::gguf
{
    // Values by key, in the file's order.
    class metadata
    {
    public:
        using entry = std::pair<std::string, value>;

        metadata() = default;
        explicit metadata(std::string file) : _file(std::move(file)) {} // its name, for messages

        auto begin() const noexcept { return _entries.begin(); }
        auto end() const noexcept { return _entries.end(); }
        std::size_t size() const noexcept { return _entries.size(); }

        value const* find(std::string_view key) const noexcept
        {
            auto const found = _places.find(key);
            return found == _places.end() ? nullptr : &_entries[found->second].second;
        }
        void set(std::string key, value v) // at the end, or in place of what was there
        {
            auto const [found, is_new] = _places.emplace(key, _entries.size());
            if (is_new)
                _entries.emplace_back(std::move(key), std::move(v));
            else
                _entries[found->second].second = std::move(v);
        }

        // The value as a T: bool, std::string, a number or a std::vector of one of them. Numbers may be stored in any
        // width that T holds. Throws format_error where there is none, or another.
        template <class T>
        T get(std::string_view key) const
        {
            value const* const v = find(key);
            JACKPLANE_EXPECTS(v != nullptr, format_error, place(key), "expected ", detail::wanted_name<T>(),
                              ", found none");
            auto found = detail::converted_value<T>(*v);
            JACKPLANE_EXPECTS(found.has_value(), format_error, place(key), "expected ", detail::wanted_name<T>(),
                              ", found ", detail::said(*v));
            return *std::move(found);
        }
        template <class T>
        T get_or(std::string_view key, T otherwise) const // where there is no such key
        {
            return find(key) == nullptr ? std::move(otherwise) : get<T>(key);
        }

    private:
        std::string place(std::string_view key) const
        {
            return text(_file.empty() ? "" : detail::one_line(_file) + ": ", "key '", detail::printable(key), "': ");
        }

        std::string _file;
        std::vector<entry> _entries;
        std::map<std::string, std::size_t, std::less<>> _places;
    };
}
