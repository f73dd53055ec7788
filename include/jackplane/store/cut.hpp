// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>
#include "nested_read.hpp"
#include "nested_write.hpp"

namespace jackplane::inline v0::inline JACKPLANE_TARGET::nested
{
    // A file of at most `bits` bits for any reader of safetensors: the same bytes up to that level's end under a header
    // that lists no more; the widths that remain give what they gave before. Checks the digests of what it copies.
    // Throws width_error when there is no such level, or a layer would no longer be readable at any width.
    inline void cut(file const& from, atomic_file& out, unsigned bits)
    {
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
        std::set<std::string> beyond;
        for (auto const& [name, l] : s.layers)
        {
            for (std::size_t i = 0; i < l.planes.size(); ++i)
                if (l.bits_through(i) > last.bits)
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
    inline void cut(file const& from, std::filesystem::path const& to, unsigned bits)
    {
        atomic_file out(to);
        cut(from, out, bits);
    }
    inline void cut(std::filesystem::path const& from, std::filesystem::path const& to, unsigned bits)
    {
        cut(open(from), to, bits);
    }
}
