// SPDX-License-Identifier: BSD-3-Clause
#include "../../pack/format/planes.hpp"
#include "../../pack/format/storage.hpp"
#include "job.hpp"
#include <jackplane/core/parallel.hpp>
#include <jackplane/pack/pack.hpp>
#include <jackplane/quantize/quantize.hpp>

namespace engine
{
    namespace
    {
        // In planes of L.
        template <jackplane::code_layout L>
        jackplane::any_packed codes_in(jackplane::matrix_view<float const> const w, quantize_settings const& s,
                                       bool search_scale, jackplane::feedback const* order, std::string_view name)
        {
            auto const run = [&](auto policy, auto const& sweep)
            {
                return in_half_or_wider(
                    [&]<class S>(S) -> jackplane::any_packed
                    {
                        jackplane::uniform<L::bits> const book{};
                        jackplane::threads const all{};
                        auto const q = jackplane::quantize<S>(w, book, policy, s.group, jackplane::nearest{}, sweep,
                                                              {{}, name}, all);
                        return jackplane::pack<L>(q, all);
                    });
            };
            auto const in_order = [&](auto policy)
            { return order ? run(policy, *order) : run(policy, jackplane::independent{}); };
            return with_scheme(s.range, [&](auto policy)
                               { return search_scale ? in_order(jackplane::mse_search{policy}) : in_order(policy); });
        }
    }

    jackplane::any_packed codes_of(jackplane::matrix_view<float const> w, quantize_settings const& s, bool search_scale,
                                   jackplane::feedback const* order, std::string_view name)
    {
        return with_planes(s.bits, [&]<class L>(L) { return codes_in<L>(w, s, search_scale, order, name); });
    }
}
