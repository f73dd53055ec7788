// SPDX-License-Identifier: BSD-3-Clause
// multiply/<layout>/<bits>b/g<group>/exact/<rows>x<cols>/t<threads>, cold: matrices of 256 MB in all take turns.
// Preparing x is inside the time. bytes_per_second counts planes, scales and zeros; read_fraction is that over READ, a
// plain sum over 512 MB by as many threads, measured right before.
#include "bench.hpp"
#include <jackplane/multiply/multiply.hpp>
#include <jackplane/pack/pack.hpp>
#include <jackplane/quantize/quantize.hpp>
#include <chrono>
#include <cstring>
#include <limits>

using namespace jackplane;

namespace
{
    // Bytes per second of the best of three sums.
    double read_bandwidth(unsigned count)
    {
        using batch = xsimd::batch<float, best_arch::batch_arch>;
        constexpr std::size_t chains = 4, n = (std::size_t{512} << 20) / sizeof(float);
        static aligned_vector<float> const memory(n, 1.0f);
        double best = 0;
        for (int times = 0; times < 3; ++times)
        {
            auto const begin = std::chrono::steady_clock::now();
            threads{count}(n / (chains * 16), [&](std::size_t first, std::size_t last)
            {
                batch sum[chains] = {batch(0.0f), batch(0.0f), batch(0.0f), batch(0.0f)};
                for (std::size_t i = first * chains * 16; i < last * chains * 16; i += chains * batch::size)
                    for (std::size_t k = 0; k < chains; ++k)
                        sum[k] = sum[k] + batch::load_aligned(memory.data() + i + k * batch::size);
                benchmark::DoNotOptimize(sum);
            });
            std::chrono::duration<double> const seconds = std::chrono::steady_clock::now() - begin;
            best = std::max(best, static_cast<double>(n * sizeof(float)) / seconds.count());
        }
        return best;
    }

    // Of the planes that are read alone, with scales and zeros.
    template <class L, class C, class S, class Z>
    packed<L, C, S, Z> deep_copy(packed_view<L, C, S, Z> v)
    {
        auto const memory = std::make_shared<std::vector<aligned_vector<std::byte>>>();
        auto copy = [&]<class T>(T const* from, std::size_t n)
        {
            aligned_vector<std::byte>& to = memory->emplace_back(n * sizeof(T));
            std::memcpy(to.data(), from, n * sizeof(T));
            return reinterpret_cast<T const*>(to.data());
        };
        for (std::size_t p = 0; p < v.planes; ++p)
            v.plane[p] = copy(v.plane[p], v.panels * v.blocks * L::bytes(p));
        std::size_t const scales = v.panels * v.groups * block::rows;
        v.scales = copy(v.scales, scales);
        if (v.zeros != nullptr)
            v.zeros = copy(v.zeros, scales);
        return {v, memory};
    }

    // Against the definition, on every eighth panel: within (groups + 8) eps sum |scale| (|decode| + |zero|) |x|, where
    // |decode| and |zero| are below 256 here.
    template <class M>
    bool right(M const& m, exact::prepared const& x, std::span<float const> y)
    {
        auto const& v = m.view();
        std::vector<float> expected(m.rows());
        for (std::size_t panel = 0; panel < v.panels; panel += 8)
            multiply_panels<compensated, scalar>(m, x, expected, panel, panel + 1);
        for (std::size_t row = 0; row < m.rows(); ++row)
        {
            double allowed = 0;
            for (std::size_t col = 0; col < m.cols(); ++col)
                allowed += std::abs(double{to_float(v.scales[detail::scale_index(v, row, col)])} * x.view().x[col]);
            allowed *= (static_cast<double>(v.groups) + 8) * 0x1p-23 * 512;
            if (row / block::rows % 8 == 0 && !(std::abs(double{y[row]} - double{expected[row]}) <= allowed))
                return false;
        }
        return true;
    }

    template <class L>
    void add(char const* layout, unsigned bits, std::size_t columns, std::size_t rows, std::size_t cols, unsigned count)
    {
        auto run = [=](benchmark::State& state)
        {
            auto const a = pack<L>(quantize(bench::matrix(rows, cols).view(), uniform<8>{}, minmax{}, group{columns}));
            std::vector<packed<L, uniform<8>, half, integer_zero>> set;
            for (std::size_t all = 0; all < std::size_t{256} << 20; all += bytes_read(set.back()))
                set.push_back(deep_copy(a.prefix(bits).view()));

            bench::matrix const x(1, cols);
            std::vector<float> y(rows);
            exact::prepared ready;
            exact::prepare(x.view().row(0), ready);
            multiply(set.back(), ready, y, threads{count});
            if (!right(set.back(), ready, y))
                return state.SkipWithError("the product is wrong");

            double const read = read_bandwidth(count), bytes = static_cast<double>(bytes_read(set.back()));
            std::size_t turn = 0;
            auto const begin = std::chrono::steady_clock::now();
            for (auto _ : state)
            {
                exact::prepare(x.view().row(0), ready);
                multiply(set[turn++ % set.size()], ready, y, threads{count});
                benchmark::ClobberMemory();
            }
            std::chrono::duration<double> const seconds = std::chrono::steady_clock::now() - begin;
            bench::rate(state, "weights_per_second", rows * cols);
            bench::rate(state, "bytes_per_second", bytes_read(set.back()));
            state.counters["read_fraction"] = bytes * static_cast<double>(state.iterations()) / seconds.count() / read;
        };
        auto const name = text("multiply/", layout, "/", bits, "b/g", columns, "/exact/", rows, "x", cols, "/t", count);
        bench::all_threads(benchmark::RegisterBenchmark(name.c_str(), run));
    }

    [[maybe_unused]] int const registered = []
    {
        for (unsigned const count : {1u, 2u})
        {
            for (unsigned const bits : {8u, 6u, 4u, 3u, 2u, 1u})
                add<bit_planes>("1x8", bits, 64, 4096, 4096, count);
            for (unsigned const bits : {8u, 2u})
                add<bit_planes>("1x8", bits, 64, 4097, 4095, count);
            add<planes<4, 4>>("4x2", 4, 64, 4096, 4096, count);
            add<planes<8>>("8", 8, 64, 4096, 4096, count);
        }
        auto read = [](benchmark::State& state)
        {
            for (auto _ : state)
                state.counters["bytes_per_second"] = read_bandwidth(static_cast<unsigned>(state.range(0)));
        };
        bench::all_threads(benchmark::RegisterBenchmark("READ/512MB/threads", read)->Arg(1)->Arg(2)->Iterations(1));
        return 0;
    }();
}
