// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <array>
#include <cstddef>
#include <filesystem>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>
#include "../core/progress.hpp"
#include "../detach/csr.hpp"
#include "../pack/contiguous.hpp"
#include "../pack/pack.hpp"
#include "detail/nested_settings.hpp"
#include "nested.hpp"
#include "safetensors_write.hpp"

namespace jackplane::inline v0::inline JACKPLANE_TARGET::detail
{
    // A packed matrix without its type: what stands in the header, and the bytes.
    struct nested_layer
    {
        std::string name;
        nested::layer is;
        std::vector<std::span<std::byte const>> planes;
        std::span<std::byte const> scale, zero;
        std::vector<std::pair<std::span<std::byte const>, std::span<std::byte const>>> own; // scale, zero; as is.own
        std::array<std::span<std::byte const>, 3> sparse; // rows, columns, values; as is.sparse
        std::shared_ptr<void const> keep, keep_sparse;
    };

    template <code_layout L, codebook C, scale_number S, zero_number Z>
    nested_layer nested_layer_of(std::string name, packed<L, C, S, Z> const& given)
    {
        static_assert(L::bits == C::bits && std::is_empty_v<C>,
                      "the file holds whole codes of a codebook without state");
        auto const a = contiguous(given);
        auto const& v = a.view();
        std::string const where = "layer '" + printable(name) + "': ";
        bool const is_whole = v.planes == L::count && code_line{v.step, v.base} == line_of<C>();
        JACKPLANE_EXPECTS(is_whole, width_error, where, "a prefix or a repacked copy; store the matrix it came from");
        JACKPLANE_EXPECTS(v.rows <= nested::largest_side && v.cols <= nested::largest_side, shape_error, where, v.rows,
                          " x ", v.cols, "; a side may have ", nested::largest_side);
        nested_layer out{std::move(name), {}, {}, {}, {}, {}, {}, a.owner(), {}};
        out.is = {v.rows,      v.cols,         v.group, C::name(), C::bits, {L::widths.begin(), L::widths.end()},
                  dtype_of<S>, zero_text<Z>(), {}};
        auto const bytes = [](auto const* p, std::size_t n)
        { return std::as_bytes(std::span(p, p == nullptr ? 0 : n)); };
        std::size_t const scales = v.panels * v.groups * block::rows;
        for (std::size_t i = 0; i < L::count; ++i)
            out.planes.push_back({v.plane[i], v.panels * v.blocks * L::bytes(i)});
        auto const zeros = [&](Z const* z)
        { return std::same_as<Z, no_zero> ? std::span<std::byte const>{} : bytes(z, scales); };
        out.scale = bytes(v.scales, scales);
        out.zero = zeros(v.zeros);
        for (unsigned bits = 1; bits <= C::bits; ++bits)
            if (auto const& own = a.own_scales()[bits]; own.scales != nullptr && own.scales != v.scales)
            {
                JACKPLANE_EXPECTS(L::planes_of(bits) != 0, width_error, where, "scales of its own at ", bits,
                                  " bits, which its planes cannot give");
                out.is.own.push_back(bits);
                out.own.push_back({bytes(own.scales, scales), zeros(own.zeros)});
            }
        return out;
    }

    template <scale_number T, column_number I>
    nested_layer with_sparse(nested_layer of, csr<T, I> const& a)
    {
        JACKPLANE_EXPECTS(a.rows() == of.is.rows && a.cols() == of.is.cols, shape_error, "layer '", printable(of.name),
                          "': ", of.is.rows, " x ", of.is.cols, ", and a sparse part of ", a.rows(), " x ", a.cols());
        auto const& v = a.view();
        of.is.sparse = {dtype_of<T>, dtype_of<I>, a.nonzeros()};
        of.sparse = {std::as_bytes(std::span(v.row_pointers, v.rows + 1)),
                     std::as_bytes(std::span(v.columns, a.nonzeros())),
                     std::as_bytes(std::span(v.values, a.nonzeros()))};
        of.keep_sparse = a.owner();
        return of;
    }

