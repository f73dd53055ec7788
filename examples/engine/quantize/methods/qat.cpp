// SPDX-License-Identifier: BSD-3-Clause
#include "qat.hpp"
#include "../../tune/weight_trainer.hpp"
#include "../job/origin.hpp"

namespace engine
{
    void qat::run(job& j) const
    {
        quantize_settings const& s = j.settings;
        auto trained = train_weights(j.source.whole(), s.codes(), tuning,
                                     {s.calibration, origin_of(*this, j), j.run.kept, j.run.tell});
        j.add(trained.losses);
        for (std::size_t i = 0; i < trained.matrices.size(); ++i)
            j.made(i, std::move(trained.matrices[i]));
    }
}
