// SPDX-License-Identifier: BSD-3-Clause
// The same bits for any number of threads and any split of the rows; const is thread-safe.
#include "subjects.hpp"
#include <functional>
#include <thread>

using namespace jackplane;

template <class Arch>
void check_splits()
{
    for (laws::shape const s : {laws::shape{1, 65}, laws::shape{15, 33}, laws::shape{129, 127}, laws::shape{1023, 63}})
    {
        auto const a = pack<bit_planes>(subjects::random(s, uniform<8>{}, minmax<real_zero>{}, group{48}, 3));
        auto const m = a.prefix(5);
        auto const x = laws::vector(s.cols, laws::input::outlier, 4);
        std::vector<float> expected(s.rows), y(s.rows);
        multiply<Arch>(m, x, expected);

        for (unsigned count = 1; count <= 7; ++count)
        {
            multiply<Arch>(m, x, y, threads{count});
            CHECK(laws::same_bits(y, expected));
        }
        std::size_t tasks_run = 0;
        auto backwards = [&](std::size_t tasks, std::function<void(std::size_t)> const& task)
        {
            for (std::size_t i = tasks; i-- > 0; ++tasks_run)
                task(i);
        };
        for (std::size_t const tasks : {2u, 3u, 100u})
        {
            multiply<Arch>(m, x, y, pool{backwards, tasks});
            CHECK(laws::same_bits(y, expected));
        }
        CHECK(tasks_run == (s.rows <= 16 ? 0 : ceil_div(s.rows, 16) < 100 ? 5 + ceil_div(s.rows, 16) : 105));

        // an engine's own schedule: pieces of some rows, from the end
        exact::prepared ready;
        exact::prepare(x, ready);
        for (std::size_t const step : {1u, 5u, 16u, 40u})
        {
            std::fill(y.begin(), y.end(), 0.0f);
            for (std::size_t last = s.rows; last > 0; last -= std::min<std::size_t>(step, last))
                multiply_rows<Arch>(m, ready, y, last - std::min<std::size_t>(step, last), last);
            CHECK(laws::same_bits(y, expected));
        }
    }
}
TEST_CASE("any split gives the same bits: batches") { check_splits<best_arch>(); }
TEST_CASE("any split gives the same bits: scalar") { check_splits<scalar>(); }

TEST_CASE("rows that are not there are an error")
{
    auto const a = pack<bit_planes>(subjects::random({33, 8}, uniform<8>{}, absmax{}, group{8}, 3));
    exact::prepared ready;
    exact::prepare(std::vector<float>(8, 1.0f), ready);
    std::vector<float> y(33);
    CHECK_THROWS_WITH_AS(multiply_rows(a, ready, y, 0, 34), "rows 0 to 34 of 33", shape_error);
    CHECK_THROWS_WITH_AS(multiply_rows(a, ready, y, 2, 1), "rows 2 to 1 of 33", shape_error);
    CHECK_NOTHROW(multiply_rows(a, ready, y, 33, 33));
}

TEST_CASE("one matrix and one prepared x, read by several threads at once")
{
    auto const a = pack<bit_planes>(subjects::random({255, 129}, uniform<8>{}, minmax{}, group{64}, 5));
    auto const x = laws::vector(129, laws::input::bell, 6);
    exact::prepared prepare_once;
    exact::prepare(x, prepare_once);
    auto const& ready = prepare_once;
    std::vector<std::vector<float>> expected(9), y(9);
    for (unsigned bits = 1; bits <= 8; ++bits)
        expected[bits] = laws::times(a.prefix(bits), x);

    std::vector<std::thread> readers;
    for (unsigned bits = 1; bits <= 8; ++bits)
        readers.emplace_back([&, bits]
        {
            auto const copy = a; // shares the planes
            y[bits].resize(255);
            for (int times = 0; times < 20; ++times)
                multiply(copy.prefix(bits), ready, y[bits]);
        });
    for (std::thread& reader : readers)
        reader.join();
    for (unsigned bits = 1; bits <= 8; ++bits)
        CHECK(laws::same_bits(y[bits], expected[bits]));
}