    // The head of a nested file; ends in `s` count from the data's start, as items do.
    inline std::string nested_head(std::string_view file, std::span<safetensors::item const> items, nested::settings s,
                                   safetensors::metadata_map metadata)
    {
        constexpr std::string_view key = "\"header_digest\":\"", unset = "0000000000000000";
        metadata["format"] = nested::format_name;
        metadata["format_version"] = s.format_version();
        metadata["header_digest"] = unset;
        std::string head;
        std::uint64_t start = 0;
        do // ends count from the file's start, so their digits decide where the data start
        {
            std::uint64_t const moved = std::max<std::uint64_t>(head.size(), nested::page) - start;
            start += moved;
            s.common.end += moved;
            for (nested::level& l : s.levels)
                l.end += moved;
            metadata["nested"] = nested_json(s);
            head = safetensors::write_header(file, items, metadata, nested::page);
        } while (head.size() != start);
        digest d;
        d.add(std::as_bytes(std::span(head)));
        return head.replace(head.find(key) + key.size(), unset.size(), d.text());
    }
}

namespace jackplane::inline v0::inline JACKPLANE_TARGET::nested
{
    // Collects views of tensors and matrices, then writes them in the order of the file (nested.hpp).
    //     writer file;  file.add({"config.json", dtype::U8, {n}, bytes, {}});  file.add("layers.0.q", packed);
    //     file.save("model.nested");
    class writer
    {
    public:
        std::string slice = "truncate_centred";
        metadata_map metadata; // of your own

        void add(safetensors::item plain) { _plain.push_back(std::move(plain)); }
        template <code_layout L, codebook C, scale_number S, zero_number Z>
        void add(std::string name, packed<L, C, S, Z> const& a)
        {
            _layers.push_back(detail::nested_layer_of(std::move(name), a));
        }
        // beside: the weights themselves (dense_sparse), for every width. Throws shape_error where the two differ.
        template <code_layout L, codebook C, scale_number S, zero_number Z, scale_number T, column_number I>
        void add(std::string name, packed<L, C, S, Z> const& a, csr<T, I> const& beside)
        {
            _layers.push_back(detail::with_sparse(detail::nested_layer_of(std::move(name), a), beside));
        }
        template <class... Packed>
        void add(std::string name, std::variant<Packed...> const& a)
        {
            _layers.push_back(layer_of(std::move(name), a));
        }
        template <class... Packed, scale_number T, column_number I>
        void add(std::string name, std::variant<Packed...> const& a, csr<T, I> const& beside)
        {
            _layers.push_back(detail::with_sparse(layer_of(std::move(name), a), beside));
        }
        void add(detail::nested_layer layer) { _layers.push_back(std::move(layer)); }
        // A common layer (nested.hpp). Throws width_error where it has scales for some width alone.
        template <class Packed, class... Sparse>
        void add_common(std::string name, Packed const& a, Sparse const&... beside)
        {
            add(std::move(name), a, beside...);
            layer& is = _layers.back().is;
            JACKPLANE_EXPECTS(is.own.empty(), width_error, "layer '", detail::printable(_layers.back().name),
                              "': scales for ", is.own[0], " bits alone, in a layer that all widths share");
            is.common = is.bits;
        }

        // told: after each tensor written. A callback of an item runs twice: for its digest, and to write.
        void save(std::filesystem::path const& path, progress const& told = {}) const
        {
            atomic_file out(path);
            save(out, told);
        }
        void save(atomic_file& out, progress const& told = {}) const; // and commits

    private:
        struct plan // the data, from offset 0
        {
            std::vector<safetensors::item> items;
            std::vector<std::size_t> ends; // items in what all widths need, and up to each level
            settings s;
            std::uint64_t size = 0;

            void add(safetensors::item item, std::size_t multiple = alignment, std::size_t beyond = 0);
            void end_level(unsigned bits);
        };
        plan arrange() const;
        template <class Any> // for each format once, not for each pair of a format and a sparse type
        static detail::nested_layer layer_of(std::string name, Any const& a)
        {
            return std::visit([&](auto const& each) { return detail::nested_layer_of(std::move(name), each); }, a);
        }

        std::vector<safetensors::item> _plain;
        std::vector<detail::nested_layer> _layers;
    };

    // The item starts `beyond` bytes after a multiple of `multiple`.
    inline void writer::plan::add(safetensors::item item, std::size_t multiple, std::size_t beyond)
    {
        static constexpr std::array<std::byte, page> zeros{};
        if (std::uint64_t const pad = (multiple - size % multiple + beyond) % multiple; pad != 0)
        {
            std::string name = std::string(pad_prefix) + std::to_string(items.size());
            auto const bytes = std::span(zeros).first(static_cast<std::size_t>(pad));
            items.push_back({std::move(name), dtype::U8, {pad}, bytes, {}});
            size += pad;
        }
        size += safetensors::byte_size(item.type, item.shape).value_or(0); // write_header() refuses none
        items.push_back(std::move(item));
    }

