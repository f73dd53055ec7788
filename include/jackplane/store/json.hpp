// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <nlohmann/json.hpp>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>
#include "reject.hpp"

namespace jackplane::inline v0::inline JACKPLANE_TARGET::detail
{
    // JSON as events with the place of each, so that hostile depth costs nothing and no exception of the parser gets
    // out. Every event is an error until a reader overrides it (unexpected() never returns). `offset`: where the text
    // starts in the file.
    class json_events : public nlohmann::json_sax<nlohmann::json>
    {
    public:
        json_events(std::string_view file, std::string_view json, std::uint64_t offset)
            : _file(file), _json(json), _offset(offset)
        {
        }

        void read()
        {
            auto const nul = _json.find('\0'); // the parser takes it for the end of the text
            if (nul != std::string_view::npos)
                reject({_file, "", _offset + nul}, "JSON", "a zero byte");
            nlohmann::json::sax_parse(cursor{_json.data(), &_at}, cursor{_json.data() + _json.size(), nullptr}, this);
        }

        bool null() override { return unexpected("null"); }
        bool boolean(bool) override { return unexpected("true or false"); }
        bool number_integer(std::int64_t n) override { return unexpected(text("the number ", n)); }
        bool number_unsigned(std::uint64_t n) override { return unexpected(text("the number ", n)); }
        bool number_float(double, std::string const& s) override { return unexpected("the number " + s.substr(0, 40)); }
        bool string(std::string& s) override { return unexpected("the string '" + printable(s, 40) + "'"); }
        bool binary(nlohmann::json::binary_t&) override { return unexpected("binary"); }
        bool start_object(std::size_t) override { return unexpected("an object"); }
        bool key(std::string& k) override { return unexpected("the key '" + printable(k) + "'"); }
        bool end_object() override { return true; }
        bool start_array(std::size_t) override { return unexpected("an array"); }
        bool end_array() override { return true; }
        bool parse_error(std::size_t position, std::string const& token, nlohmann::json::exception const&) override
        {
            reject({_file, "", _offset + (position == 0 ? 0 : position - 1)}, "JSON",
                   token.empty() ? "its end" : text("'", printable(token, 40), "'"));
        }

        virtual bool unexpected(std::string const& what) { refuse("", "something else", what); }

        [[noreturn]] void refuse(std::string_view tensor, std::string const& expected, std::string const& found) const
        {
            auto const read = _at == nullptr ? 0 : static_cast<std::uint64_t>(_at - _json.data());
            reject({_file, tensor, _offset + read}, expected, found);
        }

    private:
        struct cursor // a pointer that leaves a trace of how far it came
        {
            using iterator_category = std::input_iterator_tag;
            using value_type = char;
            using difference_type = std::ptrdiff_t;
            using pointer = char const*;
            using reference = char const&;

            char const& operator*() const noexcept { return *p; }
            cursor& operator++() noexcept
            {
                *trace = ++p;
                return *this;
            }
            cursor operator++(int) noexcept { return {std::exchange(p, p + 1), trace}; }
            friend bool operator==(cursor a, cursor b) noexcept { return a.p == b.p; }

            char const* p;
            char const** trace;
        };

        std::string_view _file, _json;
        std::uint64_t _offset;
        char const* _at = nullptr;
    };

    // A small settings text as a tree; every key once, at most `depth` levels.
    inline nlohmann::json read_json(std::string_view file, std::string_view what, std::string_view json, int depth = 8)
    {
        std::vector<std::set<std::string>> keys;
        auto const check = [&](int level, nlohmann::json::parse_event_t event, nlohmann::json& value)
        {
            using on = nlohmann::json::parse_event_t;
            if ((event == on::object_start || event == on::array_start) && level >= depth)
                reject({file, what, 0}, text("at most ", depth, " levels of JSON"), "more");
            if (event == on::object_start)
                keys.emplace_back();
            if (event == on::object_end)
                keys.pop_back();
            if (event != on::key)
                return true;
            if (auto const& key = value.get_ref<std::string const&>(); !keys.back().insert(key).second)
                reject({file, what, 0}, "every key once", text("'", printable(key), "' twice"));
            return true;
        };
        auto tree = json.find('\0') != std::string_view::npos
                        ? nlohmann::json(nlohmann::json::value_t::discarded)
                        : nlohmann::json::parse(json.begin(), json.end(), check, false);
        if (tree.is_discarded())
            reject({file, what, 0}, "JSON", text("'", printable(json, 40), "'"));
        return tree;
    }

    // A JSON string with its quotes.
    inline std::string quoted(std::string_view file, std::string_view s)
    {
        std::string const line = nlohmann::json(s).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
        if (nlohmann::json::parse(line, nullptr, false) != nlohmann::json(s))
            reject({file, s, 0}, "a name in UTF-8", "other bytes");
        return line;
    }
}
