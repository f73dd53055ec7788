// SPDX-License-Identifier: BSD-3-Clause
/* witness BINS MODEL.gguf INPUT CONTEXT: what llama.cpp, as npm's @node-llama-cpp/linux-x64 ships it in BINS, says of
 * INPUT in windows of CONTEXT tokens: {"mean_nll", "tokens", "top1"} as JSON on stdout. INPUT is a text if its name
 * ends in .txt, else tokens as u32, little-endian. Of llama.cpp there are the binaries alone: opened at run time,
 * prototypes and structs written here after the x86-64 code of v0.5.0. Two things that it can do but reads of few
 * architectures' files are asked of it here: YaRN's betas, and a sliding window W on all layers: the tokens go in one
 * by one and all but the last W are forgotten.
 */
#include <dlfcn.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

namespace
{

    /// By value in x86-64's calls, yet in memory: ours may be larger than theirs, which has 80 bytes.
    struct model_params
    {
        std::byte bytes[256];
    };

    struct context_params
    {
        std::uint32_t n_ctx, n_batch, n_ubatch, n_seq_max, n_rs_seq, n_outputs_max, n_outputs_max_per_seq;
        std::int32_t n_threads, n_threads_batch, ctx_type, rope_scaling_type, pooling_type, attention_type,
            flash_attn_type;
        float rope_freq_base, rope_freq_scale, yarn_ext_factor, yarn_attn_factor, yarn_beta_fast, yarn_beta_slow;
        std::uint32_t yarn_orig_ctx;
        float defrag_thold;
        void *cb_eval, *cb_eval_user_data;
        std::int32_t type_k, type_v; // 0 is F32, 1 is F16
        void *abort_callback, *abort_callback_data;
        bool embeddings, offload_kqv, no_perf, op_offload, swa_full, kv_unified;
        void* samplers;
        std::size_t n_samplers;
        void* ctx_other;
        std::byte more[96]; // for fields that a later version may append
    };
    static_assert(offsetof(context_params, type_k) == 0x68 && offsetof(context_params, more) == 0xa0);

    struct token_batch
    {
        std::int32_t n_tokens;
        std::int32_t* token;
        float* embd;
        std::int32_t* pos;
        std::int32_t* n_seq_id;
        std::int32_t** seq_id;
        std::int8_t* logits;
    };

    [[noreturn]] void fail(std::string const& message)
    {
        std::fprintf(stderr, "witness: %s\n", message.c_str());
        std::exit(1);
    }

    void require(bool good, char const* message)
    {
        if (!good)
            fail(message);
    }

    void* open_library(std::string const& path)
    {
        void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_GLOBAL);
        if (library == nullptr)
            fail(dlerror());
        return library;
    }

    template <class F>
    F* function(void* library, char const* name)
    {
        void* found = dlsym(library, name);
        if (found == nullptr)
            fail(std::string("no function ") + name);
        return reinterpret_cast<F*>(found);
    }

    /// Warnings and errors to stderr.
    void log_line(int level, char const* text, void*)
    {
        if (level == 3 || level == 4)
            std::fputs(text, stderr);
    }

    std::vector<std::uint32_t> read_tokens(char const* path)
    {
        std::ifstream in(path, std::ios::binary);
        std::vector<std::uint32_t> tokens;
        for (unsigned char b[4]; in.read(reinterpret_cast<char*>(b), 4);)
            tokens.push_back(std::uint32_t{b[0]} | std::uint32_t{b[1]} << 8 | std::uint32_t{b[2]} << 16 |
                             std::uint32_t{b[3]} << 24);
        return tokens;
    }

    std::vector<std::uint32_t> tokenize(void* llama, void* vocab, char const* path)
    {
        std::ifstream in(path, std::ios::binary);
        const std::string text{std::istreambuf_iterator<char>(in), {}};
        auto const size = static_cast<std::int32_t>(text.size());
        std::vector<std::int32_t> tokens(text.size() + 1);
        auto* split = function<std::int32_t(void*, char const*, std::int32_t, std::int32_t*, std::int32_t, bool, bool)>(
            llama, "llama_tokenize");
        const std::int32_t count = split(vocab, text.data(), size, tokens.data(), size + 1, false, false);
        require(count >= 0, "the text is not tokenized");
        return {tokens.begin(), tokens.begin() + count};
    }

    /// -log p(target) in double from the float logits.
    double nll(float const* logits, std::size_t count, std::uint32_t target)
    {
        double const top = *std::max_element(logits, logits + count);
        double sum = 0;
        for (std::size_t i = 0; i < count; ++i)
            sum += std::exp(logits[i] - top);
        return top + std::log(sum) - logits[target];
    }

    std::string metadata(void* llama, void* model, std::string const& key)
    {
        char value[64];
        auto* read = function<std::int32_t(void*, char const*, char*, std::size_t)>(llama, "llama_model_meta_val_str");
        return read(model, key.c_str(), value, sizeof value) > 0 ? value : "";
    }

    template <class T>
    std::string listed(std::vector<T> const& values)
    {
        std::string out;
        for (const T& value : values)
            out += (out.empty() ? "" : ", ") + std::to_string(value);
        return "[" + out + "]";
    }

} // namespace