    inline void writer::plan::end_level(unsigned bits)
    {
        digest d;
        for (std::size_t i = ends.empty() ? 0 : ends.back(); i < items.size(); ++i)
            safetensors::write_data(items[i], [&](std::span<std::byte const> bytes) { d.add(bytes); });
        ends.push_back(items.size());
        (bits == 0 ? s.common : s.levels.emplace_back()) = {bits, size, d.text()};
    }

    inline writer::plan writer::arrange() const
    {
        plan p;
        p.s.slice = slice;
        std::set<unsigned> levels;
        for (safetensors::item const& i : _plain)
        {
            JACKPLANE_EXPECTS(!i.name.starts_with(pad_prefix), format_error, "tensor '", detail::printable(i.name),
                              "': names of padding are taken");
            p.add(i);
        }
        for (detail::nested_layer const& l : _layers)
        {
            JACKPLANE_EXPECTS(p.s.layers.emplace(l.name, l.is).second, format_error, "layer '",
                              detail::printable(l.name), "': the name is taken");
            p.add({scale_name(l.name), l.is.scale, l.is.scale_shape(), l.scale, {}});
            if (l.is.zero != "none")
                p.add({zero_name(l.name), *l.is.zero_type(), l.is.scale_shape(), l.zero, {}});
            if (auto const& s = l.is.sparse)
            {
                p.add({sparse_name(l.name, "row"), dtype::U32, {l.is.rows + 1}, l.sparse[0], {}});
                p.add({sparse_name(l.name, "column"), s->column, {s->nonzeros}, l.sparse[1], {}});
                p.add({sparse_name(l.name, "value"), s->value, {s->nonzeros}, l.sparse[2], {}});
            }
            for (std::size_t i = 0; i < l.planes.size(); ++i)
                if (l.is.common != 0)
                    p.add({plane_name(l.name, i), dtype::U8, l.is.plane_shape(i), l.planes[i], {}}, page,
                          i * plane_stagger % page);
                else
                    levels.insert(l.is.bits_through(i));
        }
        JACKPLANE_EXPECTS(!levels.empty(), format_error, "a nested file without a packed matrix");
        p.end_level(0);
        std::size_t stagger = 0;
        for (unsigned const bits : levels)
        {
            std::size_t multiple = page; // for the first of the level
            std::size_t const beyond = std::exchange(stagger, stagger + plane_stagger) % page;
            auto const add_next = [&](safetensors::item item)
            {
                std::size_t const first = multiple == page ? beyond : 0;
                p.add(std::move(item), std::exchange(multiple, alignment), first);
            };
            for (detail::nested_layer const& l : _layers)
                for (std::size_t i = 0; i < l.own.size(); ++i)
                    if (l.is.own[i] == bits)
                    {
                        add_next({scale_name(l.name, bits), l.is.scale, l.is.scale_shape(), l.own[i].first, {}});
                        if (l.is.zero != "none")
                            add_next({zero_name(l.name, bits), *l.is.zero_type(), l.is.scale_shape(),
                                      l.own[i].second, {}});
                    }
            for (detail::nested_layer const& l : _layers)
                for (std::size_t i = 0; i < l.planes.size(); ++i)
                    if (l.is.planes_level(i) == bits)
                        add_next({plane_name(l.name, i), dtype::U8, l.is.plane_shape(i), l.planes[i], {}});
            p.end_level(bits);
        }
        return p;
    }

    inline void writer::save(atomic_file& out, progress const& told) const
    {
        for (auto const key : {"format", "format_version", "header_digest", "nested"})
            JACKPLANE_EXPECTS(!metadata.contains(key), format_error, "the metadata key '", key, "' is taken");
        plan const p = arrange();
        std::string const head = detail::nested_head(out.path().string(), p.items, p.s, metadata);
        out.reserve(head.size() + p.size);
        out.write(std::as_bytes(std::span(head)));
        for (std::size_t i = 0; i < p.items.size(); ++i)
        {
            safetensors::write_data(p.items[i], [&](std::span<std::byte const> bytes) { out.write(bytes); });
            if (told)
                told(p.items[i].name, i + 1, p.items.size());
        }
        out.commit();
    }
}
