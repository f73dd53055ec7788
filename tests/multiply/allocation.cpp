// SPDX-License-Identifier: BSD-3-Clause
// With a prepared x, multiply allocates nothing. Every allocation of this program is counted.
#include <jackplane/multiply/activation/limbs.hpp>
#include <jackplane/multiply/columns.hpp>
#include <jackplane/multiply/experts.hpp>
#include <jackplane/multiply/jobs.hpp>
#include <jackplane/pack/row_cache.hpp>
#include "subjects.hpp"
#include <atomic>
#include <cstdlib>
#include <new>

namespace
{
    std::atomic<std::size_t> allocations{0};
}
[[gnu::noinline]] void* operator new(std::size_t n)
{
    ++allocations;
    if (void* const p = std::malloc(n == 0 ? 1 : n))
        return p;
    throw std::bad_alloc();
}
[[gnu::noinline]] void* operator new(std::size_t n, std::align_val_t alignment)
{
    ++allocations;
    std::size_t const a = static_cast<std::size_t>(alignment);
    if (void* const p = std::aligned_alloc(a, jackplane::round_up(n == 0 ? 1 : n, a)))
        return p;
    throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* p) noexcept { std::free(p); }
[[gnu::noinline]] void operator delete(void* p, std::size_t) noexcept { std::free(p); }
[[gnu::noinline]] void operator delete(void* p, std::align_val_t) noexcept { std::free(p); }
[[gnu::noinline]] void operator delete(void* p, std::size_t, std::align_val_t) noexcept { std::free(p); }

using namespace jackplane;

TEST_CASE("multiply with a prepared x allocates nothing, at no width and with no group")
{
    std::size_t before = allocations;
    ::operator delete(::operator new(1)); // no expression that a compiler may leave out
    CHECK(allocations == before + 1);

    auto const x = laws::vector(129, laws::input::bell, 1);
    std::vector<float> y(33);
    exact::prepared ready;
    exact::prepare(x, ready);
    for (group const g : laws::all_groups)
    {
        auto const a = pack<bit_planes>(subjects::random({33, 129}, uniform<8>{}, minmax{}, g, 2));
        auto const table = pack<planes<4>>(subjects::random({33, 129}, nf4{}, absmax{}, g, 3));
        sum const both(a.prefix(2), table);
        before = allocations;
        for (unsigned bits = 1; bits <= 8; ++bits)
        {
            multiply(a.prefix(bits), ready, y);
            multiply_add<scalar, fp64>(a.prefix(bits), ready, y);
        }
        multiply(table, ready, y);
        multiply(both, ready, y);
        multiply_rows(a, ready, y, 0, 33);
        std::array const list{job{a, ready, y}, job{a.rows(16, 33), ready, std::span(y).first(17)}};
        multiply_each(serial{}, list, job{a.prefix(3), ready, y}, job{table, ready, y, {.alpha = 2, .add = true}});
        CHECK(allocations == before);
    }
    before = allocations;
    exact::prepare(x, ready); // its memory is there already
    CHECK(allocations == before);
}

TEST_CASE("a layer of experts keeps its memory from one choice to the next")
{
    std::vector<packed<bit_planes, uniform<8>, half, integer_zero>> stack;
    for (std::uint64_t e = 0; e < 4; ++e)
        stack.push_back(pack<bit_planes>(subjects::random({33, 129}, uniform<8>{}, minmax{}, group{32}, e)));
    auto const x = laws::vector(3 * 129, laws::input::bell, 1);
    std::vector<float> y(6 * 33);
    std::vector<std::size_t> const experts{3, 1, 0, 2, 1, 3};
    expert_choice choice;
    expert_x<limbs<1>> ready;
    std::size_t before = 0;
    for (int turn = 0; turn < 2; ++turn)
    {
        before = allocations;
        choice.sort({experts.data(), 3, 2}, 4);
        ready.prepare(limbs<1>{}, matrix_view<float const>{x.data(), 3, 129}, choice);
        if (turn == 0)
            before = allocations;
        multiply_experts(serial{}, choice, ready, expert_stack{stack, {y.data(), 6, 33}},
                         expert_stack{stack, {y.data(), 6, 33}, {x.data(), 4, 33}});
        CHECK(allocations == before);
    }
}

TEST_CASE("caches allocate when they are made, sums of cached vectors when room is reserved")
{
    constexpr std::size_t room = 70, length = 80;
    auto const v = laws::vector(room * length, laws::input::bell, 4);
    std::vector<float> const weights(3 * room, 0.5f);
    std::vector<float> y(3 * length);
    row_cache<> rows(room, length);
    column_cache<> columns(room, length);
    limbs<3> const how;
    scaled_weights<limbs<3>> with;
    with.reserve(how, 3, room);
    std::size_t const before = allocations;
    for (std::size_t n = 1; n <= room; ++n)
    {
        std::span<float const> const next(v.data() + (n - 1) * length, length);
        rows.append(next);
        columns.append(next);
        sum_columns(columns, 4, matrix_view<float const>{weights.data(), 3, n}, 0,
                    matrix_view<float>{y.data(), 3, length}, how, with);
    }
    rows.truncate(33);
    columns.truncate(33);
    CHECK(rows.prefix(3).rows() == 33);
    CHECK(allocations == before);
}
