// SPDX-License-Identifier: BSD-3-Clause
#include "types.hpp"
#include "../../describe/gguf/file_type.hpp"
#include "../budget.hpp"
#include <jackplane/store/gguf/types.hpp>
#include <algorithm>
#include <cctype>
#include <string>

namespace engine
{
    namespace
    {
        namespace gguf = jackplane::gguf;

        // A matrix as mixtures see it.
        struct role
        {
            enum class kind
            {
                value, // also of a tensor that holds query, key and value
                key,
                output,
                down,
                other
            } is;
            std::size_t layer, layers, group; // group: heads that share a key

            bool is_among_first(std::size_t part) const { return layer < layers / part; }
            // The first and the last eighth, and every third between.
            bool gets_more() const
            {
                return is_among_first(8) || layer >= 7 * layers / 8 || (layer - layers / 8) % 3 == 2;
            }
        };
        using kind = role::kind;

        struct recipe
        {
            std::string_view name;
            std::uint32_t file_type, usual, output_of_eight; // of a model of eight experts
            std::uint32_t (*of)(role const& r, std::uint32_t usual);
        };

        constexpr std::uint32_t alike(role const&, std::uint32_t usual) { return usual; }
        std::uint32_t medium(role const& r, std::uint32_t usual)
        {
            return (r.is == kind::value || r.is == kind::down) && r.gets_more() ? gguf::q6_k::id : usual;
        }

        // llama.cpp's mixtures of the types that are written here.
        constexpr recipe recipes[] = {
            {"Q2_K", 10, gguf::q2_k::id, gguf::q5_k::id,
             [](role const& r, std::uint32_t usual)
             {
                 if (r.is == kind::value)
                     return r.group >= 4 ? gguf::q4_k::id : gguf::q3_k::id;
                 return r.is == kind::down || r.is == kind::output ? gguf::q3_k::id : usual;
             }},
            {"Q2_K_S", 21, gguf::q2_k::id, gguf::q2_k::id,
             [](role const& r, std::uint32_t usual)
             {
                 bool const more = r.is == kind::value ? r.group >= 4 : r.is == kind::down && r.is_among_first(8);
                 return more ? gguf::q4_k::id : usual;
             }},
            {"Q3_K_S", 11, gguf::q3_k::id, gguf::q5_k::id, alike},
            {"Q3_K_M", 12, gguf::q3_k::id, gguf::q5_k::id,
             [](role const& r, std::uint32_t usual)
             {
                 if (r.is == kind::value)
                     return r.layer < 2 ? gguf::q5_k::id : gguf::q4_k::id;
                 if (r.is == kind::down)
                     return r.is_among_first(16) ? gguf::q5_k::id : gguf::q4_k::id;
                 return r.is == kind::output ? gguf::q4_k::id : usual;
             }},
            {"Q3_K_L", 13, gguf::q3_k::id, gguf::q3_k::id,
             [](role const& r, std::uint32_t usual)
             {
                 bool const more = r.is == kind::value || r.is == kind::down || r.is == kind::output;
                 return more ? gguf::q5_k::id : usual;
             }},
            {"Q4_K_S", 14, gguf::q4_k::id, gguf::q5_k::id,
             [](role const& r, std::uint32_t usual)
             {
                 bool const more = r.is == kind::value ? r.layer < 4 : r.is == kind::down && r.is_among_first(8);
                 return more ? gguf::q5_k::id : usual;
             }},
            {"Q4_K_M", 15, gguf::q4_k::id, gguf::q5_k::id, medium},
            {"Q5_K_S", 16, gguf::q5_k::id, gguf::q5_k::id, alike},
            {"Q5_K_M", 17, gguf::q5_k::id, gguf::q5_k::id, medium},
            {"Q6_K", 18, gguf::q6_k::id, gguf::q6_k::id, alike},
            {"Q8_0", 7, gguf::q8_0::id, gguf::q8_0::id, alike},
        };

        struct substitute
        {
            std::uint32_t wanted, instead;
        };
        constexpr substitute substitutes[] = {
            {gguf::q2_k::id, gguf::q4_0::id},  {gguf::q3_k::id, gguf::q4_0::id},     {gguf::tq1_0::id, gguf::q4_0::id},
            {gguf::tq2_0::id, gguf::q4_0::id}, {gguf::q2_0::id, gguf::q4_0::id},     {gguf::q4_k::id, gguf::q5_0::id},
            {gguf::q5_k::id, gguf::q5_1::id},  {gguf::iq4_xs::id, gguf::iq4_nl::id}, {gguf::q6_k::id, gguf::q8_0::id},
        };

