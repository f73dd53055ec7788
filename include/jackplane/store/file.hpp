// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include "map.hpp"

// What files of tensors have in common: how they are opened, and the handle.
namespace jackplane::inline v0::inline JACKPLANE_TARGET
{
    // Reads the header; data are mapped, and read from the disk when touched. Throws io_error, format_error.
    template <class File>
    struct open_file
    {
        File operator()(std::filesystem::path const& path) const
        {
            mapped_file const map(path);
            return {path.string(), map.bytes(), map.keep()};
        }
    };
    // The same over bytes that the caller keeps alive, by himself or through `keep`.
    template <class File>
    struct parse_file
    {
        File operator()(std::span<std::byte const> bytes, std::string name,
                        std::shared_ptr<void const> keep = {}) const
        {
            return {std::move(name), bytes, std::move(keep)};
        }
    };
    // The twins of these two.
    template <class File>
    struct try_open_file
    {
        template <class = void>
        attempt<File> operator()(std::filesystem::path const& path) const
        {
            return try_load([&] { return open_file<File>{}(path); });
        }
    };
    template <class File>
    struct try_parse_file
    {
        template <class = void>
        attempt<File> operator()(std::span<std::byte const> bytes, std::string name,
                                 std::shared_ptr<void const> keep = {}) const
        {
            return try_load([&] { return parse_file<File>{}(bytes, std::move(name), std::move(keep)); });
        }
    };

    // A cheap handle; tensors stay readable as long as a copy of it or its keep() lives. Header: what the file's head
    // says, among it `metadata` and, by name, `tensors`.
    template <class Header>
    class tensor_file
    {
    public:
        std::string const& name() const& noexcept { return _all->name; } // for messages: its path
        std::string name() const&& { return _all->name; }
        auto const& metadata() const& noexcept { return _all->head.metadata; }
        auto metadata() const&& { return _all->head.metadata; }
        std::shared_ptr<void const> const& keep() const& noexcept { return _all->keep; }
        std::shared_ptr<void const> keep() const&& noexcept { return _all->keep; }

        auto const& tensors() const& noexcept { return _all->head.tensors; }
        void tensors() const&& = delete; // these three would point into a temporary
        void find(std::string_view) const&& = delete;
        void at(std::string_view) const&& = delete;
        auto const* find(std::string_view tensor) const& noexcept // null: there is none
        {
            auto const found = tensors().find(tensor);
            return found == tensors().end() ? nullptr : &found->second;
        }
        auto const& at(std::string_view tensor) const&
        {
            auto const* const found = find(tensor);
            JACKPLANE_EXPECTS(found != nullptr, format_error, detail::one_line(name()), ": no tensor '",
                              detail::printable(tensor), "' among ", tensors().size());
            return *found;
        }

    protected:
        struct contents // of all copies
        {
            std::string name;
            std::shared_ptr<void const> keep;
            Header head = {};
        };
        tensor_file(std::string name, std::shared_ptr<void const> keep)
            : _all(new contents{std::move(name), std::move(keep)})
        {
        }
        std::shared_ptr<contents> _all;
    };
}
