// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <functional>
#include <vector>

namespace engine
{
    struct width_report // of a layer or a model: its loss with weights to the nearest code, and tuned
    {
        unsigned bits;
        double before, after;
        std::vector<double> steps{}; // of each step's batch, before the step
        double moved = 0;            // part of the codes, at the narrowest width, that are not the nearest ones

        bool operator==(width_report const&) const = default;
    };
    using width_reports = std::vector<width_report>;
}