int main(int argc, char** argv)
{
    require(argc == 5, "usage: witness BINS MODEL.gguf INPUT CONTEXT");
    const std::string bins = argv[1];
    const std::int32_t context_size = std::atoi(argv[4]);
    require(context_size >= 2, "CONTEXT is less than two");

    open_library(bins + "/libggml-base.so");
    void* ggml = open_library(bins + "/libggml.v0.5.0.so");
    void* llama = open_library(bins + "/libllama.v0.5.0.so");
    function<void(void (*)(int, char const*, void*), void*)>(llama, "llama_log_set")(log_line, nullptr);
    function<void(char const*)>(ggml, "ggml_backend_load_all_from_path")(bins.c_str());
    function<void()>(llama, "llama_backend_init")();

    auto const with = function<model_params()>(llama, "llama_model_default_params")();
    void* model = function<void*(char const*, model_params)>(llama, "llama_model_load_from_file")(argv[2], with);
    require(model != nullptr, "the model does not load");
    void* vocab = function<void*(void*)>(llama, "llama_model_get_vocab")(model);
    auto const pieces = static_cast<std::size_t>(function<std::int32_t(void*)>(llama, "llama_vocab_n_tokens")(vocab));
    auto const tokens =
        std::string_view(argv[3]).ends_with(".txt") ? tokenize(llama, vocab, argv[3]) : read_tokens(argv[3]);
    require(tokens.size() >= 2, "fewer than two tokens");
    require(*std::max_element(tokens.begin(), tokens.end()) < pieces, "a token beyond the vocabulary");

    auto options = function<context_params()>(llama, "llama_context_default_params")();
    require(options.n_ctx == 512 && options.n_ubatch == 512 && options.n_threads == options.n_threads_batch &&
                options.flash_attn_type == -1 && options.yarn_beta_fast == -1 && options.defrag_thold == -1 &&
                options.type_k == 1 && options.type_v == 1 && options.swa_full && !options.embeddings,
            "llama_context_default_params is not that of v0.5.0");
    options.n_ctx = options.n_batch = options.n_ubatch = static_cast<std::uint32_t>(context_size);
    options.n_outputs_max = options.n_outputs_max_per_seq = options.n_ctx;
    const std::string architecture = metadata(llama, model, "general.architecture");
    auto const number = [&](char const* name, float otherwise)
    {
        const std::string value = metadata(llama, model, architecture + name);
        return value.empty() ? otherwise : std::stof(value);
    };
    options.yarn_beta_fast = number(".rope.scaling.yarn_beta_fast", -1);
    options.yarn_beta_slow = number(".rope.scaling.yarn_beta_slow", -1);
    auto const window = static_cast<std::int32_t>(number(".attention.sliding_window", 0));
    const std::int32_t width = architecture.starts_with("gemma") || window >= context_size ? 0 : window;
    options.n_threads = options.n_threads_batch = 1;
    options.flash_attn_type = 0;         // its sums are of F16
    options.type_k = options.type_v = 0; // F32
    void* context = function<void*(void*, context_params)>(llama, "llama_init_from_model")(model, options);
    require(context != nullptr, "no context");
    void* memory = function<void*(void*)>(llama, "llama_get_memory")(context);

    auto* clear = function<void(void*, bool)>(llama, "llama_memory_clear");
    auto* forget = function<bool(void*, std::int32_t, std::int32_t, std::int32_t)>(llama, "llama_memory_seq_rm");
    auto* decode = function<std::int32_t(void*, token_batch)>(llama, "llama_decode");
    auto* logits_of = function<float*(void*, std::int32_t)>(llama, "llama_get_logits_ith");
    auto batch =
        function<token_batch(std::int32_t, std::int32_t, std::int32_t)>(llama, "llama_batch_init")(context_size, 0, 1);

    double sum = 0;
    std::size_t scored = 0;
    std::vector<std::ptrdiff_t> top;
    for (std::size_t at = 0; at < tokens.size(); at += static_cast<std::size_t>(batch.n_tokens))
    {
        auto const position = static_cast<std::int32_t>(at % static_cast<std::size_t>(context_size));
        auto const left =
            static_cast<std::int32_t>(std::min(tokens.size() - at, static_cast<std::size_t>(context_size - position)));
        if (position == 0)
            clear(memory, true);
        if (width > 0 && position >= width)
            require(forget(memory, 0, 0, position - width + 1), "it does not forget");
        batch.n_tokens = width > 0 ? 1 : left;
        for (std::int32_t i = 0; i < batch.n_tokens; ++i)
        {
            batch.token[i] = static_cast<std::int32_t>(tokens[at + static_cast<std::size_t>(i)]);
            batch.pos[i] = position + i;
            batch.n_seq_id[i] = 1;
            batch.seq_id[i][0] = 0;
            batch.logits[i] = 1;
        }
        require(decode(context, batch) == 0, "llama_decode failed");
        for (std::int32_t i = 0; i < batch.n_tokens; ++i)
        {
            float const* logits = logits_of(context, i);
            require(logits != nullptr, "no logits");
            top.push_back(std::max_element(logits, logits + pieces) - logits);
            if (i + 1 == left) // the next is in no window, or the first of one
                continue;
            sum += nll(logits, pieces, tokens[at + static_cast<std::size_t>(i) + 1]);
            ++scored;
        }
    }
    std::printf("{\"mean_nll\": %.9f, \"tokens\": %s, \"top1\": %s}\n", sum / static_cast<double>(scored),
                listed(tokens).c_str(), listed(top).c_str());
    std::fflush(stdout);
    std::_Exit(0); // what the libraries would undo, the system does
}
