// SPDX-License-Identifier: BSD-3-Clause
#include <doctest/doctest.h>
#include <engine/run/forward.hpp>
#include "tiny.hpp"
#include <cmath>
#include <cstddef>
#include <span>
#include <vector>

namespace engine
{
    namespace
    {
        using numbers = std::vector<double>;

        // The definition, token by token: no blocks, no products of matrices, every past token looked at again.
        class plain
        {
        public:
            plain(config const& c, std::vector<double> const& w) : _c(c), _w(w) {}

            double nll(std::span<token const> window) const
            {
                std::vector<numbers> x;
                for (token const t : window)
                {
                    double const* const e = at("model.embed_tokens.weight") + t * _c.hidden;
                    x.emplace_back(e, e + _c.hidden);
                }
                for (std::size_t i = 0; i < _c.layers; ++i)
                    layer(text("model.layers.", i, "."), x);
                double total = 0.0;
                char const* const output = _c.tied ? "model.embed_tokens.weight" : "lm_head.weight";
                for (std::size_t t = 0; t + 1 < x.size(); ++t)
                {
                    numbers const logits = times(output, _c.vocabulary, normed("model.norm.weight", x[t]));
                    double sum = 0.0;
                    for (double const l : logits)
                        sum += std::exp(l);
                    total += std::log(sum) - logits[window[t + 1]];
                }
                return total;
            }

        private:
            double const* at(std::string const& name) const
            {
                for (parameter const& p : _table.parameters())
                    if (p.name == name)
                        return _w.data() + p.offset;
                FAIL("no parameter ", name);
                return nullptr;
            }

            numbers times(std::string const& name, std::size_t rows, numbers const& x) const
            {
                double const* const w = at(name);
                numbers y(rows);
                for (std::size_t i = 0; i < rows; ++i)
                    for (std::size_t j = 0; j < x.size(); ++j)
                        y[i] += w[i * x.size() + j] * x[j];
                return y;
            }

            numbers normed(std::string const& name, numbers x) const
            {
                double square = 0.0;
                for (double const v : x)
                    square += v * v;
                for (std::size_t j = 0; j < x.size(); ++j)
                    x[j] *= at(name)[j] / std::sqrt(square / static_cast<double>(x.size()) + _c.rms_norm_eps);
                return x;
            }

            // x cos + rotate_half(x) sin of each head, as Hugging Face writes it.
            void rotate(numbers& x, std::size_t position) const
            {
                std::size_t const d = _c.head_dim;
                numbers const old = x;
                for (std::size_t k = 0; k < x.size(); ++k)
                {
                    std::size_t const j = k % d, pair = j % (d / 2);
                    double const angle =
                        static_cast<double>(position) /
                        std::pow(_c.rope_theta, 2.0 * static_cast<double>(pair) / static_cast<double>(d));
                    double const other = j < d / 2 ? -old[k + d / 2] : old[k - d / 2];
                    x[k] = old[k] * std::cos(angle) + other * std::sin(angle);
                }
            }

            void layer(std::string const& name, std::vector<numbers>& x) const
            {
                std::vector<numbers> keys, values;
                for (std::size_t t = 0; t < x.size(); ++t)
                {
                    numbers const a = normed(name + "input_layernorm.weight", x[t]);
                    numbers q = times(name + "self_attn.q_proj.weight", _c.query_width(), a);
                    keys.push_back(times(name + "self_attn.k_proj.weight", _c.kv_width(), a));
                    values.push_back(times(name + "self_attn.v_proj.weight", _c.kv_width(), a));
                    rotate(q, t);
                    rotate(keys.back(), t);
                    numbers const y = times(name + "self_attn.o_proj.weight", _c.hidden, attend(q, keys, values));
                    for (std::size_t j = 0; j < _c.hidden; ++j)
                        x[t][j] += y[j];
                    numbers const b = normed(name + "post_attention_layernorm.weight", x[t]);
                    numbers gate = times(name + "mlp.gate_proj.weight", _c.intermediate, b);
                    numbers const up = times(name + "mlp.up_proj.weight", _c.intermediate, b);
                    for (std::size_t j = 0; j < gate.size(); ++j)
                        gate[j] = gate[j] / (1.0 + std::exp(-gate[j])) * up[j];
                    numbers const z = times(name + "mlp.down_proj.weight", _c.hidden, gate);
                    for (std::size_t j = 0; j < _c.hidden; ++j)
                        x[t][j] += z[j];
                }
            }

            numbers attend(numbers const& q, std::vector<numbers> const& keys, std::vector<numbers> const& values) const
            {
                std::size_t const d = _c.head_dim;
                numbers y(q.size());
                for (std::size_t h = 0; h < _c.heads; ++h)
                {
                    std::size_t const from = h / (_c.heads / _c.kv_heads) * d;
                    double sum = 0.0;
                    for (std::size_t s = 0; s < keys.size(); ++s)
                    {
                        double score = 0.0;
                        for (std::size_t j = 0; j < d; ++j)
                            score += q[h * d + j] * keys[s][from + j];
                        double const p = std::exp(score / std::sqrt(static_cast<double>(d)));
                        sum += p;
                        for (std::size_t j = 0; j < d; ++j)
                            y[h * d + j] += p * values[s][from + j];
                    }
                    for (std::size_t j = 0; j < d; ++j)
                        y[h * d + j] /= sum;
                }
                return y;
            }

