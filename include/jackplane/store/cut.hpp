// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>
#include "nested_read.hpp"
#include "nested_write.hpp"

namespace jackplane::inline v0::inline JACKPLANE_TARGET::detail
{
    // All that a file holds up to a level, its common layers with the planes of at most so many bits.
    inline nested::writer lay_out_anew(nested::file const& from, unsigned level, unsigned common_bits)
    {
        nested::writer out;
        out.slice = from.described().slice;
        out.metadata = from.metadata();
        for (auto const key : {"format", "format_version", "header_digest", "nested"})
            out.metadata.erase(key);
        for (safetensors::tensor const* t : from.plain())
            out.add({t->name, t->type, t->shape, t->bytes, {}});
        std::map<std::string, std::span<std::byte const>, std::less<>> bytes;
        for (safetensors::tensor const* t : from.order())
            bytes.emplace(t->name, t->bytes);
        auto const of = [&](std::string const& name)
        {
            auto const found = bytes.find(name);
            return found == bytes.end() ? std::span<std::byte const>{} : found->second;
        };
        auto const layer_of = [&](std::string const& name, nested::layer const& is)
        {
            nested_layer l{name, is, {}, of(nested::scale_name(name)), of(nested::zero_name(name)), {}, {}, {}, {}};
            unsigned const most = is.common != 0 ? std::min(common_bits, is.common) : level;
            std::size_t const n = is.planes_in(most);
            for (std::size_t i = 0; i < n; ++i)
                l.planes.push_back(of(nested::plane_name(name, i)));
            if (is.common != 0)
                l.is.common = is.bits_through(n - 1);
            for (unsigned const width : is.own)
                if (width <= most)
                    l.own.push_back({of(nested::scale_name(name, width)), of(nested::zero_name(name, width))});
            if (is.sparse)
                l.sparse = {of(nested::sparse_name(name, "row")), of(nested::sparse_name(name, "column")),
                            of(nested::sparse_name(name, "value"))};
            return l;
        };
        for (safetensors::tensor const* t : from.order()) // layers, in the order of the file
            for (auto const& [name, is] : from.described().layers)
                if (t->name == nested::scale_name(name))
                    out.add(layer_of(name, is));
        return out;
    }

    // Throws width_error unless there are common layers and each can be read at so many bits.
    inline void expect_common_width(nested::file const& from, unsigned bits)
    {
        nested::settings const& s = from.described();
        std::string const name = one_line(from.name());
        JACKPLANE_EXPECTS(s.has_common_layers(), width_error, name,
                          ": no layer has a width of its own, so none is cut to ", bits, " bits");
        for (auto const& [layer, is] : s.layers)
        {
            auto const widths = s.common_widths(is);
            std::string list;
            for (unsigned const width : widths)
                list += text(list.empty() ? "" : ", ", width);
            JACKPLANE_EXPECTS(is.common == 0 || std::find(widths.begin(), widths.end(), bits) != widths.end(),
                              width_error, name, ": layer '", printable(layer), "' cannot be read at ", bits,
                              " bits, only at ", list);
        }
    }
}

namespace jackplane::inline v0::inline JACKPLANE_TARGET::nested
{
    // A file of at most `bits` bits for any reader of safetensors: the same bytes up to that level's end under a header
    // that lists no more; the widths that remain give what they gave before. common_bits: of common layers, the planes
    // that this width reads stay; where that drops one, the file is laid out anew. 0: all stay. Checks the digests of
    // what it copies. Throws width_error when there is no such level, no common layer that is asked to be of so many
    // bits, or a layer would no longer be readable at any width.
    inline void cut(file const& from, atomic_file& out, unsigned bits, unsigned common_bits = 0)
    {
        if (common_bits != 0)
            detail::expect_common_width(from, common_bits);
        settings s = from.described();
        unsigned const planes = s.bits_read(bits); // in bits
        if (std::string const* const lost = s.cut_short(planes))
            fail<width_error>(text(detail::one_line(from.name()), ": layer '", detail::printable(*lost), "' is a ",
                                   s.layers.at(*lost).codebook, " of ", s.layers.at(*lost).bits,
                                   " bits, which cannot be read at ", bits));
        auto const levels = from.levels();
        auto const enough = [&](level const& l) { return l.bits >= planes; };
        auto const first = std::find_if(levels.begin(), levels.end(), enough);
        level const last = planes == bits || first == levels.end() ? from.at_bits(planes) : *first;
        unsigned const of_common = s.bits_read(common_bits != 0 ? common_bits : 8);
        if (std::any_of(s.layers.begin(), s.layers.end(), [&](auto const& l) { return l.second.common > of_common; }))
        {
            from.verify(planes);
            return detail::lay_out_anew(from, last.bits, of_common).save(out);
        }
        std::set<std::string> beyond;
        for (auto const& [name, l] : s.layers)
        {
            for (std::size_t i = 0; i < l.planes.size(); ++i)
                if (l.planes_level(i) > last.bits)
                    beyond.insert(plane_name(name, i));
            for (unsigned const width : l.own)
                if (width > last.bits)
                    beyond.insert({scale_name(name, width), zero_name(name, width)});
        }
        std::vector<safetensors::item> items;
        std::uint64_t start = last.end; // of the data
        for (safetensors::tensor const* t : from.order())
            if (t->end() <= last.end && !beyond.contains(t->name))
            {
                start = std::min(start, t->offset);
                items.push_back({t->name, t->type, t->shape, t->bytes, {}});
            }
        std::erase_if(s.levels, [&](level const& l) { return l.bits > last.bits; });
        s.common.end -= start;
        for (level& l : s.levels)
            l.end -= start;
        metadata_map metadata = from.metadata();
        std::string const head = detail::nested_head(out.path().string(), items, std::move(s), std::move(metadata));
        out.reserve(head.size() + (last.end - start));
        from.verify(planes);
        out.write(std::as_bytes(std::span(head)));
        for (safetensors::item const& i : items)
            out.write(i.bytes);
        out.commit();
    }
    inline void cut(file const& from, std::filesystem::path const& to, unsigned bits, unsigned common_bits = 0)
    {
        atomic_file out(to);
        cut(from, out, bits, common_bits);
    }
    inline void cut(std::filesystem::path const& from, std::filesystem::path const& to, unsigned bits,
                    unsigned common_bits = 0)
    {
        cut(open(from), to, bits, common_bits);
    }
}
