// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "../measure/calibration.hpp"
#include "../read/model.hpp"
#include <jackplane/core/progress.hpp>
#include <vector>

namespace engine
{
    // Fisher information of every tuned weight, as SqueezeLLM takes it: the mean over the windows of a text of the
    // squared slope of each window's loss.
    std::vector<float> information_of(model const& dense, calibration_text const& text,
                                      jackplane::progress const& tell = {});
}
