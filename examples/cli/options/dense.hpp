// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "../../engine/pack/packed_model.hpp"
#include "../../engine/read/source.hpp"
#include "../warn.hpp"
#include <jackplane/core/check.hpp>
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

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

    // Of the weights and what they were quantized to, the part that has one sign, each by its size: 1 however coarse
    // the codes are, about 0 for another matrix. Balancing multiplies rows and columns, and changes no sign.
    inline double agreement(std::span<float const> x, std::span<float const> q)
    {
        double sum = 0, all = 0;
        for (std::size_t i = 0; i < x.size(); ++i)
        {
            double const product = double{x[i]} * double{q[i]};
            sum += product;
            all += std::abs(product);
        }
        return all > 0 ? sum / all : 1; // else nothing is known
    }

    struct origin
    {
        bool same_rest = true;  // what is not packed (embedding, norms, biases, a dense head) is that of the folder
        std::string other = {}; // a tensor that no method makes of the folder's
    };

    // Whether a file was made from these weights of a model with the same config.json; weights(i): of parameter i.
    // Looks at the embedding and the last norm as they are, at every matrix and at whatever else is dense (routers,
    // biases, norms of layers) by its signs, which balancing leaves.
    template <class Weights>
    origin origin_by(engine::packed_model const& packed, Weights&& weights)
    {
        auto const& all = packed.table.parameters();
        origin found;
        auto const tell = [&](std::size_t i)
        {
            if (found.other.empty())
                found.other = all[i].name;
        };
        std::size_t const layers = packed.table.of_layers().size();
        std::size_t const ends = packed.table.tuned_parameters(); // where the rest begins
        for (std::size_t i = layers; i < all.size(); ++i)
        {
            if (i < packed.matrices.size() && packed.matrices[i].is_packed)
                continue;
            auto const was = weights(i);
            auto const is = packed.dense_values(i);
            std::span<float const> const as_span(is.data, was.size());
            found.same_rest = found.same_rest && std::equal(was.begin(), was.end(), is.data, engine::same_but_for_half);
            double error = 0, magnitude = 0;
            for (std::size_t k = 0; k < was.size(); ++k)
            {
                error += std::pow(double{is.data[k]} - double{was[k]}, 2);
                magnitude += std::pow(double{was[k]}, 2);
            }
            bool const stays = i < ends + 2; // balancing changes others
            bool const has_signs = !all[i].norm || !packed.sizes.block.shifted_norms; // 1 + w keeps its sign, not w
            if (stays ? error > 1e-4 * magnitude : has_signs && agreement(was, as_span) < 0.5) // half: below 2e-6
                tell(i);
        }
        auto const widths = packed.widths();
        if (widths.empty())
            return found;
        auto const bits = packed.mix(widths.back());
        for (std::size_t i = 0; i < packed.matrices.size(); ++i)
        {
            if (!packed.matrices[i].is_packed)
                continue;
            auto const was = weights(i);
            std::vector<float> is(was.size());
            jackplane::matrix_view<float> const out{is.data(), all[i].rows, all[i].cols};
            engine::dequantize(packed.matrices[i].packed, packed.slice, bits[i], out);
            engine::put_back(packed.matrices[i].sparse, out, all[i].name);
            if (agreement(was, is) < 0.5)
                tell(i);
        }
        return found;
    }

    inline origin origin_of(engine::packed_model const& packed, engine::model const& dense)
    {
        return origin_by(packed,
                         [&](std::size_t i) {
                             return std::span(dense.w).subspan(packed.table.parameters()[i].offset,
                                                               packed.table.parameters()[i].size());
                         });
    }
    inline origin origin_of(engine::packed_model const& packed, std::filesystem::path const& folder)
    {
        auto const files = engine::model_files::open(folder);
        return origin_by(packed,
                         [&](std::size_t i)
                         {
                             engine::parameter const& p = packed.table.parameters()[i];
                             std::vector<float> w(p.size());
                             files->read(p, w);
                             return w;
                         });
    }

    inline std::string made_from_others(std::string const& quantized, std::string const& folder, origin const& found)
    {
        return engine::text(quantized, " was made from other weights than those of ", folder, ": ", found.other,
                            " is another one");
    }

    // The weights that a quantized file was made from. Throws shape_error for a folder of another model, value_error
    // for another lm_head; what else differs is an error of whoever needs it, or told.
    inline engine::model load_dense(std::string const& folder, engine::packed_model const& packed,
                                    std::string const& quantized)
    {
        engine::model dense = engine::load_model(folder);
        expect_same(packed.sizes, quantized, dense.sizes, folder);
        if (engine::parameter const& last = dense.table.parameters()[packed.matrices.size() - 1];
            !packed.matrices.back().is_packed)
        {
            auto const was = std::span(dense.w).subspan(last.offset, last.size());
            JACKPLANE_EXPECTS(
                std::equal(was.begin(), was.end(), packed.matrices.back().dense.begin(), engine::same_but_for_half),
                jackplane::value_error, quantized, ": ", last.name, " is not that of ", folder);
        }
        if (origin const found = origin_of(packed, dense); found.same_rest && !found.other.empty())
            warn(made_from_others(quantized, folder, found));
        return dense;
    }
}
