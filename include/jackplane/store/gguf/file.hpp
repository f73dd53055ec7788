// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include "../../core/view.hpp"
#include "../map.hpp"
#include "header.hpp"

// Reading GGUF, versions 2 and 3, strictly: every key and name once, offsets that follow one another, sizes that agree
// with types and shapes, a file that ends where the header says. Writing: write.hpp.
namespace jackplane::inline v0::inline JACKPLANE_TARGET::gguf
{
    // A cheap handle; tensors stay readable as long as a copy of it or its keep() lives. The data of a big-endian file
    // are a copy in the order of this machine.
    class file
    {
    public:
        file(std::string name, std::span<std::byte const> bytes, std::shared_ptr<void const> keep)
            : _all(std::make_shared<contents>(std::move(name), std::move(keep)))
        {
            _all->head = detail::header_reader(_all->name, bytes).read();
            if (_all->head.is_big_endian)
                swap();
        }

        std::string const& name() const& noexcept { return _all->name; } // for messages: its path
        std::string name() const&& { return _all->name; }
        gguf::metadata const& metadata() const& noexcept { return _all->head.metadata; }
        gguf::metadata metadata() const&& { return _all->head.metadata; }
        bool is_big_endian() const noexcept { return _all->head.is_big_endian; }
        std::uint64_t alignment() const noexcept { return _all->head.alignment; }
        std::shared_ptr<void const> keep() const noexcept { return _all; }

        tensor_map const& tensors() const& noexcept { return _all->head.tensors; }
        std::span<tensor const* const> order() const& noexcept
        {
            return {_all->head.order.data(), _all->head.order.size()};
        }
        void tensors() const&& = delete; // these four would point into a temporary
        void order() const&& = delete;
        void find(std::string_view) const&& = delete;
        void at(std::string_view) const&& = delete;
        tensor const* find(std::string_view tensor_name) const& noexcept
        {
            auto const found = tensors().find(tensor_name);
            return found == tensors().end() ? nullptr : &found->second;
        }
        tensor const& at(std::string_view tensor_name) const&
        {
            tensor const* const found = find(tensor_name);
            JACKPLANE_EXPECTS(found != nullptr, format_error, detail::one_line(name()), ": no tensor '",
                              detail::printable(tensor_name), "' among ", tensors().size());
            return *found;
        }

    private:
        struct contents
        {
            contents(std::string n, std::shared_ptr<void const> k) : name(std::move(n)), keep(std::move(k)) {}
            std::string name;
            std::shared_ptr<void const> keep;
            header head;
            aligned_vector<std::byte> swapped; // data of a big-endian file
        };

        void swap()
        {
            auto& all = *_all;
            all.swapped.resize(static_cast<std::size_t>(all.head.end - all.head.data_start * !all.head.order.empty()));
            for (tensor* t : all.head.order)
            {
                if (!t->type.is_decoded && t->type.bytes > 1 && t->type.words.empty())
                    detail::reject({all.name, t->name, t->offset}, "a type that is read of a big-endian file",
                                   std::string(t->type.name));
                auto const to =
                    std::span(all.swapped)
                        .subspan(static_cast<std::size_t>(t->offset - all.head.data_start), t->bytes.size());
                std::copy(t->bytes.begin(), t->bytes.end(), to.begin());
                swap_bytes(t->type, to);
                t->bytes = to;
            }
        }

        std::shared_ptr<contents> _all;
    };

    // Reads the header; data are mapped, and read from the disk when touched.
    inline file open(std::filesystem::path const& path)
    {
        mapped_file const map(path);
        return {path.string(), map.bytes(), map.keep()};
    }
    template <class = void>
    attempt<file> try_open(std::filesystem::path const& path)
    {
        return try_load([&] { return open(path); });
    }

    // The same over bytes that the caller keeps alive, by himself or through `keep`.
    inline file parse(std::span<std::byte const> bytes, std::string name, std::shared_ptr<void const> keep = {})
    {
        return {std::move(name), bytes, std::move(keep)};
    }
    template <class = void>
    attempt<file> try_parse(std::span<std::byte const> bytes, std::string name, std::shared_ptr<void const> keep = {})
    {
        return try_load([&] { return parse(bytes, std::move(name), std::move(keep)); });
    }

    // f(T{}) for the type of a tensor. Throws format_error for one that is not decoded here, as IQ2_XS or I32.
    template <class F>
    void visit_type(tensor const& t, F&& f)
    {
        JACKPLANE_EXPECTS(visit_type(t.type.id, std::forward<F>(f)), format_error, "tensor '",
                          detail::printable(t.name), "': ", t.type.name, " is not decoded here");
    }

    // Rows of a tensor as numbers [rows, cols]. Throws shape_error where x has another shape, else as visit_type.
    inline void read_rows(tensor const& t, std::size_t first, matrix_view<float> x)
    {
        JACKPLANE_EXPECTS(x.cols == t.cols() && first <= t.rows() && x.rows <= t.rows() - first, shape_error,
                          "tensor '", detail::printable(t.name), "': rows ", first, " to ", first + x.rows, " of ",
                          x.cols, " columns, of ", t.rows(), " x ", t.cols());
        visit_type(t,
                   [&]<class T>(T)
                   {
                       for (std::size_t row = 0; row < x.rows; ++row)
                           decode<T>(t.bytes.subspan((first + row) * t.row_bytes(), t.row_bytes()),
                                     std::span(&x(row, 0), x.cols));
                   });
    }
    // All of them.
    inline aligned_vector<float> read(tensor const& t)
    {
        aligned_vector<float> x(t.rows() * t.cols());
        if (!x.empty())
            read_rows(t, 0, {x.data(), t.rows(), t.cols()});
        return x;
    }
}
