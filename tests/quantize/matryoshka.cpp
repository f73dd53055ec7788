// SPDX-License-Identifier: BSD-3-Clause
#include "../laws/weights.hpp"
#include <doctest/doctest.h>
#include <jackplane/quantize/matryoshka.hpp>
#include <jackplane/quantize/quantize.hpp>
#include <array>
#include <cmath>
#include <limits>
#include <vector>
using namespace jackplane;

namespace
{
    std::array<unsigned, 3> const three_widths{8, 4, 2};

    template <slice Slice>
    double worth(unsigned q, unsigned bits, Slice rule)
    {
        return double{rule.value(rule(q, 8, bits), 8, bits)};
    }

    template <slice Slice>
    void check_encode(Slice rule)
    {
        std::array<float, 3> const weights{0.1f, 0.5f, 1};
        matryoshka const book(three_widths, weights, rule);
        std::size_t wrong = 0;
        for (float x = -20; x < 280; x += 0.37f)
        {
            auto const error = [&](unsigned q)
            {
                double sum = 0;
                for (std::size_t i = 0; i < 3; ++i)
                    sum += double{weights[i]} * std::pow(worth(q, three_widths[i], rule) - double{x}, 2);
                return sum;
            };
            double least = std::numeric_limits<double>::infinity();
            for (unsigned q = 0; q < 256; ++q)
                least = std::min(least, error(q));
            wrong += !(error(book.encode(x)) <= least * (1 + 1e-5) + 1e-3); // spreads are floats
        }
        CHECK(wrong == 0);
        for (unsigned q = 0; q < 256; q += 7)
            CHECK(double{book.decode(static_cast<code>(q))} ==
                  doctest::Approx((worth(q, 8, rule) + worth(q, 4, rule) + worth(q, 2, rule)) / 3));
    }

    // What the codes mean at fewer bits, on the scales they were made for.
    template <class Q>
    double output_error_at(laws::sample const& w, Q const& q, unsigned bits, laws::sample const& gram)
    {
        quantized<uniform<8>, half, integer_zero> read{{}, q.rows, q.cols, q.grid, q.codes, q.scales, q.zeros};
        struct at_width
        {
            decltype(read) const& of;
            unsigned bits;
            float at(std::size_t row, std::size_t col) const
            {
                unsigned const c = of.codes[row * of.cols + col];
                return of.scale_at(row, col) *
                       (static_cast<float>(worth(c, bits, truncate_centred{})) - of.zero_at(row, col));
            }
        };
        return laws::output_error(w, at_width{read, bits}, gram);
    }
}

TEST_CASE("the code is the best of all for what it is worth at every width, whatever the slice")
{
    check_encode(truncate_centred{});
    check_encode(extra_precision{});
    check_encode(round_clamp{});
}

TEST_CASE("one width of 8 bits alone: the nearest codes")
{
    laws::sample const w = laws::weights(5, 70, 3);
    std::array<unsigned, 1> const eight{8};
    std::array<float, 1> const one{1};
    auto const q = quantize(w.view(), matryoshka(eight, one), parent_scale{minmax<>{}}, group{32});
    auto const plain = quantize(w.view(), uniform<8>{}, minmax<>{}, group{32});
    CHECK(q.scales == plain.scales);
    CHECK(q.codes == plain.codes);
}

TEST_CASE("with feedback the narrow widths of one parent are better than those of GPTQ at 8 bits, cut")
{
    laws::sample const w = laws::weights(16, 128, 1), gram = laws::correlated(128, 2);
    feedback const order(gram.view());
    std::array<float, 3> const even{1, 1, 1};
    auto const joint =
        quantize(w.view(), matryoshka(three_widths, even), parent_scale{minmax<>{}}, group{64}, nearest{}, order);
    auto const eight = quantize(w.view(), uniform<8>{}, minmax<>{}, group{64}, nearest{}, order);
    CHECK(output_error_at(w, joint, 2, gram) < 0.9 * output_error_at(w, eight, 2, gram));
    CHECK(output_error_at(w, joint, 8, gram) < output_error_at(w, joint, 2, gram));
}

TEST_CASE("widths and weights that make no sense are errors")
{
    std::array<float, 3> const even{1, 1, 1}, none{0, 0, 0}, negative{1, -1, 1};
    std::array<unsigned, 3> const too_wide{8, 4, 9};
    CHECK_THROWS_WITH_AS(matryoshka(three_widths, std::span(even).first(2)), "3 widths and 2 weights", shape_error);
    CHECK_THROWS_WITH_AS(matryoshka(three_widths, none), "no width of weight above 0", value_error);
    CHECK_THROWS_WITH_AS(matryoshka(three_widths, negative), "a width of weight -1", value_error);
    CHECK_THROWS_WITH_AS(matryoshka(too_wide, even), "codes of 8 bits read at 9", width_error);
}
