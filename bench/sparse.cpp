// SPDX-License-Identifier: BSD-3-Clause
// sparse/<density>/<rows>x<cols>/t<threads>/cold: y += A x for A in compressed rows of half and 16-bit indices.
// sum/4b/<density>/<rows>x<cols>/t<threads>/cold: beside 4 bits of dense planes, group 64, one limb; `added` is what it
// adds to the time of the dense product alone, the two timed in turn, medians. Preparing x is inside that time.
// Cold: sets of 512 MB take turns. Rows differ from matrix to matrix, or the branch predictor learns them by heart.
#include "bench.hpp"
#include <jackplane/core/team.hpp>
#include <jackplane/multiply/multiply.hpp>
#include <jackplane/multiply/sparse.hpp>
#include <jackplane/pack/pack.hpp>
#include <jackplane/quantize/quantize.hpp>
#include <algorithm>
#include <chrono>

using namespace jackplane;

namespace
{
    constexpr std::size_t cold_bytes = std::size_t{512} << 20;
    using activation = limbs<1>;
    constexpr std::size_t weight_group = 64;

    // Every weight is there with this probability, on its own.
    std::vector<triplet> weights(std::size_t rows, std::size_t cols, double density, unsigned seed)
    {
        std::mt19937 random(seed);
        auto uniform = [&] { return (static_cast<double>(random()) + 0.5) * 0x1p-32; };
        std::vector<triplet> all;
        for (double at = 0;; ++at)
        {
            at += std::floor(std::log(uniform()) / std::log1p(-density)); // of a geometric distribution
            if (at >= static_cast<double>(rows * cols))
                return all;
            auto const i = static_cast<std::size_t>(at);
            all.push_back({i / cols, i % cols, static_cast<float>(2 * uniform() - 1)});
        }
    }

    template <class T>
    std::vector<csr<T>> sparse_set(std::size_t rows, std::size_t cols, double density)
    {
        constexpr unsigned patterns = 16;
        std::vector<csr<T>> set;
        for (unsigned seed = 0; seed < patterns; ++seed)
            set.emplace_back(rows, cols, weights(rows, cols, density, seed));
        std::size_t bytes = 0;
        while ((bytes += bytes_read(set.back())) < cold_bytes)
        {
            struct arrays
            {
                std::vector<T> values;
                std::vector<std::uint16_t> columns;
                std::vector<std::uint32_t> row_pointers;
            };
            csr_view<T, std::uint16_t> const v = set[set.size() - patterns].view();
            std::size_t const n = v.row_pointers[rows];
            auto const copy = std::make_shared<arrays>(arrays{
                {v.values, v.values + n}, {v.columns, v.columns + n}, {v.row_pointers, v.row_pointers + rows + 1}});
            set.emplace_back(rows, cols, copy->values, copy->columns, copy->row_pointers, copy);
        }
        return set;
    }

    // Against plain loops in double.
    bool right(csr<> const& a, std::span<float const> x, std::span<float const> y)
    {
        auto const& v = a.view();
        for (std::size_t row = 0; row < v.rows; ++row)
        {
            double expected = 0, magnitude = 0;
            for (std::size_t i = v.row_pointers[row]; i < v.row_pointers[row + 1]; ++i)
            {
                double const term = static_cast<double>(to_float(v.values[i])) * static_cast<double>(x[v.columns[i]]);
                expected += term;
                magnitude += std::abs(term);
            }
            if (!(std::abs(expected - static_cast<double>(y[row])) <= 4 * 0x1p-23 * magnitude))
                return false;
        }
        return true;
    }

    double median(std::vector<double> all)
    {
        auto const middle = all.begin() + static_cast<std::ptrdiff_t>(all.size() / 2);
        std::nth_element(all.begin(), middle, all.end());
        return *middle;
    }
    template <class Work>
    double seconds(Work&& work)
    {
        auto const begin = std::chrono::steady_clock::now();
        work();
        benchmark::ClobberMemory();
        return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    }

