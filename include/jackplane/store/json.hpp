// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <nlohmann/json.hpp>
#include <algorithm>
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
            reject({_file, tensor, _offset + position()}, expected, found);
        }

    protected:
        std::size_t position() const noexcept // bytes read so far
        {
            return _at == nullptr ? 0 : static_cast<std::size_t>(_at - _json.data());
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

    // Where a byte of a text stands, both from 1: "line 3, column 17".
    inline std::string line_and_column(std::string_view all, std::size_t at)
    {
        std::string_view const before = all.substr(0, at);
        auto const start = before.rfind('\n') + 1; // 0 in the first line: npos + 1
        return text("line ", 1 + std::count(before.begin(), before.end(), '\n'), ", column ", 1 + at - start);
    }

    // Looks through a settings text: JSON that is an object, every key once, at most `depth` levels.
    class settings_check : public json_events
    {
    public:
        settings_check(std::string_view file, std::string_view what, std::string_view json, std::size_t depth)
            : json_events(file, json, 0), _file(file), _what(what), _json(json), _depth(depth)
        {
        }

        bool null() override { return leaf(); }
        bool boolean(bool) override { return leaf(); }
        bool number_integer(std::int64_t) override { return leaf(); }
        bool number_unsigned(std::uint64_t) override { return leaf(); }
        bool number_float(double, std::string const&) override { return leaf(); }
        bool string(std::string&) override { return leaf(); }
        bool start_object(std::size_t) override { return enter(); }
        bool start_array(std::size_t) override { return _keys.empty() ? leaf() : enter(); }
        bool end_object() override { return leave(); }
        bool end_array() override { return leave(); }
        bool key(std::string& k) override
        {
            if (!_keys.back().insert(k).second)
                refuse_at(position() - 1, "every key once", text("'", printable(k), "' twice"));
            return true;
        }
        bool parse_error(std::size_t read, std::string const& token, nlohmann::json::exception const&) override
        {
            std::size_t start = std::min(read == 0 ? 0 : read - 1, _json.size());
            constexpr std::string_view ends = " \t\r\n,:[]{}\"";
            while (start > 0 && start < _json.size() && ends.find(_json[start - 1]) == ends.npos)
                --start; // the parser stops inside a word
            std::string_view word = _json.substr(start);
            word = word.substr(0, std::max<std::size_t>(1, std::min(word.find_first_of(ends), word.size())));
            bool const nan = word == "NaN" || word.ends_with("Infinity");
            bool const comment = word.starts_with("//") || word.starts_with("/*") || word.starts_with("#");
            refuse_at(start,
                      nan       ? "a finite number"
                      : comment ? "JSON, which has no comments"
                                : "JSON",
                      word.empty() || token.empty() ? "its end" : text("'", printable(word, 40), "'"));
        }

    private:
        bool leaf()
        {
            if (_keys.empty())
                refuse_at(_json.find_first_not_of(" \t\r\n\xef\xbb\xbf"), "JSON that is an object", // or a BOM
                          text("'", printable(_json, 40), "'"));
            return true;
        }
        bool enter()
        {
            if (_keys.size() == _depth)
                refuse_at(position() - 1, text("at most ", _depth, " levels of JSON"), "more");
            _keys.emplace_back();
            return true;
        }
        bool leave()
        {
            _keys.pop_back();
            return true;
        }
        [[noreturn]] void refuse_at(std::size_t at, std::string const& expected, std::string const& found) const
        {
            std::string const inside = _what.empty() ? "" : text("tensor '", printable(_what), "', ");
            fail<format_error>(text(one_line(_file), ": ", inside, line_and_column(_json, at), ": expected ", expected,
                                    ", found ", found));
        }

        std::string_view _file, _what, _json;
        std::size_t _depth;
        std::vector<std::set<std::string>> _keys; // of the objects and arrays around
    };

    // A settings text as a tree: an object, every key once. `what`: where in the file it stands, if not alone.
    inline nlohmann::json read_json(std::string_view file, std::string_view what, std::string_view json,
                                    std::size_t depth = 8)
    {
        settings_check(file, what, json, depth).read();
        return nlohmann::json::parse(json.begin(), json.end(), nullptr, false);
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
