// SPDX-License-Identifier: BSD-3-Clause
// quantize/<scale>/<bits>b/g64/<rows>x<cols>: weights_per_second of one thread.
#include "bench.hpp"
#include <jackplane/quantize/quantize.hpp>

using namespace jackplane;

namespace
{
    // Furthest |w^ - w| in steps of its own scale, and the sum of squares.
    struct distance
    {
        double furthest = 0, squares = 0;
    };
    template <class Q>
    distance between(Q const& q, matrix_view<float const> w)
    {
        distance d;
        for (std::size_t row = 0; row < w.rows; ++row)
            for (std::size_t col = 0; col < w.cols; ++col)
            {
                double const off = std::abs(double{q.at(row, col)} - double{w(row, col)});
                d.furthest = std::max(d.furthest, off / std::abs(double{q.scale_at(row, col)}));
                d.squares += off * off;
            }
        return d;
    }

    template <unsigned Bits, class P>
    void add(char const* name, P policy, std::size_t rows, std::size_t cols)
    {
        auto run = [=](benchmark::State& state)
        {
            bench::matrix const w(rows, cols);
            auto const by = [&](auto p) { return quantize(w.view(), uniform<Bits>{}, p, group{64}); };
            // Half a step; at the ends the rounding of the zero (1/2) and of the scale (255 * 2^-11 steps) instead.
            distance const range = between(by(minmax{}), w.view()), here = between(by(policy), w.view());
            bool const searched = requires { policy.narrowest; };
            if (searched ? here.squares > range.squares : here.furthest > 0.5 + 255 * 0x1p-11)
                return state.SkipWithError("the weights are farther off than their scales allow");
            for (auto _ : state)
                benchmark::DoNotOptimize(by(policy));
            bench::rate(state, "weights_per_second", rows * cols);
        };
        benchmark::RegisterBenchmark(text("quantize/", name, "/", Bits, "b/g64/", rows, "x", cols).c_str(), run)
            ->Unit(benchmark::kMillisecond);
    }

    [[maybe_unused]] int const registered = []
    {
        add<8>("absmax", absmax{}, 1024, 4096);
        add<8>("absmax", absmax{}, 1023, 4095);
        add<8>("minmax", minmax{}, 1024, 4096);
        add<4>("minmax", minmax{}, 1024, 4096);
        add<8>("mse_search", mse_search<minmax<>>{}, 256, 4096);
        add<4>("mse_search", mse_search<minmax<>>{}, 256, 4096);
        return 0;
    }();
}
