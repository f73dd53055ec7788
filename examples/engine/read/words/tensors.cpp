// SPDX-License-Identifier: BSD-3-Clause
#include "tensors.hpp"
#include <jackplane/core/parallel.hpp>
#include <jackplane/store/words/config.hpp>
#include "../with_width.hpp"
#include <algorithm>
#include <string_view>
#include <utility>

namespace engine
{
    namespace words = jackplane::words;

    namespace
    {
        constexpr std::string_view parts[] = {
            ".qweight",           ".qzeros",       ".scales",      ".g_idx", ".weight_packed", ".weight_scale",
            ".weight_zero_point", ".weight_g_idx", ".weight_shape"};

        // The tensors of all files of a checkpoint, as words::read looks for them.
        struct all_tensors
        {
            checkpoint_files const& files;

            safetensors::tensor const* find(std::string const& name) const
            {
                return files.find(name) == nullptr ? nullptr : &files.at(name);
            }
        };

        // AutoGPTQ gives every layer a bias.
        bool is_zero(safetensors::tensor const& t)
        {
            return std::all_of(t.bytes.begin(), t.bytes.end(), [](std::byte b) { return b == std::byte{}; });
        }

        template <unsigned B>
        void decode(words::layer<B, float> const& l, std::size_t first_row, jackplane::matrix_view<float> out)
        {
            for (std::size_t row = 0; row < out.rows; ++row)
                for (std::size_t k = 0; k < out.cols; ++k)
                    out(row, l.order.empty() ? k : l.order[k]) = l.codes.at(first_row + row, k);
        }
    }

    std::optional<words::settings> words_in(std::filesystem::path const& folder, settings_file const& config)
    {
        constexpr char const* key = "quantization_config";
        auto const alone = folder / "quantize_config.json";
        bool const inside = config.has(key);
        if (inside ? !config.tree()[key].is_object() : !is_there(alone))
            return {}; // of no object the reader of config.json complains
        settings_file said = inside ? config.inner(key) : settings_file(alone);
        if (!inside && !said.has("quant_method")) // AutoGPTQ's older files
            said.put("quant_method", "gptq");
        try
        {
            return words::read_config((inside ? config : said).name(), said.tree().dump());
        }
        catch (jackplane::format_error const& e)
        {
            jackplane::fail<jackplane::format_error>(text(e.what(), "; take the full-precision checkpoint"));
        }
    }

    std::string word_tensors::codes_of(std::string const& layer) const
    {
        return layer + (_settings.format == words::compressed_tensors::name() ? ".weight_packed" : ".qweight");
    }

    std::optional<tensor_part> word_tensors::find(parameter const& p) const
    {
        constexpr std::string_view end = ".weight";
        for (tensor_part part : p.places)
        {
            if (_files.find(part.tensor) != nullptr)
                return {};
            part.tensor.resize(part.tensor.size() - (part.tensor.ends_with(end) ? end.size() : 0));
            if (_files.find(codes_of(part.tensor)) != nullptr)
                return part;
        }
        return {};
    }

    bool word_tensors::take(parameter const& p, std::map<std::string, checkpoint_files::place>& rest) const
    {
        auto const part = find(p);
        if (!part)
            return false;
        std::string const name = codes_of(part->tensor);
        safetensors::tensor const& codes = _files.at(name);
        bool const by_rows = _settings.format == words::compressed_tensors::name(); // which end at a whole word
        std::size_t const rows = part->shape[0], cols = part->shape[1],
                          wanted = by_rows ? rows * jackplane::ceil_div(cols * _settings.bits, 32)
                                           : jackplane::ceil_div(rows * cols * _settings.bits, 32);
        JACKPLANE_EXPECTS(codes.bytes.size() == 4 * wanted, jackplane::shape_error, _files.find(name)->name(),
                          ": tensor '", codes.name, "' is ", jackplane::dtype_name(codes.type), " ",
                          safetensors::shape_text(codes.shape), ", a layer of ", rows, " x ", cols, " codes of ",
                          _settings.bits, " bits has ", wanted, " words");
        for (std::string_view const each : parts)
            rest.erase(text(part->tensor, each));
        if (auto const bias = rest.find(part->tensor + ".bias"); bias != rest.end() && is_zero(_files.at(bias->first)))
            rest.erase(bias);
        return true;
    }

