// SPDX-License-Identifier: BSD-3-Clause
// Keys and values of fewer bits: attention against plain loops in double, decoding against itself.
#include <engine/run/cache.hpp>
#include <engine/quantize/head.hpp>
#include <engine/quantize/quantize_model.hpp>
#include "logits.hpp"
#include "tiny_families.hpp"
#include <doctest/doctest.h>
#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <vector>

namespace engine
{
    namespace
    {
        std::vector<float> random_numbers(std::size_t n, unsigned seed)
        {
            std::minstd_rand draw(seed);
            std::vector<float> all(n);
            for (float& x : all)
                x = static_cast<float>(draw() % 4096) / 1024 - 2;
            return all;
        }

        // What is left of vectors [rows, cols] at so many bits; S: of the scales.
        template <class S>
        std::vector<double> kept(jackplane::matrix_view<float const> v, unsigned bits)
        {
            auto const q =
                jackplane::quantize<S>(v, jackplane::uniform<8>{}, jackplane::minmax<>{}, jackplane::group{32});
            std::vector<double> all;
            for (std::size_t row = 0; row < v.rows; ++row)
                for (std::size_t col = 0; col < v.cols; ++col)
                {
                    unsigned const leading = q.codes[row * v.cols + col] >> (8 - std::min(bits, 8u));
                    double const value = jackplane::truncate_centred{}.value(leading, 8, std::min(bits, 8u));
                    all.push_back(bits == 16
                                      ? double{jackplane::to_float(jackplane::from_float<jackplane::half>(v(row, col)))}
                                      : q.scale_at(row, col) * (value - q.zero_at(row, col)));
                }
            return all;
        }

        void check_attention(config const& c, unsigned bits)
        {
            constexpr std::size_t room = 75, tokens = 70, layer = 1;
            constexpr double eps = 0x1p-23;
            std::size_t const n = c.head_dim, head = c.kv_heads - 1;
            layer_kind const kind = c.block.kind(layer);
            kv_cache cache(c, room, bits, jackplane::exact{});
            auto const k = random_numbers(room * n, 1), v = random_numbers(room * n, 2),
                       q = random_numbers(room * n, 3);
            auto const some = [&](std::vector<float> const& of, std::size_t first, std::size_t count) {
                return jackplane::matrix_view<float const>{of.data() + first * n, count, n};
            };
            cache.keep(layer, head, 0, some(v, 0, room), some(k, 0, room)); // another text
            for (std::size_t at = 0, count = 1; at < tokens; at += count, count = std::min(count + 9, tokens - at))
                cache.keep(layer, head, at, some(k, at, count), some(v, at, count));
            auto const keys = kept<jackplane::half>(some(k, 0, tokens), bits);
            auto const values = kept<jackplane::bfloat16>(some(v, 0, tokens), bits);

            attention_room with;
            auto const check = [&](std::size_t first, std::size_t count, std::size_t step)
            {
                std::vector<float> y(count * n);
                head_queries const of{{q.data(), n}, count, first, step, y.data(), n};
                cache.attend(layer, kind, head, of, with);
                for (std::size_t i = 0; i < count; ++i)
                {
                    std::size_t const begin = first_seen(kind, of.position(i)), end = of.position(i) + 1;
                    std::vector<double> p(end), exact(n);
                    double total = 0, largest = 0, off = 0;
                    for (std::size_t s = begin; s < end; ++s)
                    {
                        double dot = 0, size = 0;
                        for (std::size_t j = 0; j < n; ++j)
                        {
                            dot += q[i * n + j] * keys[s * n + j];
                            size += std::abs(q[i * n + j] * keys[s * n + j]) + std::abs(q[i * n + j]) * 4;
                        }
                        double score = dot * score_scale<double>(c);
                        if (double const cap = c.block.score_cap; cap > 0)
                            score = cap * std::tanh(score / cap);
                        off = std::max(off, static_cast<double>(n + 8) * eps * (size * score_scale<double>(c) + 8));
                        total += p[s] = std::exp(score);
                    }
                    for (std::size_t s = begin; s < end; ++s)
                        for (std::size_t j = 0; j < n; ++j)
                        {
                            exact[j] += p[s] / total * values[s * n + j];
                            largest = std::max(largest, std::abs(values[s * n + j]));
                        }
                    // weights are off by 2 off of themselves, sums round, the centre of codes is no small number
                    double const allowed = (2 * off + static_cast<double>(end + 16) * eps) * (largest + 4);
                    std::size_t wrong = 0;
                    for (std::size_t j = 0; j < n; ++j)
                        wrong += !(std::abs(y[i * n + j] - exact[j]) <= allowed);
                    CAPTURE(first);
                    CAPTURE(i);
                    CAPTURE(step);
                    CHECK(wrong == 0);
                }
            };
            for (std::size_t const position : {0u, 1u, 8u, 9u, 31u, 32u, 33u, 40u, 69u})
                check(position, 4, 0);
            check(0, 64, 1);
            check(5, 65, 1);
            check(50, 20, 1);
            check(69, 1, 1);
        }
    }

