// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include "../json.hpp"
#include "formats.hpp"

// What `quantization_config` in a checkpoint's config.json says of its layers.
namespace jackplane::inline v0::inline JACKPLANE_TARGET::words
{
    namespace detail
    {
        class config_reader
        {
        public:
            explicit config_reader(std::string_view file) : m_file(file) {}

            settings read(nlohmann::json const& c) const
            {
                std::string const method = word(c, "quant_method", "");
                if (method == "compressed-tensors")
                    return read_groups(c);
                settings s;
                s.format = format_of(c, method); // first: other methods have other words for the rest
                s.bits = static_cast<unsigned>(number(c, c.contains("w_bit") ? "w_bit" : "bits", 1, 8));
                s.group = columns(c, c.contains("q_group_size") ? "q_group_size" : "group_size");
                s.act_order = flag(c, "desc_act", false);
                s.symmetric = c.contains("zero_point") ? !flag(c, "zero_point", true) : flag(c, "sym", true);
                for (char const* of_layers : {"dynamic", "extra_config"})
                    if (c.contains(of_layers) && !c[of_layers].empty())
                        refuse(text(of_layers, ": settings of single layers are not read"));
                return known(s);
            }

        private:
            using json = nlohmann::json;

            std::string format_of(json const& c, std::string const& method) const
            {
                if (method == "gptq")
                    return word(c, c.contains("checkpoint_format") ? "checkpoint_format" : "format", "gptq");
                if (method == "auto-round" || method == "intel/auto-round")
                {
                    std::string const format = word(c, "packing_format", auto_round::name());
                    return format == "auto_round:auto_awq" ? awq::name() : format;
                }
                if (method == "awq" && lower(word(c, "version", "gemm")) == "gemm")
                    return awq::name();
                refuse(text("quant_method '", jackplane::detail::printable(method), "' (version '",
                            jackplane::detail::printable(word(c, "version", "")),
                            "') is not known; there are gptq, awq (version gemm), auto-round, compressed-tensors"));
            }
            settings read_groups(json const& c) const
            {
                settings s;
                s.format = word(c, "format", "");
                if (!c.contains("config_groups") || !c["config_groups"].is_object() || c["config_groups"].size() != 1)
                    refuse("config_groups: one group of layers wanted");
                json const& group = c["config_groups"].front();
                if (!group.is_object() || !group.contains("weights") || !group["weights"].is_object())
                    refuse("config_groups: weights wanted");
                json const& w = group["weights"];
                s.bits = static_cast<unsigned>(number(w, "num_bits", 1, 8));
                s.symmetric = flag(w, "symmetric", true);
                std::string const type = word(w, "type", "int"), strategy = word(w, "strategy", "group");
                if (type != "int" || (strategy != "group" && strategy != "channel"))
                    refuse(text("weights of type '", jackplane::detail::printable(type), "', strategy '",
                                jackplane::detail::printable(strategy), "'; int, and group or channel, are known"));
                s.group = strategy == "channel" ? 0 : columns(w, "group_size");
                s.act_order = word(w, "actorder", "") == "group";
                return known(s);
            }
            settings known(settings const& s) const
            {
                if (std::string const names = format_names(); !is_format(s.format))
                    refuse(text("the format '", jackplane::detail::printable(s.format), "' is not among ", names));
                return s;
            }

            std::int64_t number(json const& c, char const* name, std::int64_t least, std::int64_t most) const
            {
                auto const found = c.find(name);
                if (found == c.end() || !found->is_number_integer() || *found < least || *found > most)
                    refuse(text(name, " from ", least, " to ", most, " wanted, found ",
                                found == c.end() ? "none" : jackplane::detail::printable(found->dump(), 40)));
                return found->get<std::int64_t>();
            }
            std::size_t columns(json const& c, char const* name) const // -1: a whole row
            {
                std::int64_t const n = number(c, name, -1, std::numeric_limits<std::int32_t>::max());
                if (n == 0)
                    refuse(text(name, " is 0"));
                return n < 0 ? 0 : static_cast<std::size_t>(n);
            }
            bool flag(json const& c, char const* name, bool otherwise) const
            {
                auto const found = c.find(name);
                if (found == c.end() || found->is_null())
                    return otherwise;
                if (!found->is_boolean())
                    refuse(
                        text(name, " true or false wanted, found ", jackplane::detail::printable(found->dump(), 40)));
                return found->get<bool>();
            }
            std::string word(json const& c, char const* name, std::string const& otherwise) const
            {
                auto const found = c.find(name);
                if (found == c.end() || found->is_null())
                    return otherwise;
                if (!found->is_string())
                    refuse(text(name, " as a string wanted, found ", jackplane::detail::printable(found->dump(), 40)));
                return found->get<std::string>();
            }
            static std::string lower(std::string s)
            {
                std::transform(s.begin(), s.end(), s.begin(),
                               [](char c) { return 'A' <= c && c <= 'Z' ? static_cast<char>(c + 32) : c; });
                return s;
            }
            [[noreturn]] void refuse(std::string const& what) const
            {
                fail<format_error>(text(jackplane::detail::one_line(m_file), ": quantization_config: ", what));
            }

            std::string_view m_file;
        };
    }

    // config: the text of config.json, or of a quantize_config.json, which holds nothing else. file: for errors. Throws
    // format_error.
    inline settings read_config(std::string_view file, std::string_view config)
    {
        auto const tree = jackplane::detail::read_json(file, "", config, 16);
        auto const found = tree.find("quantization_config");
        return detail::config_reader(file).read(found == tree.end() || !found->is_object() ? tree : *found);
    }

    // The object `quantization_config`, as text. left_out: linear layers that are not in the format ("lm_head").
    inline std::string write_config(settings const& s, std::span<std::string const> left_out = {})
    {
        using json = nlohmann::ordered_json;
        json const columns = s.group == 0 ? json(-1) : json(s.group);
        json c;
        if (s.format == compressed_tensors::name())
        {
            json const weights = {{"num_bits", s.bits},
                                  {"type", "int"},
                                  {"symmetric", s.symmetric},
                                  {"strategy", s.group == 0 ? "channel" : "group"},
                                  {"group_size", s.group == 0 ? json(nullptr) : columns},
                                  {"actorder", s.act_order ? json("group") : json(nullptr)},
                                  {"dynamic", false}};
            json const group = {{"targets", {"Linear"}}, {"weights", weights}};
            c = {{"quant_method", "compressed-tensors"},
                 {"format", s.format},
                 {"quantization_status", "compressed"},
                 {"config_groups", {{"group_0", group}}},
                 {"ignore", std::vector<std::string>(left_out.begin(), left_out.end())}};
            return c.dump();
        }
        c = {{"quant_method", ""}, {"bits", s.bits}, {"group_size", columns}};
        if (s.format == awq::name())
        {
            c["quant_method"] = "awq";
            c["zero_point"] = !s.symmetric;
            c["version"] = "gemm";
            c["modules_to_not_convert"] = std::vector<std::string>(left_out.begin(), left_out.end());
            return c.dump();
        }
        c["sym"] = s.symmetric;
        if (s.format.starts_with("auto_round"))
        {
            c["quant_method"] = "auto-round";
            c["packing_format"] = s.format;
            c["data_type"] = "int";
            return c.dump();
        }
        c["quant_method"] = "gptq";
        c["desc_act"] = s.act_order;
        c["checkpoint_format"] = s.format;
        c["lm_head"] = false;
        return c.dump();
    }
}