    template <class Body>
    void word_tensors::with_layer(tensor_part const& part, Body&& body) const
    {
        std::string const& file = _files.find(codes_of(part.tensor))->name();
        auto const as = [&](auto bits)
        {
            auto l = words::read<decltype(bits)::value, float>(all_tensors{_files}, part.tensor, _settings,
                                                               jackplane::threads{});
            JACKPLANE_EXPECTS(l.codes.rows == part.shape[0] && l.codes.cols == part.shape[1], jackplane::shape_error,
                              "'", part.tensor, "' is ", l.codes.rows, " x ", l.codes.cols, ", config.json makes it ",
                              part.shape[0], " x ", part.shape[1]);
            body(std::move(l));
        };
        try
        {
            with_width(_settings.bits, as);
        }
        catch (jackplane::error const& e)
        {
            jackplane::fail<jackplane::format_error>(text(file, ": ", e.what()));
        }
    }

    bool word_tensors::read(parameter const& p, std::span<float> w) const
    {
        auto const part = find(p);
        if (!part)
            return false;
        with_layer(*part, [&](auto const& l) { decode(l, part->first / p.cols, {w.data(), p.rows, p.cols}); });
        std::string const& file = _files.find(codes_of(part->tensor))->name();
        for (std::size_t i = 0; i < w.size(); ++i)
            JACKPLANE_EXPECTS(jackplane::is_finite(w[i]), jackplane::value_error, file, ": layer '", part->tensor,
                              "', row ", part->first / p.cols + i / p.cols, ", column ", i % p.cols,
                              ": no finite number in fp32");
        return true;
    }

    std::optional<stored_codes> word_tensors::codes(parameter const& p) const
    {
        auto const part = find(p);
        if (!part)
            return {};
        bool const compressed = _settings.format == words::compressed_tensors::name();
        stored_codes to;
        auto const take = [&]<unsigned B>(words::layer<B, float> l)
        {
            words::order_groups(l);
            JACKPLANE_EXPECTS(l.order.empty(), jackplane::format_error, "'", part->tensor,
                              "': groups of columns by importance (g_idx, act-order); codes stay where columns of a "
                              "group stand side by side");
            for (std::size_t i = 0; i < l.codes.scales.size(); ++i)
                JACKPLANE_EXPECTS(jackplane::is_finite(l.codes.scales[i] * static_cast<float>(1u << B)),
                                  jackplane::value_error, "'", part->tensor, "': the scale of group ",
                                  i % l.codes.grid.per_row, " in row ", i / l.codes.grid.per_row, " is ",
                                  l.codes.scales[i], ", which makes numbers beyond fp32");
            auto const rows = [&](auto const& of, std::size_t width)
            {
                auto const first = of.begin() + static_cast<std::ptrdiff_t>(part->first / p.cols * width);
                return std::pair(first, first + static_cast<std::ptrdiff_t>(p.rows * width));
            };
            auto const [codes, codes_end] = rows(l.codes.codes, p.cols);
            auto const [scales, scales_end] = rows(l.codes.scales, l.codes.grid.per_row);
            auto const [zeros, zeros_end] = rows(l.codes.zeros, l.codes.grid.per_row);
            to = {.bits = B,
                  .rows = p.rows,
                  .cols = p.cols,
                  .grid = l.codes.grid,
                  .codes = {codes, codes_end},
                  .scales = {scales, scales_end},
                  .zeros = {zeros, zeros_end},
                  .scale_type = _files.at(part->tensor + (compressed ? ".weight_scale" : ".scales")).type,
                  .type = text(_settings.format, " of ", B, " bits")};
        };
        with_layer(*part, take);
        return to;
    }
}
