// SPDX-License-Identifier: BSD-3-Clause
#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include <jackplane/laws/code_layout.hpp>
#include <jackplane/laws/codebook.hpp>
#include <jackplane/laws/scale.hpp>
#include <cmath>

// The library's laws on a codebook of one's own, and on a scale for it.
namespace
{
    struct thirds // powers of three, and 0: -9, -3, -1, 0, 1/3, 1, 3, 9
    {
        static constexpr unsigned bits = 3, size = 8;
        static constexpr float centre = 0;

        static constexpr char const* name() noexcept { return "thirds"; }
        static constexpr float decode(jackplane::code q) noexcept
        {
            constexpr float values[size]{-9, -3, -1, 0, 1 / 3.0f, 1, 3, 9};
            return values[q % size];
        }
        static float coordinate(float x) noexcept
        {
            jackplane::code k = 0;
            while (k + 2u < size && x > decode(static_cast<jackplane::code>(k + 1)))
                ++k;
            float const low = decode(k), high = decode(static_cast<jackplane::code>(k + 1));
            return std::fmin(std::fmax(static_cast<float>(k) + (x - low) / (high - low), 0.0f), 7.0f);
        }
        static jackplane::code encode(float x) noexcept
        {
            return static_cast<jackplane::code>(std::nearbyint(coordinate(x)));
        }
    };
    struct rounded_up // the smallest power of two that reaches all weights
    {
        using zero_type = jackplane::no_zero;
        template <jackplane::codebook C>
        jackplane::scale_and_zero operator()(std::span<float const> w, C const& book, std::span<float const> = {}) const
        {
            float most = 0;
            for (float const v : w)
                most = std::fmax(most, std::fabs(v));
            return {most == 0 ? 0.0f : std::exp2(std::ceil(std::log2(most / book.decode(C::size - 1)))), C::centre};
        }
    };
}

TEST_CASE_TEMPLATE_INVOKE(codebook_law, thirds);
TEST_CASE_TEMPLATE_INVOKE(scale_law, laws::on<thirds, rounded_up>);
TEST_CASE_TEMPLATE_INVOKE(code_layout_law, jackplane::planes<1, 2>);