    void alone(benchmark::State& state, double density, std::size_t rows, std::size_t cols, unsigned count)
    {
        auto const set = sparse_set<half>(rows, cols, density);
        bench::matrix const x(1, cols);
        std::vector<float> y(rows);
        team const workers(count);
        exact::prepared ready;
        exact::prepare(x.view().row(0), ready);
        multiply(set.front(), ready, y, workers);
        if (!right(set.front(), x.view().row(0), y))
            return state.SkipWithError("the product is wrong");

        std::size_t turn = 0;
        for (auto _ : state)
        {
            multiply_add(set[turn++ % set.size()], ready, y, workers);
            benchmark::ClobberMemory();
        }
        bench::rate(state, "nonzeros_per_second", set.front().nonzeros());
        bench::rate(state, "bytes_per_second", bytes_read(set.front()));
    }

    void beside(benchmark::State& state, double density, std::size_t rows, std::size_t cols, unsigned count)
    {
        auto const sparse = sparse_set<float>(rows, cols, density); // residuals, as dense_sparse forms them
        auto const q = quantize(bench::matrix(rows, cols).view(), uniform<8>{}, minmax{}, group{weight_group});
        std::vector<decltype(pack<bit_planes>(q))> dense;
        for (std::size_t bytes = 0; bytes < cold_bytes; bytes += bytes_read(dense.back().prefix(4)))
            dense.push_back(pack<bit_planes>(q));
        auto const sum_of = [&](std::size_t nth) // as many sums as there are sparse parts
        { return sum(dense[nth % dense.size()].prefix(4), sparse[nth % sparse.size()]); };
        bench::matrix const x(1, cols);
        std::vector<float> y(rows), dense_y(rows), sparse_y(rows);
        team const workers(count);
        activation const how{weight_group};
        activation::prepared ready;
        auto prepare = [&] { how.prepare(x.view().row(0), ready); };
        prepare();
        auto const one = sum_of(0);
        multiply(one, ready, y, workers);
        multiply(one.first(), ready, dense_y, workers);
        multiply(one.second(), ready, sparse_y, workers);
        for (std::size_t row = 0; row < rows; ++row) // one more rounding, and the sparse sum is rounded either way
            if (!(std::abs(y[row] - (dense_y[row] + sparse_y[row])) <=
                  0x1p-22f * (std::abs(dense_y[row]) + std::abs(sparse_y[row]))))
                return state.SkipWithError("the sum is wrong");

        std::vector<double> without, with;
        std::size_t turn = 0;
        for (auto _ : state)
        {
            // Sparse parts never come round: there are more of them than of the dense ones, which take turns in halves.
            auto const both = sum_of(turn);
            auto const first = dense[(turn++ + dense.size() / 2) % dense.size()].prefix(4);
            without.push_back(seconds([&] { prepare(), multiply(first, ready, y, workers); }));
            with.push_back(seconds([&] { prepare(), multiply(both, ready, y, workers); }));
            state.SetIterationTime(with.back());
        }
        bench::rate(state, "weights_per_second", rows * cols);
        state.counters["dense_us"] = 1e6 * median(without);
        state.counters["both_us"] = 1e6 * median(with);
        state.counters["added"] = median(with) / median(without) - 1;
    }

    [[maybe_unused]] int const registered = []
    {
        auto add = [](char const* kind, char const* density, auto run, std::size_t rows, std::size_t cols,
                      unsigned count)
        {
            auto const name = text(kind, density, "/", rows, "x", cols, "/t", count, "/cold");
            return benchmark::RegisterBenchmark(name.c_str(), [=](benchmark::State& state)
            { run(state, std::stod(density), rows, cols, count); });
        };
        for (unsigned const count : {1u, 2u})
        {
            for (char const* const density : {"0.0005", "0.005", "0.05"})
                bench::all_threads(add("sparse/", density, alone, 4096, 4096, count));
            bench::all_threads(add("sparse/", "0.005", alone, 4096, 14336, count));
            bench::all_threads(add("sparse/", "0.005", alone, 14336, 4096, count));
            add("sum/4b/", "0.005", beside, 4096, 4096, count)->Unit(benchmark::kMillisecond)->UseManualTime();
        }
        return 0;
    }();
}
