// SPDX-License-Identifier: BSD-3-Clause
#include <cstdlib>
#include <limits>
#include <doctest/doctest.h>
#include <jackplane/core/check.hpp>
using namespace jackplane;

TEST_CASE("text joins pieces into one sentence")
{
    CHECK(text() == "");
    CHECK(text("row ", 3, " has ", std::size_t{7}, " columns") == "row 3 has 7 columns");
    CHECK(text(std::string("a"), std::string_view("b"), 'c' - 'a') == "ab2");
    CHECK(text(-5, " ", 18446744073709551615u) == "-5 18446744073709551615");
}

TEST_CASE("text prints a float so that reading it gives the same float")
{
    for (float const x : {0.1f, 1e-40f, 3.14159274f, -2.5e38f, 16777217.0f})
        CHECK(std::strtof(text(x).c_str(), nullptr) == x);
    CHECK(text(0.5f) == "0.5");
    CHECK(text(std::numeric_limits<float>::infinity()) == "inf");
}

TEST_CASE("JACKPLANE_EXPECTS throws what it was told to, with the numbers")
{
    auto expects = [](std::size_t n)
    { JACKPLANE_EXPECTS(n == 3, shape_error, "x has ", n, " elements, the matrix ", 3); };
    CHECK_NOTHROW(expects(3));
    CHECK_THROWS_WITH_AS(expects(4), "x has 4 elements, the matrix 3", shape_error);
    CHECK_THROWS_WITH_AS(fail<width_error>("no"), "no", width_error);
}

TEST_CASE_TEMPLATE("every error is an error, and a std::runtime_error", E, shape_error, value_error, width_error,
                   io_error, format_error)
{
    CHECK_THROWS_AS(fail<E>("?"), E);
    CHECK_THROWS_AS(fail<E>("?"), error);
    CHECK_THROWS_AS(fail<E>("?"), std::runtime_error);
}

TEST_CASE("the condition is evaluated once, the message only when it is needed")
{
    int asked = 0, built = 0;
    auto piece = [&] { return ++built; };
    JACKPLANE_EXPECTS(++asked == 1, value_error, piece());
    CHECK(asked == 1);
    CHECK(built == 0);
}
