// SPDX-License-Identifier: BSD-3-Clause
#pragma once
// A tiny model of each family, by the config.json that a real one has.
#include "tiny.hpp"
#include <string>
#include <utility>
#include <vector>

namespace engine
{
    // name, model_type, and what its config.json says beyond the sizes
    struct tiny_family
    {
        char const *name, *type, *more;
    };
    inline tiny_family const tiny_families[] = {
        {"llama", "llama", R"("tie_word_embeddings":false)"},
        {"llama 3.1", "llama",
         R"("rope_theta":500000.0,"rope_scaling":{"factor":8.0,"low_freq_factor":1.0,"high_freq_factor":4.0,)"
         R"("original_max_position_embeddings":40,"rope_type":"llama3"},"tie_word_embeddings":true)"},
        {"llama, yarn", "llama",
         R"("rope_parameters":{"rope_theta":5000.0,"rope_type":"yarn","factor":4.0,)"
         R"("original_max_position_embeddings":20},"tie_word_embeddings":false)"},
        {"llama, biases", "llama", R"("attention_bias":true,"mlp_bias":true,"tie_word_embeddings":false)"},
        {"mistral", "mistral", R"("sliding_window":9,"rope_theta":1000.0,"tie_word_embeddings":false)"},
        {"qwen2", "qwen2",
         R"("use_sliding_window":false,"sliding_window":9,"max_window_layers":1,"tie_word_embeddings":true)"},
        {"qwen3", "qwen3", R"("head_dim":10,"attention_bias":false,"tie_word_embeddings":false)"},
        {"mixtral", "mixtral",
         R"("num_local_experts":5,"num_experts_per_tok":2,"rope_theta":1000.0,"tie_word_embeddings":false)"},
        {"qwen3_moe", "qwen3_moe",
         R"("moe_intermediate_size":36,"num_experts":6,"num_experts_per_tok":3,"norm_topk_prob":false,)"
         R"("mlp_only_layers":[1],"head_dim":10,"tie_word_embeddings":true)"},
        {"gemma2", "gemma2",
         R"("hidden_activation":"gelu_pytorch_tanh","query_pre_attn_scalar":12,"attn_logit_softcapping":2.0,)"
         R"("final_logit_softcapping":3.0,"sliding_window":9,"head_dim":8)"},
        {"gemma3", "gemma3_text",
         R"("query_pre_attn_scalar":12,"sliding_window":9,"sliding_window_pattern":2,"rope_theta":1000000.0,)"
         R"("rope_local_base_freq":10000.0,"rope_scaling":{"factor":8.0,"rope_type":"linear"},"head_dim":8)"},
        {"phi3", "phi3",
         R"("partial_rotary_factor":0.75,"sliding_window":null,"original_max_position_embeddings":40,)"
         R"("rope_scaling":{"type":"longrope","short_factor":[1.0,1.1,1.3],"long_factor":[1.0,2.0,4.0]},)"
         R"("tie_word_embeddings":false)"},
    };

    inline config tiny_config_of(tiny_family const& f)
    {
        return read_config(settings_file(
            "config.json", text(R"({"vocab_size":512,"hidden_size":64,"intermediate_size":172,"num_hidden_layers":3,)",
                                R"("num_attention_heads":8,"num_key_value_heads":4,"max_position_embeddings":80,)",
                                R"("model_type":")", f.type, "\",", f.more, "}")));
    }
}
