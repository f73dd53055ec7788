// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <jackplane/core/team.hpp>
#include "../run/forward.hpp"
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace engine
{
    // Windows of a text for methods that look at what a model does with it: all of `length` tokens, drawn without
    // replacement by the seed, in the order of the text.
    struct calibration_text
    {
        std::vector<token> tokens; // [windows * length]
        std::size_t length = 0;

        // Throws shape_error when the text is shorter than one window. With fewer windows than `samples`: all.
        static calibration_text of(std::span<token const> text, std::size_t samples, std::size_t length,
                                   std::uint64_t seed, std::string const& name = "calibration text");
    };

    // What a linear layer reads, in the order of the forward pass.
    enum class layer_input
    {
        attention, // by q, k, v [hidden]
        attended,  // by o [query_width]
        mlp,       // by gate, up [hidden]
        active     // by down [intermediate]
    };

    // The matrices of a layer that read the same input stand side by side in the parameter table.
    struct layer_stage
    {
        layer_input input;
        std::size_t first, last; // of the matrices of a layer
        std::size_t expert = 0;  // whose input it is, of `mlp` and `active`: of the tokens that go to it
        static constexpr std::size_t every_expert = std::size_t{0} - 1; // what all of them read, of `mlp`
    };
    // Of a layer, in the order of the forward pass.
    inline std::vector<layer_stage> stages_of(config const& c, layer_kind const& kind)
    {
        std::vector<layer_stage> all{{layer_input::attention, 0, 3}, {layer_input::attended, 3, 4}};
        for (std::size_t e = 0; e < c.mlps(kind); ++e)
            all.insert(all.end(),
                       {{layer_input::mlp, 4 + 3 * e, 6 + 3 * e, e}, {layer_input::active, 6 + 3 * e, 7 + 3 * e, e}});
        return all;
    }

    // Of what the linear layers of a stage read: of each number the sum over tokens of its square [size], and how many
    // tokens.
    struct input_squares
    {
        std::vector<double> sums;
        std::size_t tokens = 0;
    };

    // The calibration windows on their way through a model, layer by layer: the input of the next one is all that is
    // kept, however many layers there are.
    class calibration_stream
    {
    public:
        calibration_stream(config const& c, float const* embedding, calibration_text text);

        // Numbers of what the linear layers of a stage read.
        std::size_t size_of(layer_view<float const> const& w, layer_stage const& which) const noexcept;
        // sum over all tokens of x x^T, x what the linear layer reads in a layer with these weights -> [size, size]. Of
        // an expert here and below: all that go to it. Where none does the sum is 0, and methods round to nearest.
        std::vector<float> gram(layer_view<float const> const& w, layer_stage const& which,
                                jackplane::team const& workers = jackplane::team(1)) const;
        // sum over all tokens of (x - y) x^T, y the same of another stream of this text, in a layer with weights v; of
        // an expert: of the tokens that go to it in both
        std::vector<float> drift(layer_view<float const> const& w, layer_stage const& which,
                                 calibration_stream const& other, layer_view<float const> const& v,
                                 jackplane::team const& workers) const;
        // mean over all tokens of |x| -> [size]
        std::vector<float> mean_magnitudes(layer_view<float const> const& w, layer_stage const& which,
                                           jackplane::team const& workers = jackplane::team(1)) const;
        // Of every stage, as stages_of() has them, in one pass: what importance matrices are made of.
        std::vector<input_squares> squares(layer_view<float const> const& w,
                                           jackplane::team const& workers = jackplane::team(1)) const;
        // How many tokens each expert of a layer with these weights reads.
        std::vector<std::size_t> tokens_of_experts(layer_view<float const> const& w,
                                                   jackplane::team const& workers) const;
        // On to the next layer.
        void advance(layer_view<float const> const& w, jackplane::team const& workers = jackplane::team(1));
        // What that layer reads. [tokens, hidden]
        std::span<float const> input() const noexcept { return _stream; }
        std::size_t length() const noexcept { return _text.length; }

    private:
        // A sum over windows is made in so many parts of the text, which are then added: the same for any number of
        // threads.
        static constexpr std::size_t parts = 4;
        template <class Body>
        void for_each_window(layer_view<float const> const& w, std::size_t first, std::size_t end, Body&& body) const;
        template <class Left>
        std::vector<float> sum_of_products(layer_view<float const> const& w, layer_stage const& which,
                                           jackplane::team const& workers, Left&& left) const;
        std::size_t windows() const noexcept { return _text.tokens.size() / _text.length; }

        config _config; // of a single layer
        calibration_text _text;
        std::vector<float> _stream; // [tokens, hidden]
    };
}
