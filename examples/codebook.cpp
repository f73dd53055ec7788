// SPDX-License-Identifier: BSD-3-Clause
// A codebook of your own: powers of two, so that a product is a shift. It is quantized, packed and multiplied as those
// of the library are.
#include <jackplane/jackplane.hpp>
#include <cmath>
#include <cstdio>
#include <vector>

namespace jp = jackplane;

namespace
{
    // All that the concept codebook needs (core/concepts.hpp): -8, -4, -2, -1, 0, 1, 2, 4 for the codes 0 .. 7.
    struct powers_of_two
    {
        static constexpr unsigned bits = 3, size = 8;
        static constexpr float centre = 0; // what a group of zeros becomes

        static constexpr char const* name() noexcept { return "powers_of_two"; }
        static constexpr float decode(jp::code q) noexcept
        {
            constexpr float values[size]{-8, -4, -2, -1, 0, 1, 2, 4};
            return values[q % size];
        }
        static float coordinate(float x) noexcept // where x lies among the codes: 5.5 is halfway from 1 to 2
        {
            jp::code k = 0;
            while (k + 2u < size && x > decode(static_cast<jp::code>(k + 1)))
                ++k;
            float const low = decode(k), high = decode(static_cast<jp::code>(k + 1));
            return std::fmin(std::fmax(static_cast<float>(k) + (x - low) / (high - low), 0.0f), 7.0f);
        }
        static jp::code encode(float x) noexcept { return static_cast<jp::code>(std::nearbyint(coordinate(x))); }
    };
    static_assert(jp::codebook<powers_of_two> && jp::scale<jp::full_range, powers_of_two>);
}

int main()
{
    std::size_t const rows = 48, cols = 256;
    std::vector<float> w(rows * cols), x(cols, 1.0f), y(rows);
    for (std::size_t i = 0; i < w.size(); ++i)
        w[i] = std::sin(static_cast<float>(i * i % 1009)) * std::sin(static_cast<float>(i));
    jp::matrix_view<float const> const weights{w.data(), rows, cols};

    auto const codes = jp::quantize(weights, powers_of_two{}, jp::full_range{}, jp::group{32});
    auto const a = jp::pack<jp::planes<2, 1>>(codes); // 3 bits: a plane of 2 and one of 1
    jp::multiply(a, x, y);
    std::printf("%s: w[3, 7] = %.3f becomes %.3f, y[0] = %.3f\n", powers_of_two::name(), weights(3, 7), a.at(3, 7),
                y[0]);

    using mine = jp::config<powers_of_two, jp::full_range, 32, jp::planes<2, 1>>; // the same, by name
    std::printf("%s\n", jp::describe<mine>().c_str());
    std::printf("the same weight: %d\n", jp::quantize<mine>(weights).at(3, 5) == a.at(3, 5));
}
