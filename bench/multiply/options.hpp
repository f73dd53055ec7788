// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cstddef>
#include <string>
#include <vector>

namespace bench
{
    struct options
    {
        std::vector<std::size_t> rows, cols;
        std::vector<unsigned> bits{2, 3, 4, 5, 6, 7, 8};
        std::vector<std::size_t> groups{64};
        std::vector<unsigned> threads{1, 2};
        std::vector<std::size_t> vectors{1}; // that are multiplied together
        std::vector<std::string> activations{"limbs1", "limbs3"}, layouts{"1x8"}, caches{"cold", "llc"};
        std::vector<std::string> archs; // by name (archs.hpp)
        std::string ggml, ggml_cpu; // folder of its libraries; which variant
    };

    // body(vectors, threads, cold) for all that was asked
    template <class Body>
    void for_each_run(options const& o, Body body)
    {
        for (std::size_t const vectors : o.vectors)
            for (unsigned const threads : o.threads)
                for (std::string const& cache : o.caches)
                    body(vectors, threads, cache == "cold");
    }
}