            config _c;
            parameter_table _table{_c};
            std::vector<double> const& _w;
        };

        template <class T>
        double batched(config const& c, std::vector<T> const& w, std::vector<token> const& tokens, std::size_t length,
                       workspace<T>& work)
        {
            parameter_view<T const> const v(c, w.data(), w.data() + parameter_table(c).tuned_size());
            forward(
                c, [&](std::size_t i) { return v.layer(i); }, v.ends(), tokens, length, work);
            return negative_log_likelihood(c, v.ends(), std::span<token const>(tokens), length, work);
        }
    }

    TEST_CASE("engine: the batch forward is the definition")
    {
        for (bool const tied : {true, false})
            for (std::size_t const head_dim : {8ul, 10ul})
            {
                config const c = tiny_config(tied, head_dim);
                parameter_table const table(c);
                auto const w = random_weights<double>(table);
                std::vector<float> const single(w.begin(), w.end());
                std::vector<double> const same(single.begin(), single.end()); // what float weights say, in double
                for (std::size_t const length : {2ul, 67ul})
                {
                    auto const tokens = random_tokens(2 * length, c.vocabulary);
                    plain const definition(c, same);
                    auto const all = std::span<token const>(tokens);
                    double const expected = definition.nll(all.first(length)) + definition.nll(all.last(length));
                    workspace<double> exact(c, 2, 70, false), keeping(c, 2, 70, true);
                    workspace<float> work(c, 2, 70, false);
                    CHECK(batched(c, same, tokens, length, exact) == doctest::Approx(expected).epsilon(1e-11));
                    CHECK(batched(c, same, tokens, length, keeping) == batched(c, same, tokens, length, exact));
                    CHECK(batched(c, single, tokens, length, work) == doctest::Approx(expected).epsilon(1e-5));
                }
            }
    }

    TEST_CASE("engine: exp without libm")
    {
        double worst = 0.0;
        for (float x = -87.0f; x < 88.0f; x += 0.00317f)
            worst =
                std::max(worst, std::abs(static_cast<double>(exponential(x)) / std::exp(static_cast<double>(x)) - 1.0));
        CHECK(worst <= 4 * 0x1p-24); // 2 units in the last place
        CHECK(exponential(0.0f) == 1.0f);
        CHECK(exponential(-1e30f) < 1e-37f);
        CHECK(std::isnan(exponential(std::nanf(""))));
    }

    TEST_CASE("engine: log of a sum of exponentials and divergence, without libm")
    {
        std::vector<float> p(1003), q(p.size());
        for (std::size_t i = 0; i < p.size(); ++i)
        {
            p[i] = 9 * std::sin(static_cast<float>(i));
            q[i] = p[i] + 0.3f * std::cos(3 * static_cast<float>(i));
        }
        p[5] = -3000; // its exponential is 0 in double
        auto const log_total = [](std::vector<float> const& x)
        {
            double sum = 0;
            for (float const v : x)
                sum += std::exp(static_cast<double>(v) - 9.0);
            return 9 + std::log(sum);
        };
        double const p_total = log_total(p), q_total = log_total(q);
        double expected = 0;
        for (std::size_t i = 0; i < p.size(); ++i)
        {
            double const log_p = static_cast<double>(p[i]) - p_total;
            expected += std::exp(log_p) * (log_p - (static_cast<double>(q[i]) - q_total));
        }
        // each term to 4 eps, sums of some 60 terms in a row
        CHECK(std::abs(log_of_sum(p.data(), p.size()) - p_total) <= 1e-13);
        CHECK(std::abs(divergence(p.data(), p_total, q.data(), q_total, p.size()) - expected) <= 1e-13);
        for (float const bad : {std::nanf(""), HUGE_VALF})
        {
            p[700] = bad;
            CHECK(!std::isfinite(log_of_sum(p.data(), p.size())));
        }
    }

    TEST_CASE("engine: what does not fit in the workspace is refused")
    {
        config const c = tiny_config(true);
        auto const w = random_weights<float>(parameter_table(c));
        workspace<float> work(c, 2, 33, false);
        CHECK_THROWS_AS(batched(c, w, std::vector<token>(3 * 33), 33, work), jackplane::shape_error);
        CHECK_THROWS_AS(batched(c, w, std::vector<token>(34), 34, work), jackplane::shape_error);
        CHECK_THROWS_AS(batched(c, w, std::vector<token>(34), 33, work), jackplane::shape_error);
        CHECK_THROWS_AS(batched(c, w, std::vector<token>(33, 512), 33, work), jackplane::value_error);
    }
}
