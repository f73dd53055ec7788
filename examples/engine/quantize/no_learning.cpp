// SPDX-License-Identifier: BSD-3-Clause
// In a quick build, in the place of layer_balancer.cpp, tune/layer_tuner.cpp and tune/weight_trainer.cpp.
#include "../tune/layer_tuner.hpp"
#include "../tune/weight_trainer.hpp"
#include "layer_balancer.hpp"

namespace engine
{
    namespace
    {
        [[noreturn]] void refuse()
        {
            jackplane::fail<jackplane::value_error>(
                "this build has no method that goes through the layers with a text (ENGINE_QUICK_BUILD); "
                "`cmake --workflow --preset tool` builds the tool with every method");
        }
    }

    layer_balancer::layer_balancer(config const& c, float const* embedding, quantize_settings const& s)
        : _stream(c, embedding, s.calibration)
    {
        refuse();
    }
    void layer_balancer::balance(layer_view<float> const&, std::span<parameter const>) { refuse(); }

    layer_tuner::layer_tuner(config const& c, float const* embedding, quantize_settings const& s)
        : _dense(c, embedding, s.calibration)
    {
        refuse();
    }
    std::vector<jackplane::any_packed> layer_tuner::tune(std::size_t, dense_layer const&, std::vector<width_report>*)
    {
        refuse();
    }
    void layer_tuner::pass(dense_layer const&, std::span<jackplane::any_packed const>) { refuse(); }

    std::vector<jackplane::any_packed> train_weights(model const&, quantize_settings const&, std::vector<width_report>*,
                                                     jackplane::progress const&)
    {
        refuse();
    }
    void train_scales(packed_model&, quantize_settings const&, std::vector<width_report>*, jackplane::progress const&)
    {
        refuse();
    }
}
