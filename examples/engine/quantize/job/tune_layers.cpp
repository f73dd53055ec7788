// SPDX-License-Identifier: BSD-3-Clause
#include "../../tune/block_tuner.hpp"
#include "job.hpp"
#include <utility>

namespace engine
{
    namespace
    {
        // A layer as a killed run kept it, behind which the tuner passes; else made now, and kept.
        template <class Matrix>
        tuned_layer<Matrix> taken_up(job& j, std::size_t layer, run_origin const& origin, auto&& pass, auto&& make)
        {
            layer_store const store = j.run.kept.layers();
            auto const parts = j.packed.table.of_layer(layer);
            auto done = store.find<Matrix>(layer, origin.text_of(), parts);
            if (done)
                pass(done->matrices);
            else
                done = store.keep(layer, origin.text_of(), parts, tuned_layer<Matrix>(make()));
            j.add(done->losses);
            return *std::move(done);
        }
    }

    void job::tune_layers(tuning_settings const& t, run_origin origin, layer_learning const& how,
                          std::span<packed_model::matrix const> inside)
    {
        balance_for(t.widths.front());
        layer_tuner tuner(source.sizes(), embedding(), settings.codes(), t, settings.calibration);
        auto const tune = [&](std::size_t layer, dense_layer const& dense)
        { return std::visit([&](auto const& each) { return tuner.tune(layer, dense, each); }, how); };
        origin.add(std::span<float const>(packed.rest));
        jackplane::aligned_vector<float> w;
        for (std::size_t layer = 0; layer < source.sizes().layers; ++layer)
        {
            auto const parts = parts_of(layer);
            auto const view = read_layer(layer, w);
            origin.add(std::span<float const>(w));
            auto left = w;
            std::vector<any_csr> beside;
            for (std::size_t i = 0; i < parts.size(); ++i)
                beside.push_back(detached(first_of(layer) + i, matrix_of(left.data(), parts, i)));
            auto const rest = parameter_view<float>(source.sizes(), nullptr, packed.rest.data());
            dense_layer const dense{view, rest.layer(layer, left.data()), parts, beside,
                                    inside.empty() ? inside : inside.subspan(first_of(layer), parts.size())};
            auto done = taken_up<jackplane::any_packed>(
                *this, layer, origin, [&](auto const& kept) { tuner.pass(dense, kept); },
                [&] { return tune(layer, dense); });
            for (std::size_t i = 0; i < parts.size(); ++i)
                made(first_of(layer) + i, std::move(done.matrices[i]), std::move(beside[i]));
        }
    }

    void job::tune_blocks(tuning_settings const& t, run_origin origin, any_rate const& rate)
    {
        block_tuner tuner(source.sizes(), embedding(), t, settings.calibration);
        origin.add(std::span<float const>(packed.rest));
        jackplane::aligned_vector<float> w;
        for (std::size_t layer = 0; layer < source.sizes().layers; ++layer)
        {
            auto const parts = parts_of(layer);
            auto const view = read_layer(layer, w);
            origin.add(std::span<float const>(w));
            auto const make = [&]
            {
                tuned_blocks now;
                for (std::size_t i = 0; i < parts.size(); ++i)
                    now.matrices.push_back(blocks_of(parts[i], matrix_of<float const>(w.data(), parts, i)));
                now.losses = {tuner.tune(layer, view, parts, now.matrices, rate)};
                return now;
            };
            auto done = taken_up<block_matrix>(
                *this, layer, origin, [&](auto const& kept) { tuner.pass(view, parts, kept); }, make);
            for (std::size_t i = 0; i < parts.size(); ++i)
                made(first_of(layer) + i, std::move(done.matrices[i]));
        }
    }
}
