// SPDX-License-Identifier: BSD-3-Clause
#pragma once

namespace bench
{
    // PEAK/dot/t<threads>: multiply-adds per second of the arch's dot of bytes, without memory and without scales: what
    // a product of many vectors is measured by. Nothing, where the arch has no such dot.
    void add_peak(unsigned threads);
}
