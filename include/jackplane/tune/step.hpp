// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cmath>
#include <vector>
#include "../core/concepts.hpp"

// How a gradient changes what is learned.
namespace jackplane::inline v0::inline JACKPLANE_TARGET
{
    // By the rate, whatever the size of the gradient; not at all where it is 0. SignRound's (arXiv 2309.05516, alg. 1).
    struct sign_step
    {
        void operator()(std::span<float> v, std::span<float const> g, float rate) const noexcept
        {
            for (std::size_t i = 0; i < v.size(); ++i)
                v[i] -= g[i] > 0 ? rate : g[i] < 0 ? -rate : 0.0f;
        }
    };

    // Kingma and Ba (arXiv 1412.6980, alg. 1), without decay. A resumable_step.
    class adam
    {
    public:
        explicit adam(float beta1 = 0.9f, float beta2 = 0.999f, float epsilon = 1e-8f)
            : m_beta1(beta1), m_beta2(beta2), m_epsilon(epsilon)
        {
        }

        void operator()(std::span<float> v, std::span<float const> g, float rate)
        {
            m_mean.resize(v.size());
            m_square.resize(v.size());
            m_power1 *= static_cast<double>(m_beta1);
            m_power2 *= static_cast<double>(m_beta2);
            auto const correct1 = static_cast<float>(1 / (1 - m_power1));
            auto const correct2 = static_cast<float>(1 / (1 - m_power2));
            for (std::size_t i = 0; i < v.size(); ++i)
            {
                m_mean[i] += (1 - m_beta1) * (g[i] - m_mean[i]);
                m_square[i] += (1 - m_beta2) * (g[i] * g[i] - m_square[i]);
                v[i] -= rate * m_mean[i] * correct1 / (std::sqrt(m_square[i] * correct2) + m_epsilon);
            }
        }

        template <class Visit>
        void each_array(Visit&& visit)
        {
            visit(m_mean);
            visit(m_square);
        }
        void took(std::size_t steps) noexcept
        {
            m_power1 = m_power2 = 1;
            for (std::size_t k = 0; k < steps; ++k) // as the steps made them: pow() may round otherwise
            {
                m_power1 *= static_cast<double>(m_beta1);
                m_power2 *= static_cast<double>(m_beta2);
            }
        }

    private:
        float m_beta1, m_beta2, m_epsilon;
        double m_power1 = 1, m_power2 = 1; // of the betas, to the number of steps
        std::vector<float> m_mean, m_square;
    };

    static_assert(update_step<sign_step> && resumable_step<adam>);
}
