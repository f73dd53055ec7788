// SPDX-License-Identifier: BSD-3-Clause
// A layer of experts: gate and up in one region, with the bits of products of one expert after the other.
#include <jackplane/core/team.hpp>
#include <jackplane/multiply/activation/bf16.hpp>
#include <jackplane/multiply/experts.hpp>
#include "subjects.hpp"

using namespace jackplane;

namespace
{
    constexpr std::size_t expert_count = 7, expert_rows = 37, expert_cols = 83;

    auto stack_of(std::uint64_t seed)
    {
        std::vector<packed<bit_planes, uniform<8>, half, integer_zero>> all;
        for (std::size_t e = 0; e < expert_count; ++e)
            all.push_back(pack<bit_planes>(
                subjects::random({expert_rows, expert_cols}, uniform<8>{}, minmax{}, group{32}, seed + e)));
        return all;
    }
    auto prefixes_of(std::vector<packed<bit_planes, uniform<8>, half, integer_zero>> const& all, unsigned bits)
    {
        std::vector<decltype(all[0].prefix(bits))> at;
        for (auto const& each : all)
            at.push_back(each.prefix(bits));
        return at;
    }
    std::size_t chosen_expert(std::size_t token, std::size_t k) { return (token * token + 3 * k + 1) % expert_count; }
    std::vector<std::size_t> choices(std::size_t tokens, std::size_t used)
    {
        std::vector<std::size_t> all;
        for (std::size_t t = 0; t < tokens; ++t)
            for (std::size_t k = 0; k < used; ++k)
                all.push_back(chosen_expert(t, k));
        return all;
    }
}

TEST_CASE("a choice by expert: tokens rise, places say which column of the choice named it")
{
    expert_choice choice;
    CHECK(choice.chosen().empty());
    std::vector<std::size_t> const experts{4, 1, 1, 0, 4, 4}; // of three tokens
    choice.sort({experts.data(), 3, 2}, 6);
    CHECK(choice.tokens() == 3);
    CHECK(choice.used() == 2);
    CHECK(choice.count() == 6);
    auto const list = [](std::span<std::size_t const> all) { return std::vector(all.begin(), all.end()); };
    CHECK(list(choice.chosen()) == std::vector<std::size_t>{0, 1, 4});
    CHECK(list(choice.tokens_of(0)) == std::vector<std::size_t>{1});
    CHECK(list(choice.tokens_of(1)) == std::vector<std::size_t>{0, 1});
    CHECK(list(choice.places_of(1)) == std::vector<std::size_t>{1, 2});
    CHECK(list(choice.tokens_of(2)) == std::vector<std::size_t>{0, 2, 2}); // twice by one token
    CHECK(list(choice.places_of(2)) == std::vector<std::size_t>{0, 4, 5});
    CHECK_THROWS_WITH_AS(choice.sort({experts.data(), 3, 2}, 4), "token 0 goes to expert 4 of 4", shape_error);
    CHECK_THROWS_WITH_AS(choice.sort({experts.data(), 3, 2}, std::size_t(-1)),
                         "18446744073709551615 experts do not fit in memory", shape_error);
    CHECK(choice.count() == 6); // as it was
    choice.sort({experts.data(), 0, 2}, 6);
    CHECK(choice.chosen().empty());
}

TEST_CASE_TEMPLATE("gate and up in one region: the bits of single products, for any threads", A, exact, limbs<1>,
                   limbs<3>, bf16, batch_invariant)
{
    auto const gates = stack_of(1), ups = stack_of(20);
    auto const narrow = prefixes_of(gates, 4);
    auto const bias = laws::vector(expert_count * expert_rows, laws::input::bell, 3);
    expert_choice choice;
    expert_x<A> ready;
    A const how;
    for (std::size_t const tokens : {1u, 2u, 9u, 40u, 0u})
        for (std::size_t const used : {1u, 3u})
            for (bool const by_place : {false, true}) // x of a token, or of each of its choices
            {
                std::size_t const places = tokens * used, vectors = by_place ? places : tokens;
                auto const x = laws::vector(vectors * expert_cols, laws::input::outlier, 5);
                matrix_view<float const> const all{x.data(), vectors, expert_cols};
                auto const experts = choices(tokens, used);
                choice.sort({experts.data(), tokens, used}, expert_count);
                std::vector<float> g(places * expert_rows), u(g.size());
                std::vector<float> of_gates(g.size()), of_ups(g.size()); // one expert after the other
                for (std::size_t nth = 0; nth < choice.chosen().size(); ++nth)
                {
                    std::size_t const e = choice.chosen()[nth];
                    auto const to = choice.places_of(nth);
                    typename A::prepared some;
                    how.prepare(all, by_place ? to : choice.tokens_of(nth), some);
                    matrix_view<float> const one_g{of_gates.data(), places, expert_rows};
                    matrix_view<float> const one_u{of_ups.data(), places, expert_rows};
                    auto const plus = std::span(bias).subspan(e * expert_rows, expert_rows);
                    multiply_each(serial{}, job{narrow[e], some, one_g, {.to_rows = to}});
                    multiply_each(serial{}, job{ups[e], some, one_u, {.bias = plus, .to_rows = to}});
                }
                auto const check = [&](auto const& policy)
                {
                    std::fill(g.begin(), g.end(), 7.0f);
                    std::fill(u.begin(), u.end(), 7.0f);
                    ready.prepare(how, all, choice, policy);
                    multiply_experts(
                        policy, choice, ready, expert_stack{narrow, {g.data(), places, expert_rows}},
                        expert_stack{ups, {u.data(), places, expert_rows}, {bias.data(), expert_count, expert_rows}});
                    CHECK(laws::same_bits(g, of_gates));
                    CHECK(laws::same_bits(u, of_ups));
                };
                check(serial{});
                check(threads{3});
                check(team(2));
            }
}

