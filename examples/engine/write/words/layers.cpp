// SPDX-License-Identifier: BSD-3-Clause
#include "layers.hpp"
#include <jackplane/core/parallel.hpp>
#include <jackplane/store/words/formats.hpp>
#include "../../read/with_width.hpp"
#include <algorithm>
#include <cmath>
#include <string_view>

namespace engine
{
    namespace words = jackplane::words;
    using jackplane::half;

    namespace
    {
        // People know it by its quant_method.
        constexpr std::string_view compressed_tensors = "compressed-tensors";

        std::string tool_name(std::string_view format)
        {
            return std::string(format == words::compressed_tensors::name() ? compressed_tensors : format);
        }
        std::string library_name(std::string_view format)
        {
            return std::string(format == compressed_tensors ? words::compressed_tensors::name() : format);
        }

        constexpr char const* exportable =
            "; what can be exported: a file of that width (quantize --bits), a parent whose zeros stay whole where its "
            "codes are rounded (quantize --slice round_clamp with --scheme gptq-sym or sym), the 8 bits of any "
            "parent; GGUF's types with an offset hold other zeros";
    }

    std::vector<std::string> words_format_names()
    {
        std::vector<std::string> all;
        std::apply([&](auto const&... each) { (all.push_back(tool_name(each.name())), ...); }, words::formats{});
        return all;
    }

    struct word_layers::joined : stored_codes // of the matrices of a layer
    {
        // The rows of a matrix as it is read, below those there are.
        template <class L, jackplane::linear_codebook C, class S, jackplane::zero_in_steps Z>
        void append(jackplane::packed_view<L, C, S, Z> const& v, std::string const& name)
        {
            float const most = static_cast<float>((1u << v.bits) - 1);
            JACKPLANE_EXPECTS(rows == 0 || (cols == v.cols && grid.columns == v.group), jackplane::value_error, name,
                              ": groups of ", v.group, " columns, ", grid.columns, " of the rows above in one tensor");
            rows += v.rows, cols = v.cols, grid = {v.group, v.groups, false};
            auto const more = codes_of(jackplane::prefixed(v));
            codes.insert(codes.end(), more.begin(), more.end());
            for (std::size_t row = 0; row < v.rows; ++row)
                for (std::size_t g = 0; g < v.groups; ++g)
                {
                    std::size_t const at = jackplane::detail::scale_index(v, row, g * v.group);
                    float zero = (C::centre - v.base) / v.step; // in steps of this width
                    if constexpr (!std::same_as<Z, jackplane::no_zero>)
                        zero = (jackplane::to_float(v.zeros[at]) - v.base) / v.step;
                    JACKPLANE_EXPECTS(zero == std::floor(zero) && 0 <= zero && zero <= most, jackplane::value_error,
                                      name, ": the zero of group ", g, " in row ", row, " is ", zero, " at ", v.bits,
                                      " bits; formats of the GPTQ family hold whole ones from 0 to ", most, exportable);
                    zeros.push_back(static_cast<jackplane::integer_zero>(zero));
                    scales.push_back(jackplane::to_float(v.scales[at]) * v.step);
                }
        }
        template <class View>
        void append(View const&, std::string const& name)
        {
            jackplane::fail<jackplane::value_error>(
                text(name, ": codes of ", View::codebook_type::name(),
                     "; formats of the GPTQ family hold evenly spaced values (uniform)"));
        }

        template <class S>
        bool scales_are() const
        {
            return std::all_of(scales.begin(), scales.end(), is_held<S>);
        }
    };

    word_layers::word_layers(packed_model const& m, std::string const& name, std::string const& format, unsigned bits)
        : _model(m)
    {
        JACKPLANE_EXPECTS(!std::holds_alternative<jackplane::extra_precision>(m.slice) || bits == 8,
                          jackplane::value_error, name, ": ", bits,
                          " bits by the slice extra_precision have a code of ", bits + 1,
                          " bits, which formats of the GPTQ family do not hold", exportable);
        constexpr std::string_view end = ".weight";
        auto const all = m.table.of_layers();
        for (std::size_t i = 0; i < all.size(); ++i)
        {
            JACKPLANE_EXPECTS(m.matrices[i].is_packed, jackplane::value_error, name, ": ", all[i].name,
                              " is dense; formats of the GPTQ family hold all linear layers of the blocks");
            std::string const& tensor = all[i].places[0].tensor;
            std::string const layer = tensor.substr(0, tensor.size() - end.size());
            if (_layers.empty() || _layers.back().name != layer)
                _layers.push_back({layer});
            _layers.back().matrices.push_back(i);
        }
        _settings.format = library_name(format);
        _settings.bits = bits;
        settle();
    }

    // What holds for all layers: columns of a group, symmetry.
    void word_layers::settle()
    {
        bool whole_rows = true;
        _settings.group = 0, _settings.symmetric = true;
        for (linear const& l : _layers)
        {
            joined const c = read(l);
            whole_rows = whole_rows && c.grid.per_row <= 1;
            _settings.group = std::max(_settings.group, c.grid.columns);
            for (auto const zero : c.zeros)
                _settings.symmetric = _settings.symmetric && zero == 1u << (_settings.bits - 1);
        }
        if (whole_rows)
            _settings.group = 0;
    }

    word_layers::joined word_layers::read(linear const& l) const
    {
        joined to;
        for (std::size_t const i : l.matrices)
        {
            auto const& m = _model.matrices[i];
            std::string const& name = _model.table.parameters()[i].name;
            JACKPLANE_EXPECTS(m.sparse.nonzeros() == 0, jackplane::value_error, name, ": ", m.sparse.nonzeros(),
                              " weights beside the codes; formats of the GPTQ family hold no sparse part (quantize "
                              "without --outliers and --significant makes none)");
            unsigned width = _settings.bits;
            auto const planes = sliced(m.packed, _model.slice, _settings.bits, width);
            std::visit([&](auto const& a) { to.append(a.prefix(width).of, name); }, planes);
        }
        return to;
    }

    words::tensors word_layers::write(linear const& l, words::settings const& s) const
    {
        joined const c = read(l);
        words::tensors out;
        bool const any_scales = s.format == words::compressed_tensors::name();
        auto const at_width = [&](auto bits)
        {
            constexpr unsigned width = decltype(bits)::value;
            jackplane::threads const all{};
            auto const wider = [&]<class S>(S) {
                out = words::compressed_tensors::write(l.name, words::layer<width, S>{c.as<width, S>(l.name), {}}, s,
                                                       all);
            };
            if (!any_scales || c.scales_are<half>())
                out = words::write(l.name, words::layer<width, half>{c.as<width, half>(l.name), {}}, s, all);
            else
                c.scales_are<jackplane::bfloat16>() ? wider(jackplane::bfloat16{}) : wider(float{});
        };
        with_width(s.bits, at_width);
        return out;
    }

    words::tensors word_layers::tensors(std::size_t i) const
    {
        std::string why;
        try
        {
            return write(_layers[i], _settings);
        }
        catch (jackplane::error const& e)
        {
            why = e.what();
        }
        std::string others;
        auto const holds = [&](auto const& format)
        {
            auto s = _settings;
            s.format = format.name();
            if (jackplane::try_load([&] { return write(_layers[i], s); }))
                others += text(others.empty() ? "" : ", ", tool_name(format.name()));
        };
        std::apply([&](auto const&... each) { (holds(each), ...); }, words::formats{});
        jackplane::fail<jackplane::format_error>(
            text(why, others.empty() ? "; no format of the family holds it" : "; held by " + others));
    }
}
