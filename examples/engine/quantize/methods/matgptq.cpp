// SPDX-License-Identifier: BSD-3-Clause
#include "matgptq.hpp"
#include "../../pack/format/storage.hpp"
#include <jackplane/core/parallel.hpp>
#include <jackplane/pack/pack.hpp>
#include <jackplane/quantize/matryoshka.hpp>
#include <jackplane/quantize/quantize.hpp>

namespace engine
{
    void matgptq::run(job& j) const
    {
        quantize_settings const& s = j.settings;
        std::vector<float> const even(widths.size(), 1.0f);
        auto const book = std::visit([&](auto const& rule)
                                     { return jackplane::matryoshka(widths, lambdas.empty() ? even : lambdas, rule); },
                                     s.slice);
        auto const codes =
            [&](parameter const& p, jackplane::matrix_view<float const> w, jackplane::feedback const* order)
        {
            auto const run = [&]<class P>(P policy) -> jackplane::any_packed
            {
                return in_half_or_wider(
                    [&]<class S>(S) -> jackplane::any_packed
                    {
                        jackplane::threads const all{};
                        auto q = jackplane::quantize<S>(w, book, policy, s.group, jackplane::nearest{}, *order,
                                                        {{}, p.name}, all);
                        using parent = jackplane::quantized<jackplane::uniform<8>, S, typename P::zero_type>;
                        return jackplane::pack<jackplane::bit_planes>(parent{{},
                                                                             q.rows,
                                                                             q.cols,
                                                                             q.grid,
                                                                             std::move(q.codes),
                                                                             std::move(q.scales),
                                                                             std::move(q.zeros)},
                                                                      all);
                    });
            };
            return with_scheme(s.range,
                               [&](auto policy)
                               {
                                   jackplane::parent_scale const parent{policy};
                                   return search_scale ? run(jackplane::mse_search{parent}) : run(parent);
                               });
        };
        jackplane::feedback_options const feedback{};
        j.balance_for(s.bits);
        j.quantize_in_stages(codes, &feedback);
    }
}
