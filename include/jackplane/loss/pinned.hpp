// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <span>
#include <utility>
#include <vector>
#include "../core/check.hpp"
#include "../core/concepts.hpp"

namespace jackplane::inline v0::inline JACKPLANE_TARGET
{
    // A loss where a few weights keep given values, whatever its argument says: those of a sparse part, while the rest
    // is tuned. The gradient by them is 0.
    template <class Loss>
    class pinned
    {
    public:
        // places: indices of weights; values: one for each. Throws shape_error where their numbers differ or a place
        // is outside.
        explicit pinned(Loss of, std::vector<std::size_t> places = {}, std::vector<float> values = {})
            : m_of(std::move(of)), m_places(std::move(places)), m_values(std::move(values))
        {
            JACKPLANE_EXPECTS(m_places.size() == m_values.size(), shape_error, m_places.size(), " places and ",
                              m_values.size(), " values");
            for (std::size_t const place : m_places)
                JACKPLANE_EXPECTS(place < m_of.size(), shape_error, "place ", place, " of ", m_of.size(), " weights");
        }

        std::size_t size() const { return m_of.size(); }
        std::size_t samples() const requires requires(Loss const& f) { f.samples(); }
        {
            return m_of.samples();
        }
        void at(std::span<std::size_t const> which) requires requires(Loss& f) { f.at(which); }
        {
            m_of.at(which);
        }
        void teach(std::span<float const> w) requires requires(Loss& f) { f.teach(w); }
        {
            m_of.teach(w.empty() ? w : with_pins(w));
        }

        double operator()(std::span<float const> w, std::span<float> g)
        {
            double const value = m_of(with_pins(w), g);
            if (!g.empty())
                for (std::size_t const place : m_places)
                    g[place] = 0;
            return value;
        }

    private:
        std::span<float const> with_pins(std::span<float const> w)
        {
            if (m_places.empty())
                return w;
            JACKPLANE_EXPECTS(w.size() == size(), shape_error, w.size(), " weights, the loss has ", size());
            m_weights.assign(w.begin(), w.end());
            for (std::size_t i = 0; i < m_places.size(); ++i)
                m_weights[m_places[i]] = m_values[i];
            return m_weights;
        }

        Loss m_of;
        std::vector<std::size_t> m_places;
        std::vector<float> m_values, m_weights;
    };
}