    TEST_CASE("attention over half and planes: windows, caps, any head size, one position and several")
    {
        for (tiny_family const& f : tiny_families)
            for (unsigned const bits : {16u, 8u, 5u, 4u, 2u, 1u})
            {
                CAPTURE(f.name);
                CAPTURE(bits);
                check_attention(tiny_config_of(f), bits);
            }
    }

    TEST_CASE("keys and values of fewer bits: near those of fp32, the fewer the farther; for any number of threads")
    {
        for (tiny_family const& f : tiny_families)
        {
            CAPTURE(f.name);
            auto const folder = folder_with(random_model(tiny_config_of(f)));
            packed_model m = quantize(model_source(folder), rtn{}, {.group = jackplane::group{32}}).packed;
            quantize_head(m, {}, jackplane::group{32});
            bool const windows = m.sizes.block.kind(0).window != 0 || m.sizes.block.kind(1).window != 0;
            auto const tokens = random_tokens(70, m.sizes.vocabulary);
            auto const logits = [&](unsigned kv_bits, std::size_t at_once, unsigned threads)
            {
                decoder decode(m, m.mix(8), tokens.size(), {}, jackplane::team(threads), kv_bits);
                std::vector<float> all;
                decode(std::span<token const>(tokens).first(33)); // another text
                decode.restart();
                for (std::size_t at = 0; at < tokens.size(); at += at_once)
                {
                    std::size_t const count = std::min(at_once, tokens.size() - at);
                    auto const some = decode.each(std::span<token const>(tokens).subspan(at, count));
                    all.insert(all.end(), some.begin(), some.end());
                }
                return all;
            };
            auto const dense = logits(32, 1, 1);
            std::vector<double> const fp32(dense.begin(), dense.end());
            std::vector<double> off;
            for (unsigned const kv_bits : {16u, 8u, 4u, 2u})
            {
                CAPTURE(kv_bits);
                auto const one = logits(kv_bits, 1, 1);
                off.push_back(worst(one, fp32));
                CHECK(one == logits(kv_bits, 1, 3));
                for (std::size_t const at_once : {7u, 70u})
                {
                    auto const many = logits(kv_bits, at_once, 1);
                    if (kv_bits <= 8 && !windows && std::string(kernels_name()) != "generic")
                        CHECK(many == one); // three limbs: a vector alone and among others
                    CHECK(worst(many, {std::vector<double>(one.begin(), one.end())}) < 0.01);
                    CHECK(many == logits(kv_bits, at_once, 3));
                }
            }
            CHECK(off[0] > 0);
            CHECK(off[0] * 2 < off[1]);
            CHECK(off[1] * 4 < off[2]); // 16 times, but for how errors add up
            CHECK(off[2] < off[3]);
        }
    }

    TEST_CASE("what keys and values cannot be")
    {
        config const c = tiny_config(true);
        for (unsigned const bits : {0u, 9u, 15u, 33u})
            CHECK_THROWS_WITH_AS(kv_cache(c, 8, bits, {}), doctest::Contains("there are 32, 16 and 8 to 1"),
                                 jackplane::value_error);
        kv_cache planes(c, 8, 8, {});
        std::vector<float> v(9 * c.head_dim, 1.0f);
        auto const some = [&](std::size_t count) {
            return jackplane::matrix_view<float const>{v.data(), count, c.head_dim};
        };
        CHECK_THROWS_AS(planes.keep(0, 0, 0, some(9), some(9)), jackplane::shape_error);
        v[c.head_dim + 1] = std::numeric_limits<float>::quiet_NaN();
        CHECK_THROWS_WITH_AS(planes.keep(0, 0, 3, some(2), some(2)), doctest::Contains("is nan"),
                             jackplane::value_error);
    }
}
