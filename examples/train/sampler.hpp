// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "../engine/run/forward.hpp"
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <span>
#include <utility>
#include <vector>

namespace engine
{
    // splitmix64 (Steele, Lea and Flood 2014) as a function of a counter: resuming needs no state.
    constexpr std::uint64_t mix(std::uint64_t seed, std::uint64_t counter) noexcept
    {
        std::uint64_t z = seed + (counter + 1) * 0x9e3779b97f4a7c15u;
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
        return z ^ (z >> 31);
    }

    // The k-th training window of a text. Each epoch cuts the text at an offset of its own and shuffles the windows.
    class window_sampler
    {
    public:
        window_sampler(std::vector<token> text, std::size_t length, std::uint64_t seed)
            : _text(std::move(text)), _length(length), _seed(seed)
        {
            JACKPLANE_EXPECTS(_text.size() >= 2 * length, jackplane::shape_error, "a training text of ", _text.size(),
                              " tokens is shorter than 2 windows of ", length);
            _order.resize((_text.size() - length) / length);
        }

        std::span<token const> operator()(std::size_t k)
        {
            if (k / _order.size() != _epoch)
                shuffle(k / _order.size());
            return std::span(_text).subspan(_offset + _order[k % _order.size()] * _length, _length);
        }

        double epochs(std::size_t windows) const noexcept
        {
            return static_cast<double>(windows) / static_cast<double>(_order.size());
        }

    private:
        void shuffle(std::size_t epoch)
        {
            std::uint64_t const seed = mix(_seed, epoch);
            _epoch = epoch;
            _offset = static_cast<std::size_t>(mix(seed, 0)) % _length;
            std::iota(_order.begin(), _order.end(), std::size_t{0});
            for (std::size_t i = _order.size(); i > 1; --i)
                std::swap(_order[i - 1], _order[static_cast<std::size_t>(mix(seed, i)) % i]);
        }

        std::vector<token> _text;
        std::vector<std::size_t> _order;
        std::size_t _length, _epoch = ~std::size_t{0}, _offset = 0;
        std::uint64_t _seed;
    };
}