TEST_CASE("one token's x is prepared once, however many experts read it")
{
    auto const x = laws::vector(2 * expert_cols, laws::input::bell, 1);
    auto const experts = choices(2, 3);
    expert_choice choice;
    expert_x<limbs<1>> ready;
    choice.sort({experts.data(), 1, 3}, expert_count);
    ready.prepare(limbs<1>{}, std::span(x).first(expert_cols), choice);
    CHECK(ready.count() == 3);
    CHECK(&ready.of(0) == &ready.of(2));
    choice.sort({experts.data(), 2, 3}, expert_count);
    ready.prepare(limbs<1>{}, matrix_view<float const>{x.data(), 2, expert_cols}, choice);
    CHECK(&ready.of(0) != &ready.of(1));
}

TEST_CASE("an expert that a lone token names twice reads it twice, as in a batch")
{
    auto const gates = stack_of(1);
    auto const x = laws::vector(expert_cols, laws::input::bell, 1);
    std::vector<std::size_t> const experts{4, 2, 4};
    expert_choice choice;
    expert_x<limbs<1>> ready;
    choice.sort({experts.data(), 1, 3}, expert_count);
    ready.prepare(limbs<1>{}, x, choice);
    std::vector<float> y(3 * expert_rows);
    multiply_experts(serial{}, choice, ready, expert_stack{gates, {y.data(), 3, expert_rows}});
    for (std::size_t place = 0; place < 3; ++place)
    {
        std::vector<float> alone(expert_rows);
        multiply(gates[experts[place]], x, alone, limbs<1>{});
        CHECK(laws::same_bits(std::span(y).subspan(place * expert_rows, expert_rows), alone));
    }
}

TEST_CASE("experts have no x after one that could not be prepared")
{
    auto const gates = stack_of(1);
    auto const x = laws::vector(2 * expert_cols, laws::input::bell, 1);
    std::vector<std::size_t> const experts{4, 2};
    expert_choice choice, other;
    choice.sort({experts.data(), 2, 1}, expert_count);
    other.sort({experts.data(), 1, 2}, expert_count);
    expert_x<limbs<1>> ready;
    ready.prepare(limbs<1>{}, matrix_view<float const>{x.data(), 2, expert_cols}, choice);
    CHECK_THROWS_AS(ready.prepare(limbs<1>{48}, std::span(x).first(expert_cols), other), shape_error);
    std::vector<float> y(2 * expert_rows);
    CHECK_THROWS_WITH_AS(multiply_experts(serial{}, choice, ready, expert_stack{gates, {y.data(), 2, expert_rows}}),
                         "x of 0 experts, of which 2 are chosen", shape_error); // each would have read the first token
}

TEST_CASE("what does not fit a choice is an error, before any y is written")
{
    auto const gates = stack_of(1);
    auto const x = laws::vector(4 * expert_cols, laws::input::bell, 1);
    auto const experts = choices(2, 2);
    expert_choice choice, other;
    choice.sort({experts.data(), 2, 2}, expert_count);
    other.sort({experts.data(), 2, 1}, expert_count);
    expert_x<exact> ready;
    exact const how;
    CHECK_THROWS_WITH_AS(ready.prepare(how, matrix_view<float const>{x.data(), 3, expert_cols}, choice),
                         "3 x of 2 tokens, each of which goes to 2 experts", shape_error);
    CHECK_THROWS_WITH_AS(expert_x<limbs<1>>{}.prepare(limbs<1>{48}, matrix_view<float const>{x.data(), 2, expert_cols},
                                                      choice, threads{2}),
                         "activation groups of 48 columns; there are 32, 64 and 128", shape_error);
    ready.prepare(how, matrix_view<float const>{x.data(), 2, expert_cols}, choice);
    std::vector<float> y(4 * expert_rows, 7.0f);
    matrix_view<float> const to{y.data(), 4, expert_rows};
    auto const refused = [&](char const* error, expert_choice const& by, auto const& stack)
    {
        CHECK_THROWS_WITH_AS(multiply_experts(threads{2}, by, ready, expert_stack{gates, to}, stack), error,
                             shape_error);
        CHECK(y == std::vector<float>(y.size(), 7.0f));
    };
    std::span const few(gates.data(), 6);
    refused("6 matrices of 7 experts", choice, expert_stack{few, to});
    refused("4 choices of experts into 3 y", choice, expert_stack{gates, {y.data(), 3, expert_rows}});
    refused("6 rows of bias for 7 experts", choice, expert_stack{gates, to, {x.data(), 6, expert_rows}});
    refused("2 choices of experts into 4 y", other, expert_stack{gates, to});
    refused("a bias of 0 for 37 rows", choice, expert_stack{gates, to, {x.data(), 7, 0}});
    refused("job 4: a bias of 36 for 37 rows", choice, expert_stack{gates, to, {x.data(), 7, 36}});
    expert_x<exact> none;
    CHECK_THROWS_WITH_AS(multiply_experts(serial{}, choice, none, expert_stack{gates, to}),
                         "x of 0 experts, of which 4 are chosen", shape_error);
}

template <class Stack>
concept takes_matrices = requires(Stack&& all, matrix_view<float> y)
{
    expert_stack{std::forward<Stack>(all), y};
};
using whole_experts = std::vector<packed<bit_planes, uniform<8>, half, integer_zero>>;
static_assert(takes_matrices<whole_experts&> && takes_matrices<std::span<whole_experts::value_type const>>);
static_assert(!takes_matrices<whole_experts>);
