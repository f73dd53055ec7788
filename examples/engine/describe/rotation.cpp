// SPDX-License-Identifier: BSD-3-Clause
#include "rotation.hpp"
#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <numbers>
#include <string_view>
#include <vector>

namespace engine
{
    namespace
    {
        using std::numbers::pi;

        // The keys of each type, beside those of every one.
        struct rotation_type
        {
            std::string_view name;
            std::vector<std::string_view> keys;
        };
        std::vector<rotation_type> const& rotation_types()
        {
            static std::vector<rotation_type> const all{
                {"default", {}},
                {"linear", {"factor"}},
                {"llama3", {"factor", "low_freq_factor", "high_freq_factor"}},
                {"yarn", {"factor", "beta_fast", "beta_slow", "attention_factor", "truncate"}},
                {"longrope", {"factor", "short_factor", "long_factor", "attention_factor"}}};
            return all;
        }

        // Long waves are stretched, short ones stay, those between go over (Llama 3.1).
        double llama3(double f, double factor, double low, double high, double usual)
        {
            double const wave = 2 * pi / f;
            if (wave > usual / low)
                return f / factor;
            if (wave < usual / high)
                return f;
            double const part = (usual / wave - low) / (high - low);
            return f * ((1 - part) / factor + part);
        }

        std::vector<double> factors_of(settings_file const& file, char const* key, std::size_t count)
        {
            auto const& list = file.tree().value(key, nlohmann::json());
            bool const right =
                list.is_array() && list.size() == count &&
                std::all_of(list.begin(), list.end(),
                            [](nlohmann::json const& x) { return x.is_number() && x.get<double>() > 0; });
            file.expect(right, key, text("a list of ", count, " positive numbers"));
            return list.get<std::vector<double>>();
        }
    }

    rotation_settings::rotation_settings(settings_file const& file, std::string const& layer_type)
        : _all(file.name(), "{}")
    {
        for (char const* const key : {"rope_theta", "partial_rotary_factor", "original_max_position_embeddings"})
            if (file.has(key))
                merge(file, key, key, file.tree()[key]);
        for (char const* const key : {"rope_scaling", "rope_parameters"})
            if (file.has(key))
                take(file.inner(key), layer_type);
    }

    void rotation_settings::take(settings_file const& file, std::string const& layer_type)
    {
        for (auto const& [key, value] : file.tree().items())
        {
            if (value.is_object() && (layer_type.empty() || key == layer_type))
                take(file.inner(key), "");
            else if (!value.is_object() && !value.is_null())
                merge(file, key, key == "type" ? "rope_type" : key, value == "su" ? "longrope" : value);
        }
    }

    // as: the name by which other keys say the same.
    void rotation_settings::merge(settings_file const& file, std::string const& key, std::string const& as,
                                  nlohmann::json const& value)
    {
        auto const before = _all.tree().value(as, value);
        file.expect(before == value, key, text("the ", settings_file::shown(before), " found elsewhere"));
        _all.put(as, value);
    }

    rotation_settings rotation_settings::of_type(settings_file const& file, std::string const& layer_type)
    {
        rotation_settings out(file.name());
        if (file.has("rope_parameters"))
            if (settings_file const all = file.inner("rope_parameters"); all.has(layer_type))
                out.take(all.inner(layer_type), "");
        return out;
    }

    double rotation_settings::base(double otherwise) const
    {
        return _all.has("rope_theta") ? _all.positive("rope_theta") : otherwise;
    }

