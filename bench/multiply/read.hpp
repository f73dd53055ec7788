// SPDX-License-Identifier: BSD-3-Clause
#pragma once
// READ, the yardstick: how fast this machine sums 512 MB, one stream per thread.
#include <jackplane/core/team.hpp>
#include <vector>

namespace bench
{
    // Made at the first call, then the same: its threads sleep between calls.
    jackplane::team const& team_of(unsigned threads);

    // Bytes per second of so many passes of the yardstick: the widest vectors, four sums, no prefetch.
    std::vector<double> read_passes(unsigned threads, int passes);

    double median(std::vector<double> values);

    // READ/<loop>/t<threads>: `sum` is the yardstick, the others ask whether another loop is faster.
    void add_read(unsigned threads);
}
