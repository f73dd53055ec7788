// SPDX-License-Identifier: BSD-3-Clause
#pragma once
// Other libraries on the same weights in the same process: peer/<library>/<type>/...
#include "../multiply/options.hpp"
#include "../multiply/product.hpp"

namespace bench
{
    struct peer
    {
        char const* name;
        // Adds its rows of a shape; says in a few words why not, if not.
        std::string (*add)(options const& o, shape s);
    };

    // Those that this program was built with: the unit of a peer, when there is one, adds itself before main.
    std::vector<peer>& peers();

    // What y [vectors, rows] must be; row r is as row r % strip.
    struct answer
    {
        std::vector<double> expected, allowed; // [vectors, strip]: the value, and how far off it may be
        std::size_t strip;
    };
    std::string wrong(answer const& right, float const* y, std::size_t rows, std::size_t vectors); // "": it is right
}
