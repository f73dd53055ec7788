// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <jackplane/store/gguf/file.hpp>
#include "../settings_file.hpp"
#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <variant>
#include <vector>

namespace engine
{
    // Throws format_error that says what stands under the key.
    inline void expect(jackplane::gguf::file const& file, bool right, std::string const& key,
                       std::string const& expected)
    {
        auto const* const found = file.metadata().find(key);
        JACKPLANE_EXPECTS(right, jackplane::format_error, jackplane::detail::one_line(file.name()), ": key '",
                          jackplane::detail::printable(key), "': expected ", expected, ", found ",
                          found ? jackplane::gguf::detail::said(*found) : "none");
    }

    // One file, by the keys below its architecture's name.
    class gguf_fields
    {
    public:
        explicit gguf_fields(jackplane::gguf::file const& f)
            : file(f), architecture(f.metadata().get<std::string>("general.architecture"))
        {
        }

        std::string key(std::string_view name) const { return text(architecture, ".", name); }
        // What is asked for counts as read: unread() names the others.
        bool has(std::string_view name) const
        {
            _asked.insert(key(name));
            return file.metadata().find(key(name)) != nullptr;
        }
        bool has_tensor(std::string const& name) const { return file.find(name) != nullptr; }
        double real(std::string_view name) const // also of one that is stored as a whole number
        {
            bool const there = has(name);
            std::optional<double> found;
            if (there)
                std::visit(
                    [&]<class T>(T const& x)
                    {
                        if constexpr (std::is_arithmetic_v<T> && !std::same_as<T, bool>)
                            found = static_cast<double>(x);
                    },
                    *file.metadata().find(key(name)));
            expect(found && std::isfinite(*found), name, "a finite number");
            return *found;
        }
        double real_or(std::string_view name, double otherwise) const { return has(name) ? real(name) : otherwise; }
        std::string string(std::string_view name) const
        {
            _asked.insert(key(name));
            return file.metadata().get<std::string>(key(name));
        }
        // A number, or the same number for every layer.
        std::size_t size(std::string_view name) const
        {
            _asked.insert(key(name));
            auto const* const found = file.metadata().find(key(name));
            if (found == nullptr || !std::holds_alternative<jackplane::gguf::array>(*found))
                return file.metadata().get<std::size_t>(key(name));
            auto const each = file.metadata().get<std::vector<std::size_t>>(key(name));
            bool const alike =
                !each.empty() && std::all_of(each.begin(), each.end(), [&](auto x) { return x == each[0]; });
            expect(alike, name, "the same number for all layers");
            return each[0];
        }
        std::size_t size_or(std::string_view name, std::size_t otherwise) const
        {
            return has(name) ? size(name) : otherwise;
        }
        std::size_t head_dim() const
        {
            std::size_t const heads = std::max<std::size_t>(size("attention.head_count"), 1);
            return size_or("attention.key_length", size("embedding_length") / heads);
        }
        void expect(bool right, std::string_view name, std::string const& expected) const
        {
            engine::expect(file, right, key(name), expected);
        }
        std::vector<float> vector(std::string const& name) const // a tensor of one dimension
        {
            auto const values = jackplane::gguf::read(file.at(name));
            return {values.begin(), values.end()};
        }

        // Keys of the architecture that nobody asked for.
        std::vector<std::string> unread() const
        {
            std::vector<std::string> all;
            for (auto const& [name, value] : file.metadata())
                if (name.starts_with(architecture + ".") && !_asked.contains(name))
                    all.push_back(name);
            return all;
        }

        jackplane::gguf::file const& file;
        std::string architecture;

    private:
        mutable std::set<std::string> _asked{};
    };

    struct gguf_description;

    // How a family's models stand in GGUF files.
    struct gguf_form
    {
        std::string_view name{};         // general.architecture
        bool experts = false;            // families with experts and without share a name
        bool pairs_side_by_side = false; // rows of q and k: the two numbers that turn together are neighbours
        // What the family adds to a config.json that has sizes and model_type already. Null: the files are read as
        // another family's.
        void (*describe)(gguf_fields const& fields, nlohmann::ordered_json& config) = nullptr;
        void (*tell)(gguf_description& to) = nullptr; // what it adds to the sizes in a file
    };

    // Parts of a config.json that several families have.
    void add_rotation(gguf_fields const& fields, nlohmann::ordered_json& config, bool partial = false);
    void add_experts(gguf_fields const& fields, nlohmann::ordered_json& config, char const* count);
    void add_window(gguf_fields const& fields, nlohmann::ordered_json& config);
}
