// SPDX-License-Identifier: BSD-3-Clause
// quantizer BINS MODEL.gguf OUT.gguf TYPE [IMATRIX.gguf]: llama.cpp's own quantizer. Every matrix of a layer becomes
// TYPE (q4_k, iq2_xs ...), or what llama.cpp takes in its place where rows are no multiple of the block; embedding and
// head become F16, so that files of one type differ in their layers alone. IMATRIX has, for a matrix NAME,
// NAME.in_sum2 (sum over tokens of the square of each input) and NAME.counts (tokens). {"importances": how many
// matrices have one} as JSON on stdout.
#include <array>
#include <map>

#include "library.hpp"

namespace
{
    struct importance
    {
        char const* name;
        float const* data;
        std::size_t size;
    };

    /// In memory when passed to the quantizer, so a later version may append fields.
    struct quantize_params
    {
        std::int32_t nthread, ftype, output_tensor_type, token_embedding_type;
        bool allow_requantize, quantize_output_tensor, only_copy, pure, keep_split, dry_run;
        importance const* imatrix; // ends with a name of null
        void const *kv_overrides, *tt_overrides, *prune_layers;
        std::size_t max_buf_size;
        std::byte more[64];
    };
    static_assert(offsetof(quantize_params, imatrix) == 0x18 && offsetof(quantize_params, max_buf_size) == 0x38);

    struct open_params
    {
        bool no_alloc;
        void** tensors;
    };

    constexpr std::int32_t f16 = 1, none = 43; // ggml's types; 43 is their number

    struct named
    {
        std::string_view name;
        std::int32_t file_type; // whose first choice for a matrix is the type of that name
    };
    constexpr std::array types{
        named{"q4_0", 2},     named{"q4_1", 3},    named{"q8_0", 7},     named{"q5_0", 8},   named{"q5_1", 9},
        named{"q2_k", 10},    named{"q3_k", 12},   named{"q4_k", 15},    named{"q5_k", 17},  named{"q6_k", 18},
        named{"iq2_xxs", 19}, named{"iq2_xs", 20}, named{"iq3_xxs", 23}, named{"iq1_s", 24}, named{"iq4_nl", 25},
        named{"iq3_s", 26},   named{"iq2_s", 29},  named{"iq4_xs", 30},  named{"iq1_m", 31}, named{"tq1_0", 36},
        named{"tq2_0", 37},
    };

    quantize_params defaults()
    {
        auto const out = llama::function<quantize_params()>("llama_model_quantize_default_params")();
        llama::require(out.nthread == 0 && out.output_tensor_type == none && out.token_embedding_type == none &&
                           !out.allow_requantize && out.quantize_output_tensor && !out.only_copy && !out.pure &&
                           !out.keep_split && !out.dry_run && out.imatrix == nullptr && out.kv_overrides == nullptr &&
                           out.tt_overrides == nullptr && out.prune_layers == nullptr &&
                           out.max_buf_size == std::size_t{8} << 30,
                       "llama_model_quantize_default_params is not that of v0.5.0");
        return out;
    }

    /// The mean square of each input, by the name of the matrix. ggml itself reads the file.
    std::map<std::string, std::vector<float>> read_importance(std::string const& path)
    {
        void* tensors = nullptr;
        auto* const open = llama::function<void*(char const*, open_params)>("gguf_init_from_file");
        void* const file = open(path.c_str(), {false, &tensors});
        llama::require(file != nullptr, path + " is no GGUF file");
        auto* const find = llama::function<void*(void*, char const*)>("ggml_get_tensor");
        auto* const name_of = llama::function<char const*(void*, std::int64_t)>("gguf_get_tensor_name");
        auto const values = [&](std::string const& name)
        {
            void* const tensor = find(tensors, name.c_str());
            llama::require(tensor != nullptr, path + " has no " + name);
            auto const size = llama::function<std::int64_t(void*)>("ggml_nelements")(tensor);
            return std::span(llama::function<float*(void*)>("ggml_get_data_f32")(tensor),
                             static_cast<std::size_t>(size));
        };
        std::map<std::string, std::vector<float>> out;
        auto const count = llama::function<std::int64_t(void*)>("gguf_get_n_tensors")(file);
        for (std::int64_t i = 0; i < count; ++i)
        {
            std::string const name = name_of(file, i), end = ".in_sum2";
            if (!name.ends_with(end))
                continue;
            auto const matrix = name.substr(0, name.size() - end.size());
            auto const counts = values(matrix + ".counts");
            llama::require(counts.size() == 1 && counts[0] > 0, path + ": counts of " + matrix);
            for (float const sum : values(name))
                out[matrix].push_back(sum / counts[0]);
        }
        llama::require(!out.empty(), path + " has no NAME.in_sum2");
        return out;
    }
}

static void work(int argc, char** argv)
{
    llama::require(argc == 5 || argc == 6, "usage: quantizer BINS MODEL.gguf OUT.gguf TYPE [IMATRIX.gguf]");
    auto const* const type = std::find_if(types.begin(), types.end(), [&](named t) { return t.name == argv[4]; });
    llama::require(type != types.end(), std::string("no type ") + argv[4]);
    llama::open(argv[1]);
    auto params = defaults();
    params.nthread = 1;
    params.ftype = type->file_type;
    params.pure = true;
    params.output_tensor_type = params.token_embedding_type = f16;
    std::map<std::string, std::vector<float>> means;
    std::vector<importance> entries;
    if (argc == 6)
    {
        means = read_importance(argv[5]);
        for (auto const& [name, values] : means)
            entries.push_back({name.c_str(), values.data(), values.size()});
        entries.push_back({});
        params.imatrix = entries.data();
    }
    auto* const quantize =
        llama::function<std::uint32_t(char const*, char const*, quantize_params const*)>("llama_model_quantize");
    llama::require(quantize(argv[2], argv[3], &params) == 0, std::string(argv[2]) + " is not quantized");
    std::printf("{\"importances\": %zu}\n", means.size());
}

int main(int argc, char** argv)
{
    return llama::run([=] { work(argc, argv); });
}
