// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <jackplane/core/parallel.hpp>
#include "../run/math/elementwise.hpp"
#include "../run/forward.hpp"
#include "../read/model.hpp"
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace engine
{
    // Tokens cut into consecutive windows without overlap; the last is kept if it has 2 tokens or more. With a start
    // token each window is that token and one token of text fewer.
    class windows
    {
    public:
        windows(std::span<token const> text, std::size_t context, std::optional<token> start = {},
                std::string const& name = "text")
        {
            JACKPLANE_EXPECTS(context >= 2, jackplane::shape_error, name, ": windows of ", context,
                              " tokens score none");
            std::size_t const step = context - (start ? 1 : 0);
            for (std::size_t at = 0; at < text.size(); at += step)
            {
                std::vector<token> window;
                if (start)
                    window.push_back(*start);
                auto const part = text.subspan(at, std::min(step, text.size() - at));
                window.insert(window.end(), part.begin(), part.end());
                if (window.size() < 2)
                    continue;
                _all.push_back(std::move(window));
                _scored.emplace_back(at + (start ? 0 : 1), at + part.size());
            }
            JACKPLANE_EXPECTS(!_all.empty(), jackplane::shape_error, name, ": ", text.size(),
                              " tokens, nothing to score");
        }
        std::size_t size() const noexcept { return _all.size(); }
        std::span<token const> operator[](std::size_t i) const noexcept { return _all[i]; }
        std::size_t longest() const noexcept { return _all.front().size(); }
        std::size_t scored() const noexcept // every token but the first of each window
        {
            std::size_t sum = 0;
            for (auto const& window : _all)
                sum += window.size() - 1;
            return sum;
        }
        // The tokens [first, last) of the text that window i scores.
        std::pair<std::size_t, std::size_t> scored_in(std::size_t i) const noexcept { return _scored[i]; }

    private:
        std::vector<std::vector<token>> _all;
        std::vector<std::pair<std::size_t, std::size_t>> _scored;
    };

    struct score
    {
        std::size_t tokens = 0;                              // scored
        double mean_nll = 0;                                 // nats per token
        double perplexity = 0;                               // exp(mean_nll)
        std::optional<double> perplexity_stderr;             // of two windows or more
        std::optional<double> kl_divergence, top1_agreement; // against a reference: nats per token, share of tokens
        double seconds = 0;
        std::vector<double> window_nll; // sums over the scored tokens of each window
        std::vector<std::size_t> window_tokens;
    };

    // Of the mean per token, from the sums over windows, which are independent where tokens are not. Windows of unequal
    // size make it a ratio of two sums, R = sum y / sum n, so each counts by its tokens:
    //     se^2 = w / (w - 1) sum (y_i - R n_i)^2 / (sum n)^2
    // (Cochran, Sampling Techniques, chapter 6: ratio estimators). One window tells nothing.
    inline std::optional<double> standard_error(std::span<double const> sums, std::span<std::size_t const> tokens)
    {
        double sum = 0, count = 0, squares = 0;
        for (std::size_t i = 0; i < sums.size(); ++i)
        {
            sum += sums[i];
            count += static_cast<double>(tokens[i]);
        }
        for (std::size_t i = 0; i < sums.size(); ++i)
        {
            double const off = sums[i] - sum / count * static_cast<double>(tokens[i]);
            squares += off * off;
        }
        auto const w = static_cast<double>(sums.size());
        return sums.size() > 1 ? std::optional(std::sqrt(w / (w - 1) * squares) / count) : std::nullopt;
    }

    // What a reference model leaves behind, so that it runs once: its last hidden states, window after window.
    struct reference
    {
        model const* dense;
        std::vector<std::vector<float>> hidden; // per window [tokens, hidden]
    };

    namespace detail
    {
        // Runs body(window, source) on all cores, in any order; every thread makes a source of its own.
        template <class Make, class Body>
        void for_each_window(windows const& text, jackplane::threads parallel, Make const& make, Body const& body)
        {
            parallel(text.size(),
                     [&](std::size_t first, std::size_t last)
                     {
                         auto source = make();
                         for (std::size_t i = first; i < last; ++i)
                             body(i, source);
                     });
        }

        // The batch forward of a dense model.
        class dense_source
        {
        public:
            static constexpr std::size_t most_rows = workspace<float>::logit_rows;

            dense_source(model const& m, windows const& text) : _m(&m), _work(m.sizes, 1, text.longest(), false) {}

            // The last hidden states of a window [tokens, hidden].
            std::span<float const> hidden(std::span<token const> window)
            {
                auto const view = _m->view();
                forward(
                    _m->sizes, [&](std::size_t layer) { return view.layer(layer); }, view.ends(), window, window.size(),
                    _work);
                return std::span<float const>(_work.hidden).first(window.size() * _m->sizes.hidden);
            }
            void start(std::span<token const> window) { hidden(window); }

            // Logits behind the tokens [first, first + rows) of the window, rows <= most_rows; asked for in order.
            std::span<float const> logits(std::span<token const>, std::size_t first, std::size_t rows)
            {
                logits_of(*_m, _work.hidden, first, rows, _work.logits);
                return _work.logits;
            }

            static void logits_of(model const& m, std::span<float const> hidden, std::size_t first, std::size_t rows,
                                  std::vector<float>& logits)
            {
                config const& c = m.sizes;
                logits.resize(std::max(logits.size(), rows * c.vocabulary));
                engine::logits_of(c, hidden.data() + first * c.hidden, m.view().ends().output, logits.data(), rows);
            }

        private:
            model const* _m;
            workspace<float> _work;
        };

        // log p of every token from logits, in double; returns log of the sum of exponentials
        inline double log_total(std::span<float const> logits) { return log_of_sum(logits.data(), logits.size()); }
        inline std::size_t best(std::span<float const> logits)
        {
            auto const found = std::find(logits.begin(), logits.end(), maximum(logits.data(), logits.size()));
            return static_cast<std::size_t>(found - logits.begin());
        }
    }

    inline reference make_reference(model const& m, windows const& text, jackplane::threads parallel = {})
    {
        reference r{&m, std::vector<std::vector<float>>(text.size())};
        detail::for_each_window(
            text, parallel, [&] { return detail::dense_source(m, text); },
            [&](std::size_t i, detail::dense_source& source)
            {
                auto const hidden = source.hidden(text[i]);
                r.hidden[i].assign(hidden.begin(), hidden.end());
            });
        return r;
    }

    reference make_reference(model&&, windows const&, jackplane::threads = {}) = delete; // it would outlive the model

    // Scores every token of every window but its first by the logits of what make() makes, as a detail::dense_source.
    // Sums are in double, window by window: the same result for any number of threads.
    template <class Make>
    score evaluate_by(Make const& make, std::size_t vocabulary, windows const& text, reference const* against,
                      jackplane::threads parallel)
    {
        JACKPLANE_EXPECTS(!against || against->dense->sizes.vocabulary == vocabulary, jackplane::shape_error,
                          "the reference has a vocabulary of ", against ? against->dense->sizes.vocabulary : 0,
                          ", the model of ", vocabulary);
        struct sums
        {
            double nll = 0, divergence = 0;
            std::size_t agreed = 0;
        };
        std::vector<sums> per_window(text.size());
        auto const begin = std::chrono::steady_clock::now();
        detail::for_each_window(
            text, parallel, make,
            [&](std::size_t i, auto& source)
            {
                auto const window = text[i];
                std::size_t const n = window.size() - 1; // the last token predicts nothing
                std::vector<float> expected;
                source.start(window);
                for (std::size_t first = 0, rows; first < n; first += rows)
                {
                    rows = std::min(source.most_rows, n - first);
                    auto const logits = source.logits(window, first, rows);
                    if (against)
                        detail::dense_source::logits_of(*against->dense, against->hidden[i], first, rows, expected);
                    for (std::size_t t = 0; t < rows; ++t)
                    {
                        auto const q = logits.subspan(t * vocabulary, vocabulary);
                        double const total = detail::log_total(q);
                        JACKPLANE_EXPECTS(std::isfinite(total), jackplane::value_error, "window ", i, ", token ",
                                          first + t, ": logits are not finite");
                        per_window[i].nll += total - static_cast<double>(q[window[first + t + 1]]);
                        if (!against)
                            continue;
                        std::span<float const> const p(expected.data() + t * vocabulary, vocabulary);
                        double const p_total = detail::log_total(p);
                        per_window[i].divergence += divergence(p.data(), p_total, q.data(), total, vocabulary);
                        per_window[i].agreed += detail::best(p) == detail::best(q);
                    }
                }
            });
        score s;
        s.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
        s.tokens = text.scored();
        sums all;
        for (std::size_t i = 0; i < text.size(); ++i)
        {
            s.window_nll.push_back(per_window[i].nll);
            all.nll += per_window[i].nll;
            all.divergence += per_window[i].divergence;
            all.agreed += per_window[i].agreed;
            s.window_tokens.push_back(text[i].size() - 1);
        }
        auto const n = static_cast<double>(s.tokens);
        s.mean_nll = all.nll / n;
        s.perplexity = std::exp(s.mean_nll);
        if (auto const off = standard_error(s.window_nll, s.window_tokens))
            s.perplexity_stderr = s.perplexity * *off; // d exp(x) = exp(x) dx
        if (against)
        {
            s.kl_divergence = all.divergence / n;
            s.top1_agreement = static_cast<double>(all.agreed) / n;
        }
        return s;
    }

    inline score evaluate(model const& m, windows const& text, reference const* against = nullptr,
                          jackplane::threads parallel = {})
    {
        return evaluate_by([&] { return detail::dense_source(m, text); }, m.sizes.vocabulary, text, against, parallel);
    }
}
