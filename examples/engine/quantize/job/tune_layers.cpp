// SPDX-License-Identifier: BSD-3-Clause
#include "../../tune/block_tuner.hpp"
#include "job.hpp"
#include <utility>

namespace engine
{
    void job::tune_layers(tuning_settings const& t, run_origin origin, layer_learning const& how,
                          std::span<packed_model::matrix const> inside)
    {
        balance_for(t.widths.front());
        layer_tuner tuner(source.sizes(), embedding(), settings.codes(), t, settings.calibration);
        auto const tune = [&](std::size_t layer, dense_layer const& dense)
        { return std::visit([&](auto const& each) { return tuner.tune(layer, dense, each); }, how); };
        layer_store const store = run.kept.layers();
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
            auto done = store.find(layer, origin.text_of(), parts);
            if (done)
                tuner.pass(dense, done->matrices);
            else
                done = store.keep(layer, origin.text_of(), parts, tune(layer, dense));
            add(done->losses);
            for (std::size_t i = 0; i < parts.size(); ++i)
                made(first_of(layer) + i, std::move(done->matrices[i]), std::move(beside[i]));
        }
    }

    void job::tune_blocks(tuning_settings const& t, any_rate const& rate)
    {
        block_tuner tuner(source.sizes(), embedding(), t, settings.calibration);
        jackplane::aligned_vector<float> w;
        for (std::size_t layer = 0; layer < source.sizes().layers; ++layer)
        {
            auto const parts = parts_of(layer);
            auto const view = read_layer(layer, w);
            std::vector<block_matrix> made_of;
            for (std::size_t i = 0; i < parts.size(); ++i)
                made_of.push_back(blocks_of(parts[i], matrix_of<float const>(w.data(), parts, i)));
            add({tuner.tune(layer, view, parts, made_of, rate)});
            for (std::size_t i = 0; i < parts.size(); ++i)
                made(first_of(layer) + i, std::move(made_of[i]));
        }
    }
}
