// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "../../engine/write/gguf/random_model.hpp"
#include "library.hpp"
#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <system_error>
#include <vector>

namespace cli
{
    // A folder that goes when this does.
    class temporary_folder
    {
    public:
        temporary_folder()
        {
            std::string name = (std::filesystem::temp_directory_path() / "jackplane-XXXXXX").string();
            if (::mkdtemp(name.data()) == nullptr)
                throw std::system_error(errno, std::generic_category(), name);
            path = name;
        }
        temporary_folder(temporary_folder const&) = delete;
        ~temporary_folder()
        {
            std::error_code ignored;
            std::filesystem::remove_all(path, ignored);
        }

        std::filesystem::path path{};
    };

    // A random model of one type of blocks, as llama.cpp runs it with its own defaults: attention as it chooses, which
    // is flash attention where keys and values are neither F32 nor F16. llama::open() comes before. Its file is gone
    // from the folder as soon as it is mapped.
    class llama_model
    {
    public:
        llama_model(engine::config const& sizes, jackplane::gguf::type_facts const& type,
                    jackplane::gguf::type_facts const& head, std::size_t room, unsigned threads,
                    llama::cache_type kept = llama::cache_type::f16)
            : _pieces(sizes.vocabulary), _model(written(sizes, type, head)), _batch(llama::make_batch(room))
        {
            auto options = llama::default_options();
            options.n_seq_max = parts + 1; // for pretend; llama.cpp takes no fewer tokens at once than sequences
            options.n_ctx = options.n_batch = std::max(static_cast<std::uint32_t>(room), options.n_seq_max);
            options.kv_unified = true; // one cache for all sequences, as for one alone
            options.n_threads = options.n_threads_batch = static_cast<std::int32_t>(threads);
            options.type_k = options.type_v = static_cast<std::int32_t>(kept);
            _context.reset(llama::open_context(_model.get(), options));
        }
        llama_model(llama_model const&) = delete;
        ~llama_model() { llama::function<void(llama::token_batch)>("llama_batch_free")(_batch); }

        void restart()
        {
            llama::function<void(void*, bool)>("llama_memory_clear")(memory(), true);
            _position = 0;
        }

        // A text of so many tokens stands in the cache: any, for what follows to be measured. It is read as sequences
        // of 64 tokens that do not see each other, and then are one: to attend to all of 4,096 in Q4_0 takes minutes.
        void pretend(std::size_t tokens)
        {
            restart();
            auto* const join = llama::function<void(void*, std::int32_t, std::int32_t, std::int32_t, std::int32_t)>(
                "llama_memory_seq_cp");
            auto* const forget =
                llama::function<bool(void*, std::int32_t, std::int32_t, std::int32_t)>("llama_memory_seq_rm");
            constexpr std::int32_t each = 64, batch = each * parts;
            for (auto const end = static_cast<std::int32_t>(tokens); _position < end; _position += _batch.n_tokens)
            {
                _batch.n_tokens = std::min(batch, end - _position);
                for (std::int32_t i = 0; i < _batch.n_tokens; ++i)
                    llama::put(_batch, i, 1, _position + i, i + 1 == _batch.n_tokens, 1 + i / each);
                llama::require(_decode(_context.get(), _batch) == 0, "llama_decode failed");
                for (std::int32_t part = 1; part <= parts; ++part)
                {
                    join(memory(), part, 0, -1, -1);
                    llama::require(forget(memory(), part, -1, -1), "llama.cpp does not forget a sequence");
                }
            }
        }

        // Takes the next tokens of the text, returns the logits behind the last.
        std::span<float const> operator()(std::span<engine::token const> tokens)
        {
            _batch.n_tokens = static_cast<std::int32_t>(tokens.size());
            for (std::int32_t i = 0; i < _batch.n_tokens; ++i)
                llama::put(_batch, i, static_cast<std::int32_t>(tokens[static_cast<std::size_t>(i)]), _position + i,
                           i + 1 == _batch.n_tokens);
            llama::require(_decode(_context.get(), _batch) == 0, "llama_decode failed");
            _position += _batch.n_tokens;
            float const* const logits = _logits_of(_context.get(), -1);
            llama::require(logits != nullptr, "llama.cpp gives no logits");
            return {logits, _pieces};
        }

    private:
        struct closed_by // a function of the library
        {
            char const* name;
            void operator()(void* what) const { llama::function<void(void*)>(name)(what); }
        };
        using handle = std::unique_ptr<void, closed_by>;
        static constexpr std::int32_t parts = 8; // sequences that are read at once by pretend

        void* memory() const { return llama::function<void*(void*)>("llama_get_memory")(_context.get()); }

        static handle written(engine::config const& sizes, jackplane::gguf::type_facts const& type,
                              jackplane::gguf::type_facts const& head)
        {
            temporary_folder const folder;
            auto const file = folder.path / "model.gguf";
            engine::save_random_gguf(sizes, type, head, file);
            return {llama::open_model(file.string()), {"llama_model_free"}};
        }

        std::size_t _pieces;
        handle _model, _context{nullptr, {"llama_free"}};
        llama::token_batch _batch;
        std::int32_t _position = 0;
        std::int32_t (*_decode)(void*, llama::token_batch) =
            llama::function<std::int32_t(void*, llama::token_batch)>("llama_decode");
        float* (*_logits_of)(void*,
                             std::int32_t) = llama::function<float*(void*, std::int32_t)>("llama_get_logits_ith");
    };
}
