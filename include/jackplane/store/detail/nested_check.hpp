// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "../nested_read.hpp"

// A nested file, opened: what its header says is looked at before anything is read.
namespace jackplane::inline v0::inline JACKPLANE_TARGET::nested
{
    inline file::file(std::string name, std::span<std::byte const> bytes, std::shared_ptr<void const> keep)
        : _all(std::make_shared<contents>())
    {
        if (reinterpret_cast<std::uintptr_t>(bytes.data()) % alignment != 0)
        {
            auto const copy = std::make_shared<aligned_vector<std::byte>>(bytes.begin(), bytes.end());
            bytes = *copy;
            keep = copy;
        }
        _all->name = std::move(name);
        _all->bytes = bytes;
        _all->keep = std::move(keep);
        _all->head = safetensors::read_header(_all->name, bytes);
        auto const value = [&metadata = _all->head.metadata](std::string_view key)
        {
            auto const found = metadata.find(key);
            return found == metadata.end() ? std::string() : found->second;
        };
        if (value("format") != format_name)
            detail::reject({_all->name, "__metadata__.format", 8}, std::string(format_name),
                           text("'", detail::printable(value("format")), "'"));
        auto const version = value("format_version");
        if (std::find(std::begin(format_versions), std::end(format_versions), version) == std::end(format_versions))
            detail::reject({_all->name, "__metadata__.format_version", 8},
                           text(format_versions[0], " or ", format_versions[1]),
                           text("'", detail::printable(version), "'"));
        check_digest();
        _all->s = detail::nested_reader(_all->name, value("nested")).read();
        check_length();
        check_tensors();
    }

    inline void file::check_digest() const
    {
        constexpr std::string_view key = "\"header_digest\":\"", unset = "0000000000000000";
        auto const head = _all->bytes.first(static_cast<std::size_t>(_all->head.data_start));
        std::string_view const text(reinterpret_cast<char const*>(head.data()), head.size());
        std::size_t const found = text.find(key);
        if (found == text.npos || text.size() - found < key.size() + unset.size())
            detail::reject({_all->name, "__metadata__.header_digest", 8}, "16 digits", "none");
        std::size_t const at = found + key.size();
        digest d;
        d.add(head.first(at));
        d.add(std::as_bytes(std::span(unset)));
        d.add(head.subspan(at + unset.size()));
        if (text.substr(at, unset.size()) != d.text())
            detail::reject({_all->name, "__metadata__.header_digest", at}, d.text() + " (the header is damaged)",
                           "'" + detail::printable(text.substr(at, unset.size())) + "'");
    }

    inline void file::check_length()
    {
        auto& all = *_all;
        if (all.head.data_start % page != 0)
            detail::reject({all.name, "", 0}, text("data from a multiple of ", page), text(all.head.data_start));
        if (all.s.common.end < all.head.data_start || all.s.levels.back().end != all.head.end)
            detail::reject({all.name, "__metadata__.nested", 8},
                           text("levels from ", all.head.data_start, " to ", all.head.end),
                           text(all.s.common.end, " to ", all.s.levels.back().end));
        std::string lengths;
        for (std::size_t i = 0; i < all.s.levels.size(); ++i)
        {
            level const& l = all.s.levels[i];
            if (l.end == all.bytes.size())
                all.present = i + 1; // the last of those that end here: a level of empty planes is there, too
            lengths += text(lengths.empty() ? "" : " or ", l.end, " (", l.bits, " bits)");
        }
        if (all.present == 0)
            detail::reject({all.name, "", all.bytes.size()}, "a file of " + lengths + " bytes",
                           text(all.bytes.size(), all.bytes.size() < all.head.end ? " (truncated)" : ""));
    }

    // A tensor that must be there, of that type and shape, inside the level of `bits`.
    inline safetensors::tensor const& file::expect(std::string const& tensor, dtype type, extents const& shape,
                                                   unsigned bits) const
    {
        auto const found = _all->head.tensors.find(tensor);
        if (found == _all->head.tensors.end())
            detail::reject({_all->name, tensor, _all->head.data_start}, "the tensor", "none");
        safetensors::tensor const& t = found->second;
        if (t.type != type || t.shape != shape)
            detail::reject({_all->name, tensor, t.offset}, text(dtype_name(type), " ", safetensors::shape_text(shape)),
                           text(dtype_name(t.type), " ", safetensors::shape_text(t.shape)));
        std::uint64_t begin = _all->head.data_start, end = _all->s.common.end;
        for (level const& l : _all->s.levels)
            if (l.bits <= bits)
                begin = std::exchange(end, l.end);
        if (t.offset % alignment != 0 || t.offset < begin || t.end() > end)
            detail::reject({_all->name, tensor, t.offset},
                           text("a multiple of ", alignment, " from ", begin, " up to ", end),
                           text(t.offset, " up to ", t.end()));
        return t;
    }

    inline void file::check_tensors()
    {
        auto& all = *_all;
        std::set<safetensors::tensor const*> known;
        auto const scales = [&](std::string const& name, layer const& l, unsigned bits)
        {
            known.insert(&expect(scale_name(name, bits), l.scale, l.scale_shape(), bits));
            if (l.zero != "none")
                known.insert(&expect(zero_name(name, bits), *l.zero_type(), l.scale_shape(), bits));
        };
        for (auto const& [name, l] : all.s.layers)
        {
            scales(name, l, 0);
            auto const is_level = [&](unsigned bits) {
                return std::any_of(all.s.levels.begin(), all.s.levels.end(),
                                   [&](level const& each) { return each.bits == bits; });
            };
            for (std::size_t i = 0; i < l.planes_in(l.common != 0 ? l.common : all.s.levels.back().bits); ++i)
            {
                if (l.common == 0 && !is_level(l.bits_through(i)))
                    detail::reject({all.name, plane_name(name, i), 8}, text("a level of ", l.bits_through(i), " bits"),
                                   "none");
                known.insert(&expect(plane_name(name, i), dtype::U8, l.plane_shape(i), l.planes_level(i)));
            }
            if (l.sparse)
            {
                known.insert(&expect(sparse_name(name, "row"), dtype::U32, {l.rows + 1}, 0));
                known.insert(&expect(sparse_name(name, "column"), l.sparse->column, {l.sparse->nonzeros}, 0));
                known.insert(&expect(sparse_name(name, "value"), l.sparse->value, {l.sparse->nonzeros}, 0));
            }
            for (unsigned const bits : l.own)
                if (bits <= all.s.levels.back().bits)
                {
                    if (!is_level(bits))
                        detail::reject({all.name, scale_name(name, bits), 8}, text("a level of ", bits, " bits"),
                                       "none");
                    scales(name, l, bits);
                }
        }
        for (safetensors::tensor* t : all.head.order)
        {
            if (t->end() <= all.bytes.size())
                t->bytes = all.bytes.subspan(static_cast<std::size_t>(t->offset), static_cast<std::size_t>(t->size));
            if (known.contains(t) || t->name.starts_with(pad_prefix))
                continue;
            if (t->end() > all.s.common.end)
                detail::reject({all.name, t->name, t->offset}, text("a plain tensor to end by ", all.s.common.end),
                               text(t->end()));
            all.plain.push_back(t);
        }
    }
}
