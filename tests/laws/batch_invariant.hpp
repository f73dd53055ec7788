// SPDX-License-Identifier: BSD-3-Clause
#pragma once
// The bits of a vector's product do not depend on the vectors that are multiplied with it: of batch_invariant, and of
// limbs where they are multiplied as integers.
#include <jackplane/multiply/activation/bf16.hpp>
#include <jackplane/multiply/jobs.hpp>
#include "linear_map.hpp"

// Seat: what makes the maps, as for the law of linear maps, and the activation.
TEST_CASE_TEMPLATE_DEFINE("batch invariant", Seat, batch_invariant_law)
{
    using namespace laws;
    using How = typename Seat::activation;
    for_some_shapes<typename Seat::maps>(
        [](auto const& subject)
        {
            auto const& m = subject.map;
            std::size_t const rows = subject.exact.rows, cols = subject.exact.cols, most = 67;
            auto const x = vector(most * cols, input::outlier, 3);
            typename How::prepared ready;
            std::vector<float> alone(most * rows), together(most * rows);
            for (std::size_t n = 0; n < most; ++n)
            {
                How{}.prepare(std::span(x).subspan(n * cols, cols), ready);
                if constexpr (!std::same_as<How, jackplane::batch_invariant>)
                    if (!takes_integers(m, ready)) // read as fp32, which promises nothing
                        return;
                multiply(m, ready, std::span(alone).subspan(n * rows, rows));
            }
            for (unsigned const count : {1u, 2u, 3u, 4u, 5u, 8u, 9u, 31u, 33u, 67u}) // others each time
            {
                std::size_t const first = most - count;
                How{}.prepare(jackplane::matrix_view<float const>{x.data() + first * cols, count, cols}, ready);
                jackplane::matrix_view<float> const y{together.data(), count, rows};
                std::span<float const> const expected = std::span(alone).subspan(first * rows);
                multiply(m, ready, y, jackplane::threads{count % 3 + 1});
                CHECK(same_bits(std::span(together).first(count * rows), expected));
                if constexpr (jackplane::packed_matrix<std::remove_cvref_t<decltype(m)>>)
                {
                    multiply_each(jackplane::serial{}, jackplane::job{m, ready, y});
                    CHECK(same_bits(std::span(together).first(count * rows), expected));
                }
            }
            // and each is within the bound
            std::vector<float> const one(x.begin(), x.begin() + static_cast<std::ptrdiff_t>(cols));
            if constexpr (std::same_as<How, jackplane::batch_invariant>)
                CHECK(first_wrong(product(subject.exact, one),
                                  std::vector<float>(alone.begin(),
                                                     alone.begin() + static_cast<std::ptrdiff_t>(rows))) == rows);
        });
}
