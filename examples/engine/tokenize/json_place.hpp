// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "../describe/settings_file.hpp"
#include <algorithm>
#include <cstddef>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace engine
{
    // A value somewhere inside a JSON file, with errors that say where: "m/tokenizer.json: 'model.type' is "Unigram",
    // expected BPE". The file's tree must outlive it.
    class json_place
    {
    public:
        explicit json_place(settings_file const& file) : _file(&file.name()), _value(&file.tree()) {}

        nlohmann::json const& value() const noexcept { return *_value; }
        bool is_null() const noexcept { return _value->is_null(); }

        // Under a key of an object; null where there is none.
        json_place at(std::string const& key) const
        {
            expect(_value->is_object(), "an object");
            auto const found = _value->find(key);
            return {_file, found == _value->end() ? &nothing() : &*found,
                    _path.empty() ? key : jackplane::text(_path, ".", key)};
        }
        json_place at(std::size_t i) const { return {_file, &_value->at(i), jackplane::text(_path, "[", i, "]")}; }

        std::size_t elements() const
        {
            expect(_value->is_array(), "a list");
            return _value->size();
        }

        // The parts of {"type": "Sequence", key: [...]}.
        std::vector<json_place> sequence(std::string const& key) const
        {
            only({"type", key});
            json_place const list = at(key);
            std::vector<json_place> parts;
            for (std::size_t i = 0; i < list.elements(); ++i)
                parts.push_back(list.at(i));
            return parts;
        }

        void expect(bool condition, std::string_view expected) const
        {
            if (!condition)
                refuse(settings_file::shown(*_value), expected);
        }

        // What is not known here changes ids as likely as not.
        void only(std::initializer_list<std::string_view> keys) const
        {
            expect(_value->is_object(), "an object");
            for (auto const& [key, value] : _value->items())
                if (std::find(keys.begin(), keys.end(), key) == keys.end())
                    at(key).refuse(settings_file::shown(value), "no such key");
        }

        bool flag(bool otherwise) const
        {
            expect(is_null() || _value->is_boolean(), "true or false");
            return is_null() ? otherwise : _value->get<bool>();
        }

        std::string const& string() const
        {
            expect(_value->is_string(), "a string");
            return _value->get_ref<std::string const&>();
        }

        [[noreturn]] void refuse(std::string const& found, std::string_view expected) const
        {
            jackplane::fail<jackplane::format_error>(jackplane::text(jackplane::detail::one_line(*_file), ": '",
                                                                     jackplane::detail::printable(_path), "' is ",
                                                                     found, ", expected ", expected));
        }

    private:
        json_place(std::string const* file, nlohmann::json const* value, std::string path)
            : _file(file), _value(value), _path(std::move(path))
        {
        }

        static nlohmann::json const& nothing()
        {
            static nlohmann::json const null;
            return null;
        }

        std::string const* _file;
        nlohmann::json const* _value;
        std::string _path;
    };
}
