// SPDX-License-Identifier: BSD-3-Clause
// Where the bytes of a nested matrix should lie: kinds of planes, and places of planes in memory, at the shapes of
// language models. Prints one line per layout, place and shape: bytes/s over READ at every width, median of the turns,
// and for each layout the worst shape over its median shape. limbs<1>, groups of 64, cold: sets of 512 MB take turns.
#include "multiply/memory.hpp"
#include "multiply/read.hpp"
#include <jackplane/multiply/multiply.hpp>
#include <jackplane/pack/pack.hpp>
#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <map>
#include <random>

using namespace jackplane;

namespace
{
    constexpr std::size_t group_size = 64, set_bytes = std::size_t{512} << 20;

    // Where planes, scales and zeros of one matrix lie.
    struct place
    {
        char const* name;
        std::size_t stagger; // bytes between the end of a plane and the start of the next
        bool interleaved;    // panel by panel: all planes of a panel, its scales, its zeros
        bool huge;           // 2 MiB pages
    };
    constexpr place places[] = {
        {"separate", 0, false, false},   {"staggered", plane_stagger, false, false},
        {"huge", 0, false, true},        {"staggered+huge", plane_stagger, false, true},
        {"interleaved", 0, true, false},
    };
    struct shape
    {
        std::size_t rows, cols;
    };
    constexpr shape shapes[] = {{4096, 4096},  {4096, 11008}, {11008, 4096}, {4096, 14336},
                                {14336, 4096}, {1024, 1024},  {4097, 4095}};

    template <class L>
    using matrix = packed<L, uniform<8>, half, std::uint8_t>;

    // One matrix as the kernel sees it: whole, or a view for each panel.
    template <class L>
    struct placed
    {
        std::vector<typename matrix<L>::view_type> views;
        std::shared_ptr<std::byte> memory;
    };

    template <class L>
    placed<L> make(shape s, place const& where, unsigned seed)
    {
        std::size_t const panels = ceil_div(s.rows, block::rows), blocks = ceil_div(s.cols, block::cols);
        std::size_t const groups = ceil_div(s.cols, group_size), scales = groups * block::rows;
        std::size_t const parts = where.interleaved ? panels : 1, panels_each = panels / parts;
        auto const plane_bytes = [&](std::size_t p) { return panels_each * blocks * L::bytes(p); };
        std::size_t part_bytes = panels_each * scales * 3 + 2 * block::lanes;
        for (std::size_t p = 0; p < L::count; ++p)
            part_bytes += plane_bytes(p) + where.stagger;
        part_bytes = round_up(part_bytes, block::lanes);

        bench::use_huge_pages(where.huge);
        placed<L> m{{}, bench::allocate_bytes(parts * part_bytes)};
        std::mt19937_64 random(seed);
        for (std::size_t i = 0; i + 8 <= parts * part_bytes; i += 8)
        {
            auto const bits = random();
            std::memcpy(m.memory.get() + i, &bits, 8);
        }
        for (std::size_t part = 0; part < parts; ++part)
        {
            std::byte* at = m.memory.get() + part * part_bytes;
            typename matrix<L>::view_type v{};
            for (std::size_t p = 0; p < L::count; ++p)
            {
                v.plane[p] = at;
                at += plane_bytes(p) + where.stagger;
            }
            half* const scale = reinterpret_cast<half*>(at);
            std::fill_n(scale, panels_each * scales, from_float<half>(0.01f));
            v.scales = scale;
            v.zeros = reinterpret_cast<std::uint8_t*>(at + panels_each * scales * sizeof(half));
            v.rows = where.interleaved ? std::min(block::rows, s.rows - part * block::rows) : s.rows;
            v.cols = s.cols;
            v.panels = panels_each;
            v.blocks = v.block_stride = blocks;
            v.group = group_size;
            v.groups = v.group_stride = groups;
            v.planes = L::count;
            v.bits = L::bits;
            v.step = 1;
            m.views.push_back(v);
        }
        return m;
    }

    template <class L>
    void multiply_placed(placed<L> const& m, unsigned bits, limbs<1>::prepared const& x, std::span<float> y,
                         team const& workers)
    {
        if (m.views.size() == 1)
            return multiply(matrix<L>(m.views[0], nullptr).prefix(bits), x, y, workers);
        workers(m.views.size(), [&](std::size_t first, std::size_t last)
        {
            for (std::size_t panel = first; panel < last; ++panel)
                multiply(matrix<L>(m.views[panel], nullptr).prefix(bits), x,
                         y.subspan(panel * block::rows, m.views[panel].rows));
        });
    }

