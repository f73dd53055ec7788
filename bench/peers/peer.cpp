// SPDX-License-Identifier: BSD-3-Clause
#include "peer.hpp"
#include <jackplane/core/check.hpp>
#include <cmath>

namespace bench
{
    std::vector<peer>& peers()
    {
        static std::vector<peer> all;
        return all;
    }

    std::string wrong(answer const& right, float const* y, std::size_t rows, std::size_t vectors)
    {
        for (std::size_t n = 0; n < vectors; ++n)
            for (std::size_t row = 0; row < rows; ++row)
            {
                double const got = y[n * rows + row], expected = right.expected[n * right.strip + row % right.strip];
                double const allowed = right.allowed[n * right.strip + row % right.strip];
                if (!(std::abs(got - expected) <= allowed))
                    return jackplane::text("the product is wrong: row ", row, " of vector ", n, " is ", got,
                                           ", expected ", expected, " +- ", allowed);
            }
        return {};
    }
}
