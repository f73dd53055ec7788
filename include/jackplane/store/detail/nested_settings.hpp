// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "../../core/concepts.hpp"
#include "../json.hpp"
#include "../nested.hpp"

namespace jackplane::inline v0::inline JACKPLANE_TARGET::detail
{
    template <zero_number Z>
    std::string zero_text()
    {
        if constexpr (std::same_as<Z, no_zero>)
            return "none";
        else if constexpr (zero_as_offset<Z>)
            return text("offset ", dtype_name(dtype_of<typename Z::number_type>));
        else
            return std::string(dtype_name(dtype_of<Z>));
    }

    inline std::string nested_json(nested::settings const& s)
    {
        nlohmann::ordered_json out, levels = nlohmann::ordered_json::array(), layers = nlohmann::ordered_json::object();
        for (nested::level const& l : s.levels)
            levels.push_back({{"bits", l.bits}, {"end", l.end}, {"digest", l.digest}});
        for (auto const& [name, l] : s.layers)
        {
            layers[name] = {{"rows", l.rows}, {"cols", l.cols}, {"group", l.group}, {"codebook", l.codebook},
                            {"bits", l.bits}, {"planes", l.planes}, {"scale", std::string(dtype_name(l.scale))},
                            {"zero", l.zero}, {"own", l.own}};
            if (l.sparse)
                layers[name]["sparse"] = {{"value", std::string(dtype_name(l.sparse->value))},
                                          {"column", std::string(dtype_name(l.sparse->column))},
                                          {"nonzeros", l.sparse->nonzeros}};
            if (l.common != 0)
                layers[name]["common"] = l.common;
        }
        out["slice"] = s.slice;
        out["common"] = {{"end", s.common.end}, {"digest", s.common.digest}};
        out["levels"] = levels;
        out["layers"] = layers;
        return out.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
    }

    // The inverse, over hostile text: every field there ("sparse" and "common" may be), of its type, in its range;
    // nothing else.
    class nested_reader
    {
    public:
        nested_reader(std::string_view file, std::string_view settings) : _file(file), _settings(settings) {}

        nested::settings read()
        {
            auto const tree = read_json(_file, "__metadata__.nested", _settings);
            fields(tree, "nested", {"slice", "common", "levels", "layers"});
            nested::settings s;
            s.slice = word(tree, "slice", {"truncate_centred", "round_clamp", "extra_precision"});
            fields(tree["common"], "common", {"end", "digest"});
            s.common = {0, number(tree["common"], "end", 0, ~std::uint64_t{0}), string(tree["common"], "digest")};
            std::uint64_t end = s.common.end;
            unsigned bits = 0;
            for (auto const& l : list(tree, "levels"))
            {
                fields(l, "levels", {"bits", "end", "digest"});
                bits = static_cast<unsigned>(number(l, "bits", bits + 1, 8));
                end = number(l, "end", end, ~std::uint64_t{0});
                s.levels.push_back({bits, end, string(l, "digest")});
            }
            if (s.levels.empty())
                refuse("at least one level", "none");
            if (!tree["layers"].is_object())
                refuse("layers by name", "something else");
            for (auto const& [name, l] : tree["layers"].items())
                s.layers.emplace(name, read_layer(name, l));
            return s;
        }

    private:
        using json = nlohmann::json;