    rotation rotation_settings::of(config const& c, double base, bool partial) const
    {
        auto const number = [&](char const* key, double otherwise)
        { return _all.has(key) ? _all.positive(key) : otherwise; };
        auto const type_name = _all.tree().value("rope_type", nlohmann::json("default"));
        auto const type = std::find_if(rotation_types().begin(), rotation_types().end(),
                                       [&](rotation_type const& t) { return type_name == t.name; });
        std::string known;
        for (rotation_type const& t : rotation_types())
            known += text(known.empty() ? "" : ", ", t.name);
        _all.expect(type != rotation_types().end(), "rope_type", "one of " + known);
        constexpr std::string_view everywhere[] = {"rope_theta", "rope_type", "original_max_position_embeddings"};
        for (auto const& [key, value] : _all.tree().items())
        {
            bool const one = key == "factor" || key == "partial_rotary_factor" || key == "attention_factor";
            bool const reads = std::find(std::begin(everywhere), std::end(everywhere), key) != std::end(everywhere) ||
                               std::find(type->keys.begin(), type->keys.end(), key) != type->keys.end() ||
                               (partial && key == "partial_rotary_factor");
            _all.expect(reads || (one && value == 1), key,
                        one ? text("1 beside a ", type->name, " rotation") : "no such key beside this rope_type");
        }

        double const part = number("partial_rotary_factor", 1);
        _all.expect(part <= 1, "partial_rotary_factor", "at most 1");
        auto const turned = static_cast<std::size_t>(part * static_cast<double>(c.head_dim));
        _all.expect(turned >= 2 && turned % 2 == 0, "partial_rotary_factor",
                    text("an even number of the ", c.head_dim, " numbers of a head"));
        rotation r = plain_rotation(base, turned);
        auto const longest = static_cast<double>(c.context);
        bool const needs_usual = type->name == "longrope"; // or it would never go beyond
        double const usual = needs_usual ? _all.positive("original_max_position_embeddings")
                                         : number("original_max_position_embeddings", longest);
        if (type->name == "linear")
            for (double& f : r.frequencies)
                f /= _all.positive("factor");
        if (type->name == "llama3")
        {
            double const low = _all.positive("low_freq_factor"), high = _all.positive("high_freq_factor");
            _all.expect(low < high, "low_freq_factor", "less than high_freq_factor");
            for (double& f : r.frequencies)
                f = llama3(f, _all.positive("factor"), low, high, _all.positive("original_max_position_embeddings"));
        }
        if (type->name == "yarn") // arXiv 2309.00071
        {
            double const factor = _all.positive("factor"), size = static_cast<double>(turned);
            auto const pair_that_turns = [&](double times) // over the usual context
            { return size * std::log(usual / (2 * pi * times)) / (2 * std::log(base)); };
            double low = pair_that_turns(number("beta_fast", 32)), high = pair_that_turns(number("beta_slow", 1));
            if (_all.flag("truncate", true))
            {
                low = std::floor(low);
                high = std::ceil(high);
            }
            low = std::max(low, 0.0);
            high = std::min(high, size - 1);
            high += low == high ? 1e-3 : 0;
            for (std::size_t i = 0; i < r.frequencies.size(); ++i)
            {
                double const ramp = std::clamp((static_cast<double>(i) - low) / (high - low), 0.0, 1.0);
                r.frequencies[i] *= ramp / factor + (1 - ramp);
            }
            r.magnitude = number("attention_factor", factor > 1 ? 0.1 * std::log(factor) + 1 : 1);
        }
        if (type->name == "longrope") // arXiv 2402.13753
        {
            auto const brief = factors_of(_all, "short_factor", turned / 2),
                       wide = factors_of(_all, "long_factor", turned / 2);
            _all.expect(number("factor", longest / usual) == longest / usual, "factor",
                        text(longest / usual, ", as the two contexts say"));
            r.beyond = r.frequencies;
            r.usual = static_cast<std::size_t>(usual);
            for (std::size_t i = 0; i < brief.size(); ++i)
            {
                r.frequencies[i] /= brief[i];
                r.beyond[i] /= wide[i];
            }
            double const factor = number("factor", longest / usual);
            r.magnitude =
                number("attention_factor", factor > 1 ? std::sqrt(1 + std::log(factor) / std::log(usual)) : 1);
            if (r.beyond == r.frequencies) // one set, as llama3 makes; so GGUF files hold those
            {
                r.beyond.clear();
                r.usual = 0;
            }
        }
        return r;
    }
}
