// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <jackplane/core/team.hpp>
#include "../read/source.hpp"
#include "calibration.hpp"
#include <string>
#include <string_view>
#include <vector>

namespace engine
{
    // A line for each layer that has experts which no token of the text goes to in the dense model: methods know
    // nothing of their inputs. becomes: what that makes of their weights. Reads a layer at a time. Of no text: none.
    std::vector<std::string> unread_experts(model_source const& source, calibration_text const& text,
                                            std::string_view becomes,
                                            jackplane::team const& workers = jackplane::team{});
}
