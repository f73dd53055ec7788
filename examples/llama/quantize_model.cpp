// SPDX-License-Identifier: BSD-3-Clause
#include "quantize_model.hpp"
#include <jackplane/core/parallel.hpp>
#include <jackplane/pack/pack.hpp>
#include <jackplane/quantize/quantize.hpp>
#include <algorithm>
#include <cmath>
#include <optional>
#include <string_view>

namespace llama
{
    namespace
    {
        // One matrix in planes of L; order: null for every weight on its own.
        template <jackplane::code_layout L>
        jackplane::any_packed quantize_in(jackplane::matrix_view<float const> const w, quantize_settings const& s,
                                          jackplane::feedback const* order, std::string_view name)
        {
            auto const with = [&]<class Policy>(Policy policy) -> jackplane::any_packed
            {
                auto const run = [&](auto p, auto const& sweep)
                {
                    jackplane::uniform<L::bits> const book{};
                    jackplane::threads const all{};
                    auto const q =
                        jackplane::quantize(w, book, p, s.group, jackplane::nearest{}, sweep, {{}, name}, all);
                    return jackplane::pack<L>(q, all);
                };
                jackplane::independent const alone;
                if (order)
                    return s.search_scale ? run(jackplane::mse_search{policy}, *order) : run(policy, *order);
                return s.how == method::mse ? run(jackplane::mse_search{policy}, alone) : run(policy, alone);
            };
            switch (s.range)
            {
            case scheme::symmetric: return with(jackplane::absmax{});
            case scheme::asymmetric: return with(jackplane::minmax<>{});
            default: return with(jackplane::full_range{});
            }
        }

        // w becomes what is left of it; returns |w^ - w| / |w|.
        double decode_in_place(jackplane::any_packed const& m, jackplane::matrix_view<float> w)
        {
            std::vector<float> back(w.rows * w.cols);
            std::visit([&](auto const& a) { dequantize(a, {back.data(), w.rows, w.cols}, jackplane::threads{}); }, m);
            double error = 0, norm = 0;
            for (std::size_t i = 0; i < back.size(); ++i)
            {
                double const x = w.data[i], off = static_cast<double>(back[i]) - x;
                error += off * off;
                norm += x * x;
            }
            std::copy(back.begin(), back.end(), w.data);
            return norm > 0 ? std::sqrt(error / norm) : 0;
        }

        jackplane::any_packed quantize_matrix(jackplane::matrix_view<float const> w, quantize_settings const& s,
                                              jackplane::feedback const* order, std::string_view name)
        {
            switch (s.bits)
            {
            case 8:
                return quantize_in<jackplane::bit_planes>(w, s, order, name);
            case 4:
                return quantize_in<jackplane::planes<4>>(w, s, order, name);
            case 2:
                return quantize_in<jackplane::planes<2>>(w, s, order, name);
            default:
                jackplane::fail<jackplane::width_error>(text("no parent of ", s.bits, " bits; there are 8, 4 and 2"));
            }
        }

        // The matrices of a layer that read the same input stand side by side in the table.
        struct stage
        {
            layer_input input;
            std::size_t first, last; // parameters of the layer
        };
        constexpr std::size_t matrices_of_layer = 7;
        constexpr stage stages[] = {{layer_input::attention, 0, 3},
                                    {layer_input::attended, 3, 4},
                                    {layer_input::mlp, 4, 6},
                                    {layer_input::active, 6, 7}};
    }

    packed_model quantize_model(std::filesystem::path const& folder, quantize_settings const& s,
                                std::vector<tensor_report>* report, jackplane::progress const& tell)
    {
        config const c = read_config(folder / "config.json");
        checkpoint_files const files(folder);
        check_tensors(files, c);
        JACKPLANE_EXPECTS(s.how != method::gptq || !s.calibration.tokens.empty(), jackplane::value_error,
                          "gptq needs a calibration text");
        packed_model m(c);
        m.slice = s.slice;
        auto const& all = m.table.parameters();
        m.rest.resize(m.table.size() - m.table.tuned_size());
        for (std::size_t i = m.matrices.size(); i < all.size(); ++i)
        {
            parameter p = all[i];
            p.offset -= m.table.tuned_size();
            read_parameter(files, p, m.rest);
        }
        // Parameter i; its weights become what is left of them where somebody reads them again.
        auto const quantize_one = [&](std::size_t i, float* weights, jackplane::feedback const* order)
        {
            jackplane::matrix_view<float> const w{weights, all[i].rows, all[i].cols};
            m.matrices[i] = {quantize_matrix(w, s, order, all[i].name), true, {}};
            if (report || order)
            {
                double const error = decode_in_place(m.matrices[i].packed, w);
                if (report)
                    report->push_back({all[i].name, w.rows, w.cols, error});
            }
        };
        auto const told = [&](std::size_t i)
        {
            if (tell)
                tell(all[i].name, i + 1, m.matrices.size());
        };

        parameter_view<float const> const rest(c, nullptr, m.rest.data());
        std::optional<calibration_stream> stream;
        if (s.how == method::gptq)
            stream.emplace(c, m.rest.data(), s.calibration); // the embedding stands first
        jackplane::aligned_vector<float> w;
        for (std::size_t layer = 0; layer < c.layers; ++layer)
        {
            std::size_t const first = layer * matrices_of_layer, begin = all[first].offset;
            auto const& last = all[first + matrices_of_layer - 1];
            w.resize(last.offset + last.size() - begin);
            for (std::size_t i = first; i < first + matrices_of_layer; ++i)
            {
                parameter p = all[i];
                p.offset -= begin;
                read_parameter(files, p, w);
            }
            auto const view = rest.layer(layer, w.data());
            for (stage const& part : stages)
            {
                std::optional<jackplane::feedback> order;
                if (stream)
                {
                    auto const gram = stream->gram(view, part.input);
                    std::size_t const size = stream->size_of(part.input);
                    order.emplace(jackplane::matrix_view<float const>{gram.data(), size, size},
                                  jackplane::feedback_options{.by_activation = s.by_activation,
                                                              .name = all[first + part.first].name});
                }
                for (std::size_t i = first + part.first; i < first + part.last; ++i)
                {
                    quantize_one(i, w.data() + (all[i].offset - begin), order ? &*order : nullptr);
                    told(i);
                }
            }
            if (stream)
                stream->advance(view);
        }
        for (std::size_t i = c.layers * matrices_of_layer; i < m.matrices.size(); ++i) // an untied lm_head
        {
            parameter p = all[i];
            p.offset = 0;
            w.resize(p.size());
            read_parameter(files, p, w);
            if (s.include_lm_head)
                quantize_one(i, w.data(), nullptr);
            else
                m.matrices[i].dense = w;
            told(i);
        }
        if (auto const tokenizer = folder / "tokenizer.model"; std::filesystem::exists(tokenizer))
            m.tokenizer = settings_file::contents(tokenizer);
        return m;
    }
}