    double seconds_of(auto&& work)
    {
        auto const begin = std::chrono::steady_clock::now();
        work();
        return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    }

    // layout -> width -> fractions of READ, one for each shape, at the place that stands first
    using fractions = std::map<std::string, std::map<unsigned, std::vector<double>>>;

    template <class L>
    void measure(char const* layout, shape s, unsigned threads, int turns, fractions& all)
    {
        team const& workers = bench::team_of(threads);
        std::vector<float> x(s.cols, 0.5f), y(s.rows);
        limbs<1>::prepared ready;
        limbs<1>{group_size}.prepare(std::span<float const>(x), ready);
        struct row
        {
            place const* where;
            std::vector<placed<L>> set;
            std::map<unsigned, std::vector<double>> fraction;
        };
        std::vector<row> rows;
        for (place const& where : places)
        {
            rows.push_back({&where, {}, {}});
            for (std::size_t bytes = 0; bytes < set_bytes; bytes += s.rows * s.cols)
                rows.back().set.push_back(make<L>(s, where, static_cast<unsigned>(rows.back().set.size())));
        }
        for (int turn = 0; turn < turns; ++turn)
            for (unsigned bits = 8; bits >= 2; --bits)
                if (L::planes_of(bits) != 0)
                    for (row& r : rows)
                    {
                        double const read = bench::read_passes(threads, 1)[0];
                        double const seconds = seconds_of([&]
                        {
                            for (placed<L> const& m : r.set)
                                multiply_placed(m, bits, ready, y, workers);
                        });
                        std::size_t const per_block = bits * block::lanes + block::rows * 3 * block::cols / group_size;
                        double const bytes = static_cast<double>(r.set.size() * ceil_div(s.rows, block::rows) *
                                                                 ceil_div(s.cols, block::cols) * per_block);
                        r.fraction[bits].push_back(bytes / seconds / read);
                    }
        for (row& r : rows)
        {
            std::printf("%-6s %-15s %5zu x %5zu t%u ", layout, r.where->name, s.rows, s.cols, threads);
            for (auto& [bits, values] : r.fraction)
            {
                double const middle = bench::median(values);
                std::printf("  %u: %.2f", bits, middle);
                all[jackplane::text(layout, " ", r.where->name)][bits].push_back(middle);
            }
            std::printf("\n");
        }
        std::fflush(stdout);
    }
}

int main(int argc, char** argv)
{
    CLI::App app{"Layouts of planes in memory: bytes/s over READ at every width, cold"};
    unsigned threads = 1;
    int turns = 5;
    std::size_t rows = 0, cols = 0;
    app.add_option("--threads", threads)->capture_default_str();
    app.add_option("--turns", turns, "the median of so many")->capture_default_str();
    app.add_option("--rows", rows, "of one shape instead of all");
    app.add_option("--cols", cols);
    CLI11_PARSE(app, argc, argv);
    std::printf("arch %s, %u threads, median of %d turns; bits: fraction of READ\n", best_arch::name(), threads, turns);
    fractions all;
    std::vector<shape> wanted(std::begin(shapes), std::end(shapes));
    if (rows != 0)
        wanted = {{rows, cols}};
    for (shape const s : wanted)
    {
        measure<bit_planes>("1x8", s, threads, turns, all);
        measure<planes<2, 2, 2, 2>>("2x4", s, threads, turns, all);
        measure<planes<4, 4>>("4x2", s, threads, turns, all);
        measure<planes<2, 2, 4>>("2-2-4", s, threads, turns, all);
        measure<planes<4, 2, 2>>("4-2-2", s, threads, turns, all);
        measure<planes<8>>("8", s, threads, turns, all);
    }
    std::printf("\nworst shape over the median shape\n");
    for (auto const& [name, widths] : all)
    {
        std::printf("%-22s", name.c_str());
        for (auto const& [bits, values] : widths)
            std::printf("  %u: %.2f", bits, *std::min_element(values.begin(), values.end()) / bench::median(values));
        std::printf("\n");
    }
}
