// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "../engine/pack/packed_model.hpp"
#include "warn.hpp"
#include <jackplane/core/check.hpp>
#include <cmath>
#include <string>

namespace cli
{
    // Throws shape_error where two models differ in what their config.json says.
    inline void expect_same(engine::config const& a, std::string const& of_a, engine::config const& b,
                            std::string const& of_b)
    {
        std::string const other = engine::difference(a, b);
        JACKPLANE_EXPECTS(other.empty(), jackplane::shape_error, of_a, " and ", of_b, " are different models (", other,
                          ")");
    }

    // The weights that a quantized file was made from. Throws shape_error for a folder of another model.
    inline engine::model load_dense(std::string const& folder, engine::packed_model const& packed,
                                   std::string const& quantized)
    {
        engine::model dense = engine::load_model(folder);
        expect_same(packed.sizes, quantized, dense.sizes, folder);
        return dense;
    }

    // No method changes an embedding: another one says that the file was made from other weights.
    inline void warn_of_other_weights(std::string const& folder, engine::model const& dense,
                                      std::string const& quantized, engine::packed_model const& packed)
    {
        float const* const was = dense.w.data() + packed.table.tuned_size();
        double error = 0, magnitude = 0;
        for (std::size_t i = 0; i < packed.sizes.vocabulary * packed.sizes.hidden; ++i)
        {
            error += std::pow(double{packed.rest[i]} - double{was[i]}, 2);
            magnitude += std::pow(double{was[i]}, 2);
        }
        if (error > 1e-4 * magnitude) // half and bfloat16 stay below 2e-6
            warn(engine::text(quantized, " was made from other weights than those of ", folder,
                             ": their embeddings differ by ", 100 * std::sqrt(error / magnitude), " %"));
    }
}
