// SPDX-License-Identifier: BSD-3-Clause
// pack/<layout>/<rows>x<cols>/t<threads> and dequantize/<layout>/<bits>b/<rows>x<cols>/t<threads>: weights_per_second.
#include "bench.hpp"
#include <jackplane/pack/pack.hpp>
#include <jackplane/quantize/quantize.hpp>

using namespace jackplane;

namespace
{
    auto quantized_matrix(std::size_t rows, std::size_t cols)
    {
        return quantize(bench::matrix(rows, cols).view(), uniform<8>{}, minmax{}, group{64});
    }

    template <class L>
    void add_pack(char const* layout, std::size_t rows, std::size_t cols, unsigned count)
    {
        auto run = [=](benchmark::State& state)
        {
            auto const q = quantized_matrix(rows, cols);
            if (unpack(pack<L>(q, threads{count})).codes != q.codes)
                return state.SkipWithError("unpack does not give the codes back");
            for (auto _ : state)
                benchmark::DoNotOptimize(pack<L>(q, threads{count}));
            bench::rate(state, "weights_per_second", rows * cols);
        };
        auto const name = text("pack/", layout, "/", rows, "x", cols, "/t", count);
        bench::all_threads(benchmark::RegisterBenchmark(name.c_str(), run));
    }

    template <class L>
    void add_dequantize(char const* layout, unsigned bits, std::size_t rows, std::size_t cols, unsigned count)
    {
        auto run = [=](benchmark::State& state)
        {
            auto const a = pack<L>(quantized_matrix(rows, cols));
            auto const m = a.prefix(bits);
            bench::matrix out(rows, cols);
            dequantize(m, out.view(), threads{count});
            for (std::size_t i = 0; i < out.data.size(); i += 97)
                if (out.data[i] != m.at(i / cols, i % cols))
                    return state.SkipWithError("dequantize and at() differ");
            for (auto _ : state)
            {
                dequantize(m, out.view(), threads{count});
                benchmark::ClobberMemory();
            }
            bench::rate(state, "weights_per_second", rows * cols);
        };
        auto const name = text("dequantize/", layout, "/", bits, "b/", rows, "x", cols, "/t", count);
        bench::all_threads(benchmark::RegisterBenchmark(name.c_str(), run));
    }

    [[maybe_unused]] int const registered = []
    {
        for (unsigned const count : {1u, 2u})
        {
            add_pack<bit_planes>("1x8", 4096, 4096, count);
            add_pack<planes<8>>("8", 4096, 4096, count);
            add_dequantize<bit_planes>("1x8", 8, 4096, 4096, count);
            add_dequantize<bit_planes>("1x8", 2, 4096, 4096, count);
            add_dequantize<bit_planes>("1x8", 8, 4097, 4095, count);
            add_dequantize<planes<8>>("8", 8, 4096, 4096, count);
        }
        return 0;
    }();
}
