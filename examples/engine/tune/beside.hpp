// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <jackplane/loss/pinned.hpp>
#include "../pack/any_csr.hpp"
#include "../read/weights.hpp"
#include <cstddef>
#include <span>
#include <utility>
#include <vector>

namespace engine
{
    // A loss of the matrices `parts`, which lie one after the other, with the weights beside each of them in their
    // places.
    template <class Loss>
    jackplane::pinned<Loss> with_beside(Loss of, std::span<parameter const> parts, std::span<any_csr const> beside)
    {
        std::vector<std::size_t> places;
        std::vector<float> values;
        for (std::size_t i = 0; i < parts.size(); ++i)
            for_each_weight(beside[i],
                            [&](std::size_t row, std::size_t col, float w)
                            {
                                places.push_back(parts[i].offset - parts[0].offset + row * parts[i].cols + col);
                                values.push_back(w);
                            });
        return jackplane::pinned<Loss>(std::move(of), std::move(places), std::move(values));
    }
}