        std::string upper(std::string_view name)
        {
            std::string out(name);
            std::transform(out.begin(), out.end(), out.begin(),
                           [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
            return out;
        }
        std::uint64_t bytes_in(std::uint32_t type, parameter const& p)
        {
            auto const found = gguf::find_type(type);
            return found ? gguf::byte_size(*found, {p.rows, p.cols}).value_or(0) : 0;
        }
        bool fits(std::uint32_t type, std::size_t cols) { return cols % gguf::find_type(type)->values == 0; }

        recipe const& find_recipe(std::string_view name)
        {
            std::string list;
            for (recipe const& each : recipes)
            {
                if (each.name == upper(name))
                    return each;
                list += text(list.empty() ? "" : ", ", each.name);
            }
            jackplane::fail<jackplane::value_error>(text("no mixture '", name, "'; there are ", list));
        }

        kind kind_of(parameter const& p, config const& c)
        {
            auto const has = [&](std::string_view part) { return p.name.find(part) != std::string::npos; };
            if (has(".v_proj.") || (c.block.fused && (has(".q_proj.") || has(".k_proj."))))
                return kind::value;
            if (has(".k_proj."))
                return kind::key;
            if (has(".o_proj."))
                return kind::output;
            std::string const down = text(".", c.block.experts.down, ".");
            return has(".down_proj.") || (p.of_expert && has(down)) ? kind::down : kind::other;
        }

        // What every mixture does with models of eight experts, and of 80 layers whose heads share keys (70 billion
        // weights).
        std::uint32_t by_size(role const& r, config const& c, recipe const& of)
        {
            std::uint32_t type = of.of(r, of.usual);
            if (r.is == kind::value && c.layers == 80 && c.heads != c.kv_heads &&
                (type == gguf::q3_k::id || type == gguf::q4_k::id))
                type = gguf::q5_k::id;
            if (c.block.experts.count != 8)
                return type;
            if (r.is == kind::value || r.is == kind::key)
                return gguf::q8_0::id;
            return r.is == kind::output ? of.output_of_eight : type;
        }
    }

    std::uint32_t type_of(std::string_view name)
    {
        if (auto const found = gguf::find_type(upper(name)); found && found->is_decoded)
            return found->id;
        std::string list;
        for (std::uint32_t id = 0; id < 64; ++id)
            if (auto const t = gguf::find_type(id); t && t->is_decoded)
                list += text(list.empty() ? "" : ", ", t->name);
        jackplane::fail<jackplane::value_error>(text("no type '", name, "' to write; there are ", list));
    }

    std::uint64_t bytes_of(parameter_table const& table, std::vector<std::uint32_t> const& types)
    {
        std::uint64_t bytes = 0;
        for (std::size_t i = 0; i < types.size(); ++i)
            bytes += bytes_in(types[i], table.parameters()[i]);
        return bytes;
    }

    std::uint64_t most_bytes_of(parameter_table const& table, std::vector<std::uint32_t> const& types, double average)
    {
        std::uint64_t bytes = 0;
        for (parameter const& p : table.of_layers())
        {
            std::uint64_t most = 0;
            for (std::uint32_t const type : types)
                most = std::max(most, bytes_in(type_for(type, p.cols), p));
            bytes += most;
        }
        return std::min(bytes, budget_of(average, size_of(table.of_layers())) / 8);
    }

    std::uint64_t least_bytes_of_others(parameter_table const& table, block_types const& types, bool dense_head)
    {
        std::uint64_t bytes = 0;
        std::size_t const embedding = table.tuned_parameters();
        for (std::size_t i = table.of_layers().size(); i < table.parameters().size(); ++i)
            if (parameter const& p = table.parameters()[i]; i > embedding)
                bytes += bytes_in(gguf::f32::id, p);
            else
                bytes += bytes_in(dense_head ? gguf::f16::id : i == embedding ? types.of_embedding : types.of_head, p);
        return bytes;
    }

    std::uint32_t type_for(std::uint32_t wanted, std::size_t cols)
    {
        if (fits(wanted, cols))
            return wanted;
        for (substitute const& each : substitutes)
            if (each.wanted == wanted && fits(each.instead, cols))
                return each.instead;
        return gguf::f16::id;
    }

    block_types types_of(std::string_view name, config const& c)
    {
        std::uint32_t const of_head = type_for(gguf::q8_0::id, c.hidden);
        std::uint32_t const type = type_of(name);
        block_types types{{}, of_head, of_head, file_type_of(type)};
        parameter_table const table(c);
        for (parameter const& p : table.of_layers())
            types.of_layers.push_back(type_for(type, p.cols));
        return types;
    }

    block_types recipe_of(std::string_view name, config const& c)
    {
        recipe const& r = find_recipe(name);
        std::uint32_t const of_head = type_for(r.usual == gguf::q8_0::id ? r.usual : gguf::q6_k::id, c.hidden);
        block_types types{{}, of_head, c.tied ? of_head : type_for(r.usual, c.hidden), r.file_type};
        parameter_table const table(c);
        for (std::size_t layer = 0; layer < c.layers; ++layer)
            for (parameter const& p : table.of_layer(layer))
            {
                role const is{kind_of(p, c), layer, c.layers, c.heads / c.kv_heads};
                types.of_layers.push_back(type_for(by_size(is, c, r), p.cols));
            }
        return types;
    }

    void expect_recipe(std::string_view name) { find_recipe(name); }
}
