// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <jackplane/core/check.hpp>
#include <jackplane/store/foreign.hpp>
#include <jackplane/store/json.hpp>
#include <jackplane/store/map.hpp>
#include <nlohmann/json.hpp>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

namespace engine
{
    using jackplane::text;

    // Whether something has that name. A link to nothing is there: whoever opens it says so; it is no missing file.
    inline bool is_there(std::filesystem::path const& path)
    {
        std::error_code error;
        return std::filesystem::exists(std::filesystem::symlink_status(path, error));
    }

    // One settings file, with errors that name it: "model/config.json: 'hidden_size' is -3, expected ...".
    class settings_file
    {
    public:
        settings_file(std::string name, std::string_view json) : _name(std::move(name))
        {
            std::string const found = json.empty() ? "an empty file" : jackplane::detail::known_kind(json);
            bool const is_json = found.empty() || found == "a JSON text";
            JACKPLANE_EXPECTS(is_json, jackplane::format_error, jackplane::detail::one_line(_name),
                              ": expected a JSON object, found ", found);
            _tree = jackplane::detail::read_json(_name, "", json, 64);
        }
        explicit settings_file(std::filesystem::path const& file) : settings_file(file.string(), contents(file)) {}

        static std::string contents(std::filesystem::path const& file)
        {
            jackplane::mapped_file const map(file); // a pipe or a device is an error
            return {reinterpret_cast<char const*>(map.bytes().data()), map.size()};
        }

        std::string const& name() const noexcept { return _name; }
        nlohmann::json const& tree() const noexcept { return _tree; }
        bool has(std::string const& key) const { return _tree.contains(key) && !_tree[key].is_null(); }

        void put(std::string const& key, nlohmann::json const& value) { _tree[key] = value; }

        // The object under a key, as settings of their own: "model/config.json: 'rope_parameters'".
        settings_file inner(std::string const& key) const
        {
            expect(_tree.at(key).is_object(), key, "an object");
            settings_file part;
            part._name = text(_name, ": '", jackplane::detail::printable(key), "'");
            part._tree = _tree.at(key);
            return part;
        }

        // A whole number in [1, most].
        std::size_t size(char const* key, std::uint64_t most) const
        {
            require(key);
            auto const& value = _tree[key];
            bool const fits =
                value.is_number_unsigned() && value.get<std::uint64_t>() >= 1 && value.get<std::uint64_t>() <= most;
            expect(fits, key, text("a whole number from 1 to ", most));
            return value.get<std::size_t>();
        }

        double positive(char const* key) const
        {
            require(key);
            auto const& value = _tree[key];
            expect(value.is_number() && value.get<double>() > 0.0 && std::isfinite(value.get<double>()), key,
                   "a positive number");
            return value.get<double>();
        }

        bool flag(char const* key, bool otherwise) const
        {
            expect(!has(key) || _tree[key].is_boolean(), key, "true or false");
            return has(key) ? _tree[key].get<bool>() : otherwise;
        }

        void expect(bool condition, std::string const& key, std::string const& expected) const
        {
            JACKPLANE_EXPECTS(condition, jackplane::format_error, jackplane::detail::one_line(_name), ": '",
                              jackplane::detail::printable(key), "' is ", shown(_tree.value(key, nlohmann::json())),
                              ", expected ", expected);
        }

        static std::string shown(nlohmann::json const& value)
        {
            return value.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace).substr(0, 80);
        }

    private:
        settings_file() = default;

        void require(char const* key) const
        {
            JACKPLANE_EXPECTS(has(key), jackplane::format_error, jackplane::detail::one_line(_name), ": no '", key,
                              "'");
        }

        std::string _name;
        nlohmann::json _tree;
    };
}
