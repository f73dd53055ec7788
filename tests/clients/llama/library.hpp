// SPDX-License-Identifier: BSD-3-Clause
// What the programs here share: a model that llama.cpp runs, and what it says of windows of tokens.
#pragma once
#include <cli/llama/library.hpp>
#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <iterator>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace llama
{
    /// The body of a program: what it throws is its last line.
    template <class Body>
    int run(Body const& body)
    try
    {
        body();
        std::fflush(stdout);
        std::_Exit(0); // what the libraries would undo at the end of a program, the system does
    }
    catch (std::exception const& error)
    {
        std::fprintf(stderr, "%s: %s\n", program_invocation_short_name, error.what());
        return 1;
    }

    /// A model, read from a GGUF file, and what it says of windows of tokens. Two things that llama.cpp can do but
    /// reads of few architectures' files are asked of it here: YaRN's betas, and a sliding window W on all layers: the
    /// tokens go in one by one and all but the last W are forgotten.
    class reader
    {
    public:
        reader(std::string const& path, std::int32_t context_size)
        {
            require(context_size >= 2, "windows of " + std::to_string(context_size) + " tokens score none");
            _model = open_model(path);
            _vocab = function<void*(void*)>("llama_model_get_vocab")(_model);
            _pieces = static_cast<std::size_t>(function<std::int32_t(void*)>("llama_vocab_n_tokens")(_vocab));
            _context = open_context(_model, options_of(context_size));
            _memory = function<void*(void*)>("llama_get_memory")(_context);
            _batch = make_batch(static_cast<std::size_t>(context_size));
        }

        std::size_t pieces() const { return _pieces; }

        /// Of a text if its name ends in .txt, else of a file of u32, little-endian.
        std::vector<std::uint32_t> tokens_of(std::string const& path) const
        {
            std::ifstream in(path, std::ios::binary);
            auto const tokens = path.ends_with(".txt") ? tokenize({std::istreambuf_iterator<char>(in), {}}) : read(in);
            require(tokens.size() >= 2, path + ": fewer than two tokens");
            require(*std::max_element(tokens.begin(), tokens.end()) < _pieces, "a token beyond the vocabulary");
            return tokens;
        }

        /// each(i, logits behind token i) for all tokens of the window; the logits stay until each returns.
        template <class Each>
        void operator()(std::span<std::uint32_t const> window, Each each)
        {
            auto const size = static_cast<std::int32_t>(window.size());
            _clear(_memory, true);
            for (std::int32_t at = 0; at < size; at += _batch.n_tokens)
            {
                if (_width > 0 && at >= _width)
                    require(_forget(_memory, 0, 0, at - _width + 1), "it does not forget");
                _batch.n_tokens = _width > 0 ? 1 : size;
                for (std::int32_t i = 0; i < _batch.n_tokens; ++i)
                    put(_batch, i, static_cast<std::int32_t>(window[static_cast<std::size_t>(at + i)]), at + i, true);
                require(_decode(_context, _batch) == 0, "llama_decode failed");
                for (std::int32_t i = 0; i < _batch.n_tokens; ++i)
                {
                    float const* const logits = _logits_of(_context, i);
                    require(logits != nullptr, "no logits");
                    each(static_cast<std::size_t>(at + i), std::span(logits, _pieces));
                }
            }
        }

    private:
        std::string metadata(std::string const& key) const
        {
            char value[64];
            auto* const read =
                function<std::int32_t(void*, char const*, char*, std::size_t)>("llama_model_meta_val_str");
            return read(_model, key.c_str(), value, sizeof value) > 0 ? value : "";
        }

        /// Sets _width, too.
        context_params options_of(std::int32_t context_size)
        {
            auto options = default_options();
            options.n_ctx = options.n_batch = options.n_ubatch = static_cast<std::uint32_t>(context_size);
            options.n_outputs_max = options.n_outputs_max_per_seq = options.n_ctx;
            auto const architecture = metadata("general.architecture");
            auto const number = [&](char const* name, float otherwise)
            {
                auto const value = metadata(architecture + name);
                return value.empty() ? otherwise : std::stof(value);
            };
            options.yarn_beta_fast = number(".rope.scaling.yarn_beta_fast", -1);
            options.yarn_beta_slow = number(".rope.scaling.yarn_beta_slow", -1);
            auto const window = static_cast<std::int32_t>(number(".attention.sliding_window", 0));
            _width = architecture.starts_with("gemma") || window >= context_size ? 0 : window;
            options.n_threads = options.n_threads_batch = 1;
            options.flash_attn_type = 0;         // its sums are of F16
            options.type_k = options.type_v = 0; // F32
            return options;
        }

        static std::vector<std::uint32_t> read(std::istream& in)
        {
            std::vector<std::uint32_t> tokens;
            for (unsigned char b[4]; in.read(reinterpret_cast<char*>(b), 4);)
                tokens.push_back(std::uint32_t{b[0]} | std::uint32_t{b[1]} << 8 | std::uint32_t{b[2]} << 16 |
                                 std::uint32_t{b[3]} << 24);
            return tokens;
        }

        std::vector<std::uint32_t> tokenize(std::string const& text) const
        {
            auto const size = static_cast<std::int32_t>(text.size());
            std::vector<std::int32_t> tokens(text.size() + 1);
            auto* const split =
                function<std::int32_t(void*, char const*, std::int32_t, std::int32_t*, std::int32_t, bool, bool)>(
                    "llama_tokenize");
            auto const count = split(_vocab, text.data(), size, tokens.data(), size + 1, false, false);
            require(count >= 0, "the text is not tokenized");
            return {tokens.begin(), tokens.begin() + count};
        }

        void *_model = nullptr, *_vocab = nullptr, *_context = nullptr, *_memory = nullptr;
        std::size_t _pieces = 0;
        std::int32_t _width = 0; // of the sliding window, where the tokens go in one by one
        token_batch _batch{};
        void (*_clear)(void*, bool) = function<void(void*, bool)>("llama_memory_clear");
        bool (*_forget)(void*, std::int32_t, std::int32_t, std::int32_t) =
            function<bool(void*, std::int32_t, std::int32_t, std::int32_t)>("llama_memory_seq_rm");
        std::int32_t (*_decode)(void*, token_batch) = function<std::int32_t(void*, token_batch)>("llama_decode");
        float* (*_logits_of)(void*, std::int32_t) = function<float*(void*, std::int32_t)>("llama_get_logits_ith");
    };

    /// each(window) for the windows of the tokens, without overlap; the last one may be shorter.
    template <class Each>
    void for_each_window(std::span<std::uint32_t const> tokens, std::size_t size, Each each)
    {
        for (std::size_t at = 0; at < tokens.size(); at += size)
            each(tokens.subspan(at, std::min(size, tokens.size() - at)));
    }

    inline std::size_t likeliest(std::span<float const> logits)
    {
        return static_cast<std::size_t>(std::max_element(logits.begin(), logits.end()) - logits.begin());
    }

    /// log of the sum of exp(logits), in double.
    inline double log_sum(std::span<float const> logits)
    {
        double const top = *std::max_element(logits.begin(), logits.end());
        double sum = 0;
        for (float const logit : logits)
            sum += std::exp(logit - top);
        return top + std::log(sum);
    }

    template <class T>
    std::string listed(std::vector<T> const& values)
    {
        std::string out;
        for (T const& value : values)
            out += (out.empty() ? "" : ", ") + std::to_string(value);
        return "[" + out + "]";
    }
}
