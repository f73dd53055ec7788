// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <array>
#include <span>
#include "../core/check.hpp"
#include "scale.hpp"

namespace jackplane::inline v0::inline JACKPLANE_TARGET
{
    // Codes of 8 bits that are chosen for their values at several widths at once. encode(x): the code with the least
    //     sum over widths of weight * (value at that width - x)^2
    // of all 256; decode(code): the mean of its values, whose error a feedback sweep passes on. With it GPTQ is MatGPTQ
    // (arXiv 2602.03537). It uses the scales of 8 bits:
    //     quantize(w, matryoshka(widths, weights), parent_scale{minmax{}}, group{64}, nearest{}, feedback(gram))
    class matryoshka
    {
    public:
        static constexpr unsigned bits = 8, size = 256;
        static constexpr float centre = uniform<8>::centre;
        static constexpr char const* name() noexcept { return "matryoshka"; }

        // weights: one for each width, not all 0. Throws width_error, shape_error, value_error.
        template <slice Slice = truncate_centred>
        explicit matryoshka(std::span<unsigned const> widths, std::span<float const> weights, Slice const& rule = {})
        {
            JACKPLANE_EXPECTS(!widths.empty() && widths.size() == weights.size(), shape_error, widths.size(),
                              " widths and ", weights.size(), " weights");
            double total = 0;
            for (float const weight : weights)
            {
                JACKPLANE_EXPECTS(weight >= 0 && is_finite(weight), value_error, "a width of weight ", weight);
                total += static_cast<double>(weight);
            }
            JACKPLANE_EXPECTS(total > 0, value_error, "no width of weight above 0");
            for (unsigned q = 0; q < size; ++q)
            {
                double sum = 0, weighted = 0, squares = 0;
                for (std::size_t i = 0; i < widths.size(); ++i)
                {
                    JACKPLANE_EXPECTS(widths[i] >= 1 && widths[i] <= bits, width_error, "codes of ", bits,
                                      " bits read at ", widths[i]);
                    double const value = static_cast<double>(rule.value(rule(q, bits, widths[i]), bits, widths[i]));
                    sum += value;
                    weighted += static_cast<double>(weights[i]) * value / total;
                    squares += static_cast<double>(weights[i]) * (value * value) / total;
                }
                m_mean[q] = static_cast<float>(sum / static_cast<double>(widths.size()));
                m_middle[q] = static_cast<float>(weighted);
                m_spread[q] = static_cast<float>(squares - weighted * weighted);
            }
        }

        float decode(code q) const noexcept { return m_mean[q]; }
        code encode(float x) const noexcept
        {
            unsigned best = 0;
            double least = __builtin_inf();
            for (unsigned q = 0; q < size; ++q)
            {
                double const off = static_cast<double>(x - m_middle[q]); // its square is exact: no fma can change it
                if (double const error = off * off + static_cast<double>(m_spread[q]); error < least)
                    least = error, best = q;
            }
            return static_cast<code>(best);
        }
        float coordinate(float x) const noexcept { return encode(x); } // whole already

    private:
        std::array<float, size> m_mean{}, m_middle{}, m_spread{}; // of the values, and weighted: mean and variance
    };
    static_assert(codebook<matryoshka>);
}
