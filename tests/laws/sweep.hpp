// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <doctest/doctest.h>
#include <jackplane/quantize/quantize.hpp>
#include "weights.hpp"

namespace laws
{
    // make(gram) -> the sweep of a matrix whose inputs have this Gram matrix
    template <class Make>
    void check_sweep(Make make)
    {
        for (std::size_t const cols : {1u, 2u, 63u, 130u})
        {
            CAPTURE(cols);
            sample const w = weights(3, cols, 7), gram = correlated(cols, 4);
            auto const order = make(gram.view());
            static_assert(jackplane::sweep<std::remove_const_t<decltype(order)>>);

            // every column has its turn, once, and no errors leave the weights alone
            std::vector<std::size_t> seen;
            auto row = order.start();
            std::size_t changed = 0;
            for (std::size_t k = 0; k < cols; ++k)
            {
                seen.push_back(row.column(k));
                changed += row.target(w.data[seen.back()], seen.back()) != w.data[seen.back()];
                row.made(0);
            }
            CHECK(changed == 0);
            std::sort(seen.begin(), seen.end());
            for (std::size_t k = 0; k < cols; ++k)
                CHECK(seen[k] == k);

            // weights that their codes give exactly keep them, and rows know nothing of each other
            using jackplane::quantize, jackplane::uniform, jackplane::nearest, jackplane::group;
            auto const scales = jackplane::absmax{};
            auto const q = quantize(w.view(), uniform<4>{}, scales, group{32}, nearest{}, order);
            jackplane::matrix_view<float const> const last{w.data.data() + 2 * cols, 1, cols};
            auto const alone = quantize(last, uniform<4>{}, scales, group{32}, nearest{}, order);
            CHECK(std::equal(alone.codes.rbegin(), alone.codes.rend(), q.codes.rbegin()));
            sample exact{3, cols, jackplane::aligned_vector<float>(3 * cols)};
            for (std::size_t i = 0; i < exact.data.size(); ++i)
                exact.data[i] = i % cols % 32 == 0 ? -7.0f : static_cast<float>(i % 15) - 7;
            auto const kept = quantize(exact.view(), uniform<4>{}, scales, group{32}, nearest{}, order);
            std::vector<float> decoded(3 * cols);
            dequantize(kept, jackplane::matrix_view<float>{decoded.data(), 3, cols});
            CHECK(std::equal(decoded.begin(), decoded.end(), exact.data.begin()));
        }
    }
}
