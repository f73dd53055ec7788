// SPDX-License-Identifier: BSD-3-Clause
#include "head.hpp"
#include "../pack/format/scheme.hpp"
#include "../pack/format/storage.hpp"
#include <jackplane/core/parallel.hpp>
#include <jackplane/pack/pack.hpp>
#include <jackplane/quantize/quantize.hpp>

namespace engine
{
    void quantize_head(packed_model& m, scheme range, jackplane::group group)
    {
        parameter const& p = m.table.parameters()[m.head()];
        auto const w = m.dense_values(m.head());
        auto const with = [&](auto policy) -> jackplane::any_packed
        {
            return in_half_or_wider(
                [&]<class S>(S) -> jackplane::any_packed
                {
                    jackplane::threads const all{};
                    auto const q =
                        jackplane::quantize<S>(w, jackplane::uniform<8>{}, policy, group, jackplane::nearest{},
                                               jackplane::independent{}, {{}, p.name}, all);
                    return jackplane::pack<jackplane::bit_planes>(q, all);
                });
        };
        packed_model::matrix head{with_scheme(range, with), true, {}, {}};
        if (!m.sizes.tied)
            m.matrices[m.head()] = std::move(head);
        else
        {
            m.matrices.push_back(std::move(head));
            m.rest.erase(m.rest.begin(), m.rest.begin() + static_cast<std::ptrdiff_t>(p.size()));
            m.rest.shrink_to_fit();
        }
    }
}
