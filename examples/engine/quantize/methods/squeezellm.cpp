// SPDX-License-Identifier: BSD-3-Clause
#include "squeezellm.hpp"
#include "../../pack/format/storage.hpp"
#include "../information.hpp"
#include <jackplane/core/parallel.hpp>
#include <jackplane/pack/pack.hpp>
#include <jackplane/quantize/quantize.hpp>
#include <jackplane/quantize/row_table.hpp>

namespace engine
{
    namespace
    {
        template <unsigned B, class L>
        jackplane::any_packed tables_in(jackplane::matrix_view<float const> w,
                                        jackplane::matrix_view<float const> matters, std::string const& name)
        {
            return in_half_or_wider(
                [&]<class S>(S) -> jackplane::any_packed
                {
                    jackplane::threads const all{};
                    auto const q = jackplane::quantize<S>(w, jackplane::row_table<B>{}, {matters, name}, all);
                    return jackplane::pack<L>(q, all);
                });
        }
    }

    void squeezellm::run(job& j) const
    {
        std::vector<float> taken;
        std::span<float const> information = j.settings.information;
        if (information.empty())
        {
            taken = information_of(j.source.whole(), j.settings.calibration, j.run.tell);
            information = taken;
        }
        j.quantize_in_stages(
            [&](parameter const& p, jackplane::matrix_view<float> w, jackplane::feedback const*)
            {
                // Weights that are 0 (or stand beside) decide nothing.
                auto const of = information.subspan(p.offset, p.size());
                std::vector<float> matters(of.begin(), of.end());
                for (std::size_t i = 0; i < matters.size(); ++i)
                    matters[i] = w.data[i] == 0 ? 0 : matters[i];
                jackplane::matrix_view<float const> const by{matters.data(), w.rows, w.cols};
                if (j.settings.bits == 4)
                    return tables_in<4, jackplane::planes<4>>(w, by, p.name);
                if (j.settings.bits == 3)
                    return tables_in<3, jackplane::planes<2, 1>>(w, by, p.name);
                return tables_in<2, jackplane::planes<2>>(w, by, p.name);
            });
    }
}
