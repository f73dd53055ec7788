// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <string>
#include <string_view>
#include <tuple>
#include "compressed_tensors.hpp"
#include "gptq.hpp"

// The one list of formats whose codes lie in words.
namespace jackplane::inline v0::inline JACKPLANE_TARGET::words
{
    // All of them. To add one: its type, and its name here.
    using formats = std::tuple<gptq, gptq_v2, gptq_p, auto_round, auto_round_gptq, awq, compressed_tensors>;

    // body(format) for the one of that name; false: there is none.
    template <class Body>
    bool with_format(std::string_view name, Body&& body)
    {
        return std::apply([&](auto const&... each)
                          { return ((each.name() == name && (static_cast<void>(body(each)), true)) || ...); },
                          formats{});
    }
    inline bool is_format(std::string_view name)
    {
        return with_format(name, [](auto const&) {});
    }
    inline std::string format_names() // "gptq, gptq_v2 ..."
    {
        std::string all;
        std::apply([&](auto const&... each) { ((all += text(all.empty() ? "" : ", ", each.name())), ...); }, formats{});
        return all;
    }

    // A layer of the format that the settings name. Throws format_error, shape_error, width_error, value_error with the
    // tensor and the numbers.
    //     auto const up = words::read<4>(file, "model.layers.0.mlp.up_proj", words::read_config("config.json", text));
    template <unsigned B, scale_number S = half, class Tensors, parallel_policy Parallel = serial>
    layer<B, S> read(Tensors const& from, std::string const& name, settings const& s, Parallel parallel = {})
    {
        layer<B, S> to;
        bool const is_known = with_format(s.format, [&](auto const& format)
                                          { to = format.template read<B, S>(from, name, s, parallel); });
        JACKPLANE_EXPECTS(is_known, format_error, "no format '", jackplane::detail::printable(s.format), "' among ",
                          format_names());
        return to;
    }
    // Its tensors. Throws as read does, where the format does not hold it.
    template <unsigned B, scale_number S, parallel_policy Parallel = serial>
    tensors write(std::string const& name, layer<B, S> const& from, settings const& s, Parallel parallel = {})
    {
        tensors to;
        bool const is_known =
            with_format(s.format, [&](auto const& format) { to = format.write(name, from, s, parallel); });
        JACKPLANE_EXPECTS(is_known, format_error, "no format '", jackplane::detail::printable(s.format), "' among ",
                          format_names());
        return to;
    }
}
