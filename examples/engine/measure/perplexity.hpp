// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "../run/decode.hpp"
#include "evaluate.hpp"
#include "../pack/nested_model.hpp"
#include "../tokenize/tokenizer.hpp"
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace engine
{
    // A text to score: windows of tokens, and the bytes of text that the scored tokens stand for (if known).
    struct scored_text
    {
        windows cut;
        std::optional<std::size_t> bytes;

        // ends: where each token ends in the text (tokenizer::encode, or spelled_ends where there is no text).
        static scored_text of(std::span<token const> tokens, std::size_t context, std::optional<token> start,
                              std::optional<std::span<std::size_t const>> ends, std::string const& name = "text")
        {
            scored_text t{windows(tokens, context, start, name), {}};
            if (!ends)
                return t;
            t.bytes = 0;
            for (std::size_t i = 0; i < t.cut.size(); ++i)
            {
                auto const [first, last] = t.cut.scored_in(i);
                *t.bytes += (*ends)[last - 1] - (first == 0 ? 0 : (*ends)[first - 1]);
            }
            return t;
        }
    };

    // One line of the table. bits 0: full precision, or what the note names (a mix, a type of blocks). What was not or
    // cannot be measured is empty.
    struct row
    {
        unsigned bits = 0;
        std::string note; // "own" for a matrix quantized to these bits alone
        std::optional<score> result;
        std::optional<double> bits_per_byte, effective_bits;
        std::optional<std::size_t> bytes_per_token;
        std::optional<unsigned> head_bits{}; // of a quantized file's output head; 0: dense
    };

    inline row make_row(unsigned bits, score const& s, scored_text const& text)
    {
        row r{bits, {}, s, {}, {}, {}, {}};
        if (text.bytes && *text.bytes > 0)
            r.bits_per_byte =
                s.mean_nll / std::log(2.0) * static_cast<double>(s.tokens) / static_cast<double>(*text.bytes);
        return r;
    }

    inline row full_precision_row(model const& m, scored_text const& text, reference const* against)
    {
        row r = make_row(0, evaluate(m, text.cut, against), text);
        std::size_t const unread = m.sizes.tied ? 0 : (m.sizes.vocabulary - 1) * m.sizes.hidden;
        r.effective_bits = 32;
        r.bytes_per_token = (m.w.size() - unread) * sizeof(float);
        return r;
    }

    namespace detail
    {
        // Decoding on packed weights, each window a text of its own (evaluate_by).
        class packed_source
        {
        public:
            static constexpr std::size_t most_rows = decoder::together;

            packed_source(packed_model const& m, std::vector<unsigned> bits, activation const& how, unsigned kv_bits,
                          windows const& text)
                : _decode(m, std::move(bits), text.longest(), how, jackplane::team(1), kv_bits)
            {
            }
            void start(std::span<token const>) { _decode.restart(); }
            std::span<float const> logits(std::span<token const> window, std::size_t first, std::size_t rows)
            {
                return _decode.each(window.subspan(first, rows));
            }

        private:
            decoder _decode;
        };
    }

    // How decoding runs a model: how linear layers read x, and how keys and values are kept (kv_cache).
    struct decoding_way
    {
        activation how{};
        unsigned kv_bits = 32;
    };

    // As decoding runs it, on packed weights. bits: one for each matrix.
    inline score evaluate(packed_model const& m, std::vector<unsigned> const& bits, decoding_way const& way,
                          windows const& text, reference const* against = nullptr, jackplane::threads parallel = {})
    {
        return evaluate_by([&] { return detail::packed_source(m, bits, way.how, way.kv_bits, text); },
                           m.sizes.vocabulary, text, against, parallel);
    }

    // bits: one for each matrix of the model. width: what the row is called. way: scored as decoding runs it, without
    // one on weights that are decoded to fp32.
    inline row quantized_row(packed_model const& m, std::span<unsigned const> bits, unsigned width,
                             scored_text const& text, reference const* against, decoding_way const* way = nullptr)
    {
        auto const found = [&]
        {
            if (way == nullptr)
                return evaluate(m.decode(bits), text.cut, against);
            auto const [sliced, read] = m.sliced({bits.begin(), bits.end()});
            return evaluate(sliced, read, *way, text.cut, against);
        };
        row r = make_row(width, found(), text);
        auto const cost = m.cost_at(bits);
        r.effective_bits = cost.effective_bits;
        r.bytes_per_token = cost.bytes_per_token;
        r.head_bits = m.head_is_packed() ? bits[m.head()] : 0;
        return r;
    }
    inline row quantized_row(packed_model const& m, unsigned bits, scored_text const& text, reference const* against,
                             decoding_way const* way = nullptr)
    {
        return quantized_row(m, m.mix(bits), bits, text, against, way);
    }

    namespace detail
    {
        inline std::string cell(std::optional<double> x, char const* format)
        {
            char out[32] = "-";
            if (x)
                std::snprintf(out, sizeof out, format, *x);
            return out;
        }
    }

    inline std::string table_head()
    {
        return " bits |       perplexity | bits/byte |  KL nats | top-1 % | bits/weight | MB/token | tokens/s\n"
               "------|------------------|-----------|----------|---------|-------------|----------|---------";
    }
    inline std::string label_of(row const& r, bool with_head)
    {
        std::string const of_layers = r.bits != 0 ? std::to_string(r.bits) + r.note : r.note.empty() ? "fp32" : r.note;
        if (!with_head || !r.head_bits)
            return of_layers;
        return (r.note == "head" ? "fp" : of_layers) + (*r.head_bits == 0 ? "/fp" : text("/", *r.head_bits));
    }
    // with_head: rows are called by the widths of their layers and of their head, as 4/8.
    inline std::string table_line(row const& r, bool with_head = false)
    {
        using detail::cell;
        auto const of = [&](auto member)
        { return r.result ? std::optional<double>((*r.result).*member) : std::nullopt; };
        std::optional<double> agreement, divergence, speed, megabytes;
        if (r.result)
        {
            divergence = r.result->kl_divergence;
            if (r.result->top1_agreement)
                agreement = 100 * *r.result->top1_agreement;
            speed = static_cast<double>(r.result->tokens) / r.result->seconds;
        }
        if (r.bytes_per_token)
            megabytes = static_cast<double>(*r.bytes_per_token) / 1e6;
        std::string const label = label_of(r, with_head);
        int const beside = 14 - std::max(5, static_cast<int>(label.size())); // of a longer one the next cell gives way
        char line[160];
        std::snprintf(line, sizeof line, "%5s |%*s +- %4s | %9s | %8s | %7s | %11s | %8s | %8s", label.c_str(), beside,
                      cell(of(&score::perplexity), "%.3f").c_str(),
                      cell(of(&score::perplexity_stderr), "%.2f").c_str(),
                      cell(r.bits_per_byte, "%.4f").c_str(), cell(divergence, "%.5f").c_str(),
                      cell(agreement, "%.2f").c_str(), cell(r.effective_bits, "%.3f").c_str(),
                      cell(megabytes, "%.2f").c_str(), cell(speed, "%.0f").c_str());
        return line;
    }
}
