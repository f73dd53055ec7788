// SPDX-License-Identifier: BSD-3-Clause
#include "signround.hpp"
#include <algorithm>

namespace engine
{
    namespace
    {
        void expect_same_model(std::string const& file, packed_model const& inside, job const& j)
        {
            packed_model const& m = j.packed;
            std::string const other = difference(m.sizes, inside.sizes);
            JACKPLANE_EXPECTS(other.empty(), jackplane::value_error, file, ": another model (", other, ")");
            auto const shared = std::span<float const>(m.rest).last(inside.rest.size()); // not a packed embedding
            JACKPLANE_EXPECTS(std::equal(shared.begin(), shared.end(), inside.rest.begin(), same_but_for_half),
                              jackplane::value_error, file, ": another model, or the same after balancing");
            for (std::size_t i = 0; i < inside.matrices.size(); ++i)
            {
                parameter const& p = m.table.parameters()[i];
                packed_model::matrix const& found = inside.matrices[i];
                if (!found.is_packed) // an untied lm_head
                {
                    jackplane::aligned_vector<float> w(p.size());
                    j.source.read(p, w.data());
                    JACKPLANE_EXPECTS(std::equal(w.begin(), w.end(), found.dense.begin(), same_but_for_half),
                                      jackplane::value_error, file, ": another model, by its ", p.name);
                }
                JACKPLANE_EXPECTS(found.sparse.nonzeros() == 0, jackplane::value_error, file, ": ", p.name,
                                  " has weights beside its planes");
            }
        }

        // Parents of 8 bits, with scales of this scheme, whose first bits every width can share; where those are more
        // than 2, all of one codebook.
        void expect_parents(std::string const& file, packed_model const& inside, job const& j, unsigned bits)
        {
            for (std::size_t i = 0; i < j.source.table().of_layers().size(); ++i)
            {
                std::string const& name = j.packed.table.parameters()[i].name;
                auto const serves = [&]<class S, class P, class C>(S, P, C)
                {
                    using parent = jackplane::packed<jackplane::bit_planes, C, S, typename P::zero_type>;
                    auto const* const of = std::get_if<parent>(&inside.matrices[i].packed);
                    return of != nullptr && of->readable(bits);
                };
                bool const is_there = with_scheme(
                    j.settings.range,
                    [&](auto policy)
                    {
                        auto const with = [&](auto scale)
                        {
                            return serves(scale, policy, jackplane::uniform<8>{}) ||
                                   serves(scale, policy, jackplane::overlapping<8>{});
                        };
                        return with(jackplane::half{}) || with(jackplane::bfloat16{});
                    });
                JACKPLANE_EXPECTS(is_there, jackplane::value_error, file, ": ", name,
                                  " has no parent of 8 bits with this --scheme that can be cut to ", bits);
                bool const as_others = overlaps(inside.matrices[i].packed) == overlaps(inside.matrices[0].packed);
                JACKPLANE_EXPECTS(bits <= 2 || as_others, jackplane::value_error, file, ": ", name,
                                  " has another codebook than the first matrix");
            }
        }
    }

    void signround::expect_possible(quantize_settings const& s, bool beside) const
    {
        JACKPLANE_EXPECTS(!inside.model || (!layer_wise && tuning.lambdas.empty() && !s.balance && !beside),
                          jackplane::value_error,
                          "codes that stay (--inside) go with signround of whole layers, without lambdas, balancing "
                          "and weights beside the planes from the start (--outliers, --before)");
        JACKPLANE_EXPECTS(!layer_wise || tuning.lambdas.empty(), jackplane::value_error,
                          "widths are learned all at once (--lambda) from whole layers or models, not matrix after "
                          "matrix (--layer-wise)");
        JACKPLANE_EXPECTS(!layer_wise || (!tuning.suppress_outliers && !tuning.keep_best && !tuning.dense_inputs &&
                                          tuning.learn_clipping),
                          jackplane::value_error,
                          "--suppress-outliers, --keep-best, --dense-inputs and --no-clipping go with learning from "
                          "whole layers, not matrix after matrix (--layer-wise)");
    }

    void signround::run(job& j) const
    {
        auto const rate = [this](std::size_t steps) {
            return jackplane::linear_decay{tuning.rate_or(jackplane::signround_rate(steps).first), steps};
        };
        if (j.settings.blocks.asked())
            return j.tune_blocks(tuning, origin_of(*this, j), rate(tuning.steps));
        std::span<packed_model::matrix const> stay;
        if (inside.model)
        {
            expect_same_model(inside.name, *inside.model, j);
            expect_parents(inside.name, *inside.model, j, tuning.widths.front());
            stay = inside.model->matrices;
        }
        job::layer_learning how = matrix_learning{.feedback = from_feedback, .rate = rate};
        if (!layer_wise)
            how = learning{
                .clip_rate = tuning.learn_clipping ? 1.0f : 0.0f, .step = {jackplane::sign_step{}}, .rate = rate};
        j.tune_layers(tuning, origin_of(*this, j), how, stay);
    }
}
