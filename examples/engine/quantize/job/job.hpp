// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <jackplane/quantize/sweep.hpp>
#include "../../keep/run_origin.hpp"
#include "../../pack/packed_model.hpp"
#include "../../read/source.hpp"
#include "../../tune/layer_tuner.hpp"
#include "facts.hpp"
#include "layer_balancer.hpp"
#include "option.hpp"
#include "../settings.hpp"
#include <cstddef>
#include <functional>
#include <optional>
#include <span>
#include <string_view>
#include <variant>
#include <vector>

namespace engine
{
    // What all methods work on: the source, the settings, the model that grows matrix by matrix.
    class job
    {
    public:
        using coded_matrix = std::variant<jackplane::any_packed, block_matrix>;
        // w: what the planes have to hold, 0 for weights beside them
        using codes_of_matrix = std::function<coded_matrix(parameter const& p, jackplane::matrix_view<float> w,
                                                           jackplane::feedback const* order)>;
        using layer_learning = std::variant<learning, matrix_learning>;

        job(model_source const& source, quantize_settings const& s, run_options const& run);

        model_source const& source;
        quantize_settings const& settings;
        run_options const& run;
        packed_model packed;             // norms and embedding are there from the start, balanced layer by layer
        std::optional<model> balanced{}; // the dense weights as the method sees them, where they are balanced
        std::vector<block_matrix> blocks; // of the layers, where the settings ask for blocks in place of planes
        width_reports losses{};

        float const* embedding() const noexcept { return packed.rest.data(); } // which stands first
        // Layers will be balanced for codes of so many bits, if the settings ask for it; or always, and clipped.
        void balance_for(unsigned bits, bool clips = false);

        // One layer in memory at a time, stage after stage of its forward pass. With feedback, codes see the Gram
        // matrix of what they read behind the layers before, quantized already.
        void quantize_in_stages(codes_of_matrix const& codes, jackplane::feedback_options const* feedback = nullptr);
        // So to codes of the settings' bits, with scales of their scheme, or searched from there.
        void quantize_to_codes(bool search_scale, jackplane::feedback_options const* feedback = nullptr);
        // One layer in memory at a time; those that are kept already the tuner passes. origin: of all that decides the
        // run but its weights. inside: matrices of the layers, whose codes stay; or none.
        void tune_layers(tuning_settings const& t, run_origin origin, layer_learning const& how,
                         std::span<packed_model::matrix const> inside = {});

        // The same in blocks. What t says of widths, offsets and scales is not read.
        void tune_blocks(tuning_settings const& t, run_origin origin, any_rate const& rate);

        // Matrix i is there.
        void made(std::size_t i, coded_matrix m, any_csr beside = {});
        void told(std::size_t i) const;
        void add(width_reports const& more);
        // Of all that decides a run but its method's own settings and the weights.
        run_origin origin() const;

    private:
        block_matrix blocks_of(parameter const& p, jackplane::matrix_view<float const> w) const;
        std::size_t first_of(std::size_t layer) const noexcept { return packed.table.first_of_layer(layer); }
        std::span<parameter const> parts_of(std::size_t layer) const;
        layer_view<float> read_layer(std::size_t layer, jackplane::aligned_vector<float>& w);
        any_csr detached(std::size_t i, jackplane::matrix_view<float> w) const;

        std::optional<layer_balancer> _balancer{};
    };

    // One matrix to codes of the settings' bits: the nearest, or those of `order`; scales of the settings' scheme, or
    // searched from there.
    jackplane::any_packed codes_of(jackplane::matrix_view<float const> w, quantize_settings const& s, bool search_scale,
                                   jackplane::feedback const* order, std::string_view name);
}
