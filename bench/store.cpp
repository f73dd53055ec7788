// SPDX-License-Identifier: BSD-3-Clause
// gguf/<type>/<layout>/t<threads>: 1 GB of blocks in a mapped file, matrices of 4096 x 4096, to planes that all stay,
// in memory that is new: bytes_per_second of blocks. `written`: bytes of planes, scales and offsets for each of blocks;
// READ: bytes per second of the yardstick beside it.
// nested/<matrices>x4096x4096: a mapped nested file of 1 GB opened, and all of its matrices.
// Files are in $TMPDIR and in the page cache.
#include "bench.hpp"
#include "multiply/read.hpp"
#include <jackplane/pack/pack.hpp>
#include <jackplane/quantize/quantize.hpp>
#include <jackplane/store/gguf/file.hpp>
#include <jackplane/store/gguf/pack.hpp>
#include <jackplane/store/gguf/write.hpp>
#include <jackplane/store/nested_read.hpp>
#include <jackplane/store/nested_write.hpp>
#include <algorithm>
#include <filesystem>
#if defined(__GLIBC__)
#include <malloc.h>
#endif

using namespace jackplane;

namespace
{
    constexpr std::size_t rows = 4096, cols = 4096, file_bytes = 1'000'000'000;

    struct temporary_file // deletes itself
    {
        std::filesystem::path path;

        explicit temporary_file(std::string const& name) : path(std::filesystem::temp_directory_path() / name) {}
        temporary_file(temporary_file const&) = delete;
        ~temporary_file() { std::filesystem::remove(path); }
    };

    template <class T>
    gguf::file file_of(std::filesystem::path const& path)
    {
        bench::matrix const weights(1, cols); // every row of every matrix
        std::vector<std::byte> row(cols / T::values * T::bytes), blocks;
        gguf::encode<T>(weights.view().row(0), {}, row);
        for (std::size_t i = 0; i < rows; ++i)
            blocks.insert(blocks.end(), row.begin(), row.end());
        std::vector<gguf::item> items;
        for (std::size_t i = 0; i < file_bytes / blocks.size(); ++i)
            items.push_back(gguf::item::of<T>(text("blk.", i, ".weight"), {rows, cols}, blocks));
        gguf::save(path, items, {});
        return gguf::open(path);
    }

    template <class L, class T>
    void add_gguf(char const* layout, unsigned count)
    {
        auto run = [=](benchmark::State& state)
        {
            temporary_file const at(text("bench_store.", T::name, ".gguf"));
            auto const file = file_of<T>(at.path);
            auto const last = gguf::pack<L, T>(*file.order().back(), bench::team_of(count));
            bench::matrix row(1, cols);
            gguf::read_rows(*file.order().back(), 7, row.view());
            for (std::size_t col = 0; col < cols; ++col)
                if (last.at(7, col) != row.data[col])
                    return state.SkipWithError("planes and decode differ");
            std::vector<double> read = bench::read_passes(count, 3);
            std::size_t bytes = 0;
            for (auto _ : state)
            {
                std::vector<std::remove_const_t<decltype(last)>> all;
                bytes = 0;
                for (gguf::tensor const* t : file.order())
                {
                    all.push_back(gguf::pack<L, T>(*t, bench::team_of(count)));
                    bytes += t->bytes.size();
                }
                state.PauseTiming();
                std::ranges::copy(bench::read_passes(count, 1), std::back_inserter(read));
                all.clear();
                state.ResumeTiming();
            }
            bench::rate(state, "bytes_per_second", bytes);
            state.counters["written"] = static_cast<double>(bytes_read(last)) /
                                        static_cast<double>(file.order().back()->bytes.size());
            state.counters["READ"] = bench::median(read);
        };
        auto const name = text("gguf/", T::name, "/", layout, "/t", count);
        bench::all_threads(benchmark::RegisterBenchmark(name.c_str(), run));
    }

    void add_nested()
    {
        using matrix = packed<bit_planes, uniform<8>, half, integer_zero>;
        std::size_t const count = file_bytes / (rows * cols);
        auto run = [=](benchmark::State& state)
        {
            temporary_file const at("bench_store.nested");
            {
                auto const q = quantize(bench::matrix(rows, cols).view(), uniform<8>{}, minmax{}, group{64});
                auto const a = pack<bit_planes>(q);
                nested::writer out;
                for (std::size_t i = 0; i < count; ++i)
                    out.add(text("layer.", i), a);
                out.save(at.path);
            }
            std::size_t opened = 0;
            for (auto _ : state)
            {
                auto const file = nested::open(at.path);
                for (std::size_t i = 0; i < count; ++i)
                    opened += file.matrix<std::variant<matrix>>(text("layer.", i)).index() == 0;
            }
            benchmark::DoNotOptimize(opened);
        };
        benchmark::RegisterBenchmark(text("nested/", count, "x", rows, "x", cols).c_str(), run)
            ->Unit(benchmark::kMillisecond);
    }

    [[maybe_unused]] int const registered = []
    {
#if defined(__GLIBC__)
        mallopt(M_MMAP_THRESHOLD, 1 << 20); // or freed memory is used again, which a file's reader does not have
#endif
        for (unsigned const count : {1u, 2u})
        {
            add_gguf<planes<4>, gguf::q4_0>("4", count);
            add_gguf<planes<8>, gguf::q8_0>("8", count);
            add_gguf<bit_planes, gguf::q8_0>("1x8", count);
            add_gguf<planes<2>, gguf::q2_k>("2", count);
            add_gguf<planes<4>, gguf::q4_k>("4", count);
            add_gguf<planes<4, 2>, gguf::q6_k>("4-2", count);
        }
        add_nested();
        return 0;
    }();
}
