// SPDX-License-Identifier: BSD-3-Clause
#include "random_model.hpp"
#include <jackplane/core/number.hpp>
#include <jackplane/store/gguf/write.hpp>
#include "../../describe/gguf/description.hpp"
#include "../../describe/gguf/file_type.hpp"
#include "../../read/table.hpp"
#include <algorithm>
#include <cctype>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <random>
#include <span>
#include <utility>

namespace engine
{
    namespace
    {
        using jackplane::gguf::item;
        using jackplane::gguf::type_facts;

        std::string lower(std::string_view name)
        {
            std::string to(name);
            std::transform(to.begin(), to.end(), to.begin(), [](unsigned char c) { return std::tolower(c); });
            return to;
        }

        std::vector<type_facts> types_with_scales()
        {
            std::vector<type_facts> all;
            auto const add = [&]<class T>(T)
            {
                if constexpr (jackplane::gguf::coded_block<T>)
                    if (std::any_of(T::words.begin(), T::words.end(), [](auto const& w) { return w.size == 2; }))
                        all.push_back(*jackplane::gguf::find_type(T::id));
            };
            [&]<class... T>(jackplane::gguf::type_list<T...>) { (add(T{}), ...); }(jackplane::gguf::block_types{});
            return all;
        }

        // Blocks of random codes. Their scales, which are halves, are one small number: weights, whatever the type, are
        // below 1 by far, and nothing overflows on the way through the layers.
        std::vector<std::byte> random_blocks(type_facts const& type)
        {
            constexpr std::size_t blocks = 4096; // repeated
            std::vector<std::byte> all(blocks * type.bytes);
            std::mt19937_64 draw(type.id);
            for (std::byte& b : all)
                b = static_cast<std::byte>(draw() >> 56);
            auto const scale = jackplane::from_float<jackplane::half>(0x1p-13f);
            for (std::size_t at = 0; at < all.size(); at += type.bytes)
                for (auto const& word : type.words)
                    if (word.size == sizeof scale)
                        std::memcpy(all.data() + at + word.at, &scale, sizeof scale);
            return all;
        }

        std::vector<std::byte> ones(std::size_t count)
        {
            std::vector<float> const all(count, 1.0f);
            auto const bytes = std::as_bytes(std::span(all));
            return {bytes.begin(), bytes.end()};
        }

        // So many bytes of a pattern, again and again.
        void repeat(std::span<std::byte const> pattern, std::size_t bytes, jackplane::gguf::sink const& out)
        {
            for (std::size_t part; bytes != 0; bytes -= part)
                out(pattern.first(part = std::min(bytes, pattern.size())));
        }
    }

    std::vector<std::string> random_block_types()
    {
        std::vector<std::string> names;
        for (type_facts const& type : types_with_scales())
            names.push_back(lower(type.name));
        return names;
    }

    type_facts block_type_of(std::string_view name)
    {
        std::string known;
        for (type_facts const& type : types_with_scales())
        {
            if (lower(type.name) == lower(name))
                return type;
            known += text(known.empty() ? "" : ", ", lower(type.name));
        }
        jackplane::fail<jackplane::value_error>(text("no type of blocks '", name, "'; there are ", known));
    }

    void save_random_gguf(config const& c, type_facts const& type, type_facts const& head,
                          std::filesystem::path const& out)
    {
        JACKPLANE_EXPECTS(c.block.experts.count == 0, jackplane::format_error,
                          "random models with experts are not written as GGUF files");
        gguf_description const about(c);
        parameter_table const table(c);
        type_facts const f32 = *jackplane::gguf::find_type(jackplane::gguf::f32::id);
        std::vector<std::byte> const of_matrices = random_blocks(type), of_head = random_blocks(head),
                                     of_vectors = ones(1024);
        std::vector<item> items;
        for (std::size_t i = 0; i < table.parameters().size(); ++i)
        {
            parameter const& p = table.parameters()[i];
            bool const is_head = i + 1 == table.tuned_parameters() && !c.tied;
            type_facts const& as = is_head ? head : p.norm ? f32 : type;
            auto const& pattern = is_head ? of_head : p.norm ? of_vectors : of_matrices;
            auto shape = p.norm ? jackplane::gguf::extents{p.cols} : jackplane::gguf::extents{p.rows, p.cols};
            auto const bytes = jackplane::gguf::byte_size(as, shape);
            JACKPLANE_EXPECTS(bytes, jackplane::shape_error, p.name, ": ", p.cols, " columns are no whole blocks of ",
                              as.values, ", which ", as.name, " has");
            items.push_back({gguf_name_of(c, p), as.id, std::move(shape), {}, [&pattern, n = *bytes](auto const& to) {
                                 repeat(pattern, n, to);
                             }});
        }
        jackplane::gguf::metadata all = about.keys;
        all.set("general.architecture", about.architecture);
        all.set("general.type", std::string("model"));
        all.set("general.file_type", file_type_of(type.id));
        all.set("general.quantization_version", std::uint32_t{2});
        all.set("tokenizer.ggml.model", std::string("none"));
        jackplane::gguf::save(out, items, all);
    }
}
