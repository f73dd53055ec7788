// SPDX-License-Identifier: BSD-3-Clause
#include "stored.hpp"
#include "../../pack/format/planes.hpp"
#include <jackplane/core/parallel.hpp>
#include <jackplane/pack/pack.hpp>
#include <algorithm>
#include <utility>

namespace engine
{
    namespace
    {
        template <class L, class S>
        jackplane::any_packed in_planes(stored_codes const& c, std::string const& name)
        {
            jackplane::threads const all{};
            auto q = c.as<L::bits, S>(name);
            auto const is_middle = [](auto zero) { return zero == 1u << (L::bits - 1); };
            if (!std::all_of(q.zeros.begin(), q.zeros.end(), is_middle))
                return jackplane::pack<L>(q, all);
            return jackplane::pack<L>( // of symmetric codes the zero is not stored
                jackplane::quantized<jackplane::uniform<L::bits>, S>{
                    {}, q.rows, q.cols, q.grid, std::move(q.codes), std::move(q.scales), {}},
                all);
        }

        jackplane::any_packed in_planes(stored_codes const& c, std::string const& name)
        {
            using jackplane::dtype;
            return with_planes(c.bits,
                               [&]<class L>(L) -> jackplane::any_packed
                               {
                                   if (c.scale_type == dtype::F16)
                                       return in_planes<L, jackplane::half>(c, name);
                                   if (c.scale_type == dtype::BF16)
                                       return in_planes<L, jackplane::bfloat16>(c, name);
                                   if constexpr (L::bits == 8)
                                       if (c.scale_type == dtype::F32)
                                           return in_planes<L, float>(c, name);
                                   jackplane::fail<jackplane::value_error>(
                                       text(name, ": ", c.type, " with scales of ", jackplane::dtype_name(c.scale_type),
                                            "; planes of ", c.bits, " bits have scales of F16 or BF16"));
                               });
        }
    }

    unsigned stored_bits(model_source const& source)
    {
        parameter const& first = source.table().parameters().front();
        stored_codes const c = source.codes(first);
        JACKPLANE_EXPECTS(is_parent_width(c.bits), jackplane::value_error, first.name, ": ", c.type,
                          "; planes hold codes of 8, 4, 3 or 2 bits");
        return c.bits;
    }

    void stored::expect_possible(quantize_settings const& s, bool) const
    {
        JACKPLANE_EXPECTS(s.scales.steps == 0, jackplane::value_error, facts.name,
                          " keeps the scales of the model; none are learned");
    }

    void stored::run(job& j) const
    {
        auto const matrices = j.source.table().of_layers();
        for (std::size_t i = 0; i < matrices.size(); ++i)
        {
            std::string const& name = matrices[i].name;
            stored_codes const c = j.source.codes(matrices[i]);
            JACKPLANE_EXPECTS(c.bits == j.settings.bits, jackplane::value_error, name, ": ", c.type, ", codes of ",
                              c.bits, " bits; those of ", matrices[0].name, " have ", j.settings.bits,
                              ", and a file has one width for all");
            j.made(i, in_planes(c, name));
        }
    }
}
