// SPDX-License-Identifier: BSD-3-Clause
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
        switch (s.bits)
        {
        case 8:
            return codes_in<jackplane::bit_planes>(w, s, search_scale, order, name);
        case 4:
            return codes_in<jackplane::planes<4>>(w, s, search_scale, order, name);
        case 3:
            return codes_in<jackplane::planes<2, 1>>(w, s, search_scale, order, name);
        case 2:
            return codes_in<jackplane::planes<2>>(w, s, search_scale, order, name);
        default:
            jackplane::fail<jackplane::width_error>(text("no parent of ", s.bits, " bits; there are 8, 4, 3 and 2"));
        }
    }
}