        nested::layer read_layer(std::string const& name, json const& l)
        {
            std::vector<char const*> names{"rows",   "cols",  "group", "codebook", "bits",
                                           "planes", "scale", "zero",  "own"};
            if (l.contains("sparse"))
                names.push_back("sparse");
            if (l.contains("common"))
                names.push_back("common");
            fields(l, name, names);
            nested::layer out;
            out.rows = number(l, "rows", 0, nested::largest_side);
            out.cols = number(l, "cols", 0, nested::largest_side);
            out.group = number(l, "group", 1, out.cols == 0 ? 1 : out.cols);
            out.codebook = word(l, "codebook", nested::codebook_names());
            out.bits = static_cast<unsigned>(number(l, "bits", 1, 8));
            unsigned sum = 0;
            for (auto const& width : list(l, "planes"))
            {
                unsigned const w = width.is_number_unsigned() ? width.get<unsigned>() & 15u : 0u;
                if ((w != 1 && w != 2 && w != 4 && w != 8) || width != w)
                    refuse("planes of 1, 2, 4 or 8 bits in '" + printable(name) + "'", printable(width.dump(), 40));
                out.planes.push_back(w);
                if ((sum += w) > out.bits)
                    break;
            }
            if (sum != out.bits)
                refuse(text("planes of ", out.bits, " bits together in '", printable(name), "'"), text(sum));
            out.scale = *find_dtype(word(l, "scale", {"F16", "BF16", "F32"}));
            out.zero = word(l, "zero", {"none", "U8", "F16", "offset F16", "offset BF16", "offset F32"});
            for (auto const& width : list(l, "own"))
            {
                std::uint64_t const least = out.own.empty() ? 1 : out.own.back() + 1;
                if (!width.is_number_unsigned() || width < least || width > out.bits)
                    refuse(text("own widths ascending from ", least, " to ", out.bits, " in '", printable(name), "'"),
                           printable(width.dump(), 40));
                out.own.push_back(width.get<unsigned>());
            }
            if (l.contains("sparse"))
                out.sparse = read_sparse(name, l["sparse"], out.rows * out.cols);
            if (l.contains("common"))
            {
                out.common = static_cast<unsigned>(number(l, "common", 1, out.bits));
                if (out.planes_in(out.common) == 0 || !out.own.empty())
                    refuse(text("planes of ", out.common, " bits, and no own widths, in '", printable(name), "'"),
                           "others");
            }
            return out;
        }

        nested::sparse_part read_sparse(std::string const& of, json const& s, std::uint64_t weights)
        {
            fields(s, nested::sparse_name(of, "*"), {"value", "column", "nonzeros"});
            nested::sparse_part out;
            out.value = *find_dtype(word(s, "value", {"F16", "BF16", "F32"}));
            out.column = *find_dtype(word(s, "column", {"U16", "U32"}));
            out.nonzeros = number(s, "nonzeros", 0, std::min<std::uint64_t>(weights, ~std::uint32_t{0}));
            return out;
        }

        void fields(json const& tree, std::string_view where, std::vector<char const*> const& names) const
        {
            bool is_whole = tree.is_object() && tree.size() == names.size();
            for (char const* name : names)
                is_whole = is_whole && tree.contains(name);
            if (!is_whole)
                refuse("fields " + json(names).dump(), "others in '" + printable(where) + "'");
        }
        std::uint64_t number(json const& tree, char const* name, std::uint64_t least, std::uint64_t most) const
        {
            json const& n = tree[name];
            if (!n.is_number_unsigned() || n.get<std::uint64_t>() < least || n.get<std::uint64_t>() > most)
                refuse(text(name, " from ", least, " to ", most), printable(n.dump(), 40));
            return n.get<std::uint64_t>();
        }
        std::string string(json const& tree, char const* name) const
        {
            if (!tree[name].is_string())
                refuse(text(name, " as a string"), printable(tree[name].dump(), 40));
            return tree[name].get<std::string>();
        }
        std::string word(json const& tree, char const* name, std::vector<std::string> const& known) const
        {
            for (std::string const& word : known)
                if (tree[name] == word)
                    return word;
            refuse(text(name, " one of ", json(known).dump()), printable(tree[name].dump(), 40));
        }
        json const& list(json const& tree, char const* name) const
        {
            if (!tree[name].is_array())
                refuse(text(name, " as a list"), printable(tree[name].dump(), 40));
            return tree[name];
        }
        [[noreturn]] void refuse(std::string const& expected, std::string const& found) const
        {
            reject({_file, "__metadata__.nested", 0}, expected, found);
        }

        std::string_view _file, _settings;
    };
}
