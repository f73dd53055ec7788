// SPDX-License-Identifier: BSD-3-Clause
#include "config_keys.hpp"
#include <algorithm>
#include <cmath>
#include <iterator>
#include <string_view>

namespace engine
{
    namespace
    {
        // A value that leaves a plain Llama what it is; null and absence always do.
        struct neutral
        {
            std::string_view words;
            bool (*holds)(nlohmann::json const& value, key_context const& c);
        };
        // A key of config.json whose other values make another function: an error until the engine computes it.
        struct telling_key
        {
            std::string_view name;
            neutral const& harmless;
            std::string_view meaning; // of another value
        };

        namespace values
        {
            using json = nlohmann::json;
            using context = key_context const&;
            constexpr neutral null{"null", [](json const&, context) { return false; }};
            constexpr neutral softmax{"\"softmax\"", [](json const& v, context) { return v == "softmax"; }};
            constexpr neutral greedy{"\"greedy\"", [](json const& v, context) { return v == "greedy"; }};
            constexpr neutral off{"false", [](json const& v, context) { return v == false; }};
            constexpr neutral on{"true", [](json const& v, context) { return v == true; }};
            constexpr neutral zero{"0", [](json const& v, context) { return v == 0; }};
            constexpr neutral one{"1", [](json const& v, context) { return v == 1; }};
            constexpr neutral none{"empty", [](json const& v, context) { return v.empty() && !v.is_primitive(); }};
            constexpr neutral silu{"\"silu\"", [](json const& v, context) { return v == "silu" || v == "swish"; }};
            constexpr neutral plain{"\"default\"", [](json const& v, context) { return v == "default"; }};
            constexpr neutral rotary{"\"rope\"", [](json const& v, context) { return v == "rope" || v == "rotary"; }};
            constexpr neutral rms{"\"rms_norm\"", [](json const& v, context)
                                  { return v == "rms_norm" || v == "rmsnorm" || v == "RMSNorm"; }};
            constexpr neutral head_dim{"head_dim", [](json const& v, context c) { return v == c.head_dim; }};
            constexpr neutral hidden{"hidden_size", [](json const& v, context c) { return v == c.hidden; }};
            constexpr neutral theta{"rope_theta", [](json const& v, context c) { return v == c.theta; }};
            constexpr neutral eps{"rms_norm_eps", [](json const& v, context c) { return v == c.eps; }};
            constexpr neutral root{
                "1 / sqrt(head_dim)", [](json const& v, context c)
                {
                    double const own = 1 / std::sqrt(static_cast<double>(c.head_dim)); // written with 6 digits or more
                    return v.is_number() && std::abs(v.get<double>() - own) <= 5e-6 * own;
                }};
            constexpr neutral wide{"null or all of max_position_embeddings", [](json const& v, context c) {
                                       return c.tree.value("use_sliding_window", json()) == false ||
                                              (v.is_number() && v >= c.positions);
                                   }};
            constexpr neutral no_window{"0 beside a window", [](json const& v, context c)
                                        {
                                            return v == 0 || c.tree.value("sliding_window", json()).is_null() ||
                                                   c.tree.value("use_sliding_window", json()) == false;
                                        }};
            constexpr neutral long_chunk{"null or all of max_position_embeddings",
                                         [](json const& v, context c) { return v.is_number() && v >= c.positions; }};
            constexpr neutral full{
                "full_attention everywhere", [](json const& v, context c)
                {
                    json const window = c.tree.value("sliding_window", json()); // looked at by itself, too
                    return v.is_array() && std::all_of(v.begin(), v.end(),
                                                       [&](json const& type) {
                                                           return type == "full_attention" ||
                                                                  (type == "sliding_attention" && window.is_number());
                                                       });
                }};
            constexpr neutral ones{"1 everywhere", [](json const& v, context) {
                                       return v.is_array() &&
                                              std::all_of(v.begin(), v.end(), [](json const& x) { return x == 1; });
                                   }};
            constexpr neutral own_class{"the class of its model_type", [](json const& v, context c)
                                        {
                                            auto const own = [&](json const& name) {
                                                return name == c.class_name || (name == "LLaMAForCausalLM" &&
                                                                                c.class_name == "LlamaForCausalLM");
                                            };
                                            return v.is_array() && std::all_of(v.begin(), v.end(), own);
                                        }};
        }

        // One line a key. Sources: the configurations of Hugging Face's transformers, by family.
        constexpr telling_key telling_keys[] = {
            // another model
            {"architectures", values::own_class, "another model"},
            {"quantization_config", values::null, "weights quantized already (take the full-precision checkpoint)"},
            {"compression_config", values::null, "weights quantized already (take the full-precision checkpoint)"},
            {"quantization", values::null, "weights quantized already (take the full-precision checkpoint)"},
            {"pruned_heads", values::none, "heads that are left out"},
            {"vision_config", values::null, "images"},
            {"audio_config", values::null, "sound"},
            {"is_encoder_decoder", values::off, "an encoder"},
            {"add_cross_attention", values::off, "cross attention"},
            // activation
            {"hidden_act", values::silu, "another activation of the MLP"},
            {"hidden_activation", values::silu, "another activation of the MLP"},
            {"activation_function", values::silu, "another activation of the MLP"},
            // biases
            {"attention_bias", values::off, "biases of q, k, v and o"},
            {"attention_out_bias", values::off, "a bias of o"},
            {"qkv_bias", values::off, "biases of q, k and v"},
            {"use_qkv_bias", values::off, "biases of q, k and v"},
            {"mlp_bias", values::off, "biases of the MLP"},
            {"use_bias", values::off, "biases"},
            {"bias", values::off, "biases"},
            {"add_bias_linear", values::off, "biases"},
            {"add_qkv_bias", values::off, "biases of q, k and v"},
            {"lm_head_bias", values::off, "a bias of the logits"},
            // attention
            {"sliding_window", values::wide, "attention that sees the last so many tokens only"},
            {"sliding_window_size", values::wide, "attention that sees the last so many tokens only"},
            {"attention_window_size", values::wide, "attention that sees the last so many tokens only"},
            {"attention_chunk_size", values::long_chunk, "attention inside chunks only"},
            {"sliding_window_pattern", values::null, "windows in some layers"},
            {"max_window_layers", values::no_window, "windows in some layers"},
            {"layer_types", values::full, "layers of other kinds"},
            {"attn_logit_softcapping", values::null, "capped attention scores"},
            {"attention_logit_cap", values::null, "capped attention scores"},
            {"query_pre_attn_scalar", values::head_dim, "another scale of the attention scores"},
            {"attention_multiplier", values::root, "another scale of the attention scores"},
            {"attention_scale", values::root, "another scale of the attention scores"},
            {"use_qk_norm", values::off, "norms of q and k"},
            {"qk_norm", values::off, "norms of q and k"},
            {"qk_layernorm", values::off, "norms of q and k"},
            {"clip_qkv", values::null, "clipped q, k and v"},
            {"alibi", values::off, "ALiBi"},
            {"use_logn_attn", values::off, "attention scaled by the position"},
            {"attn_temperature_tuning", values::off, "attention scaled by the position"},
            {"is_causal", values::on, "attention that looks ahead"},
            {"use_bidirectional_attention", values::off, "attention that looks ahead"},
            {"full_attn_mod", values::one, "layers of other kinds"},
            {"attention_sink_size", values::zero, "attention sinks"},
            {"parallel_attn", values::off, "attention and MLP side by side"},
            {"use_parallel_residual", values::off, "attention and MLP side by side"},
            {"q_lora_rank", values::null, "latent attention"},
            {"kv_lora_rank", values::null, "latent attention"},
            {"v_head_dim", values::head_dim, "values of another width"},
            {"attention_k_eq_v", values::off, "values that are keys"},
            {"num_kv_shared_layers", values::zero, "layers that share keys and values"},
            {"full_attention_interval", values::one, "layers of other kinds"},
            {"hidden_size_per_layer_input", values::zero, "inputs of each layer's own"},
            // positions
            {"partial_rotary_factor", values::one, "rotation of a part of each head"},
            {"rotary_pct", values::one, "rotation of a part of each head"},
            {"rotary_percent", values::one, "rotation of a part of each head"},
            {"rotary_dim", values::head_dim, "rotation of a part of each head"},
            {"rope_dim", values::head_dim, "rotation of a part of each head"},
            {"rotary_base", values::theta, "another base of the rotation"},
            {"rotary_emb_base", values::theta, "another base of the rotation"},
            {"rope_base", values::theta, "another base of the rotation"},
            {"rope_freq_base", values::theta, "another base of the rotation"},
            {"rope_local_base_freq", values::theta, "another base of the rotation in some layers"},
            {"global_rope_theta", values::theta, "another base of the rotation in some layers"},
            {"local_rope_theta", values::theta, "another base of the rotation in some layers"},
            {"rope_ratio", values::one, "another base of the rotation"},
            {"rope_type", values::plain, "a scaled rotation"},
            {"rope_scaling_type", values::plain, "a scaled rotation"},
            {"rope_scaling_factor", values::one, "a scaled rotation"},
            {"rope_scaling_config", values::null, "a scaled rotation"},
            {"use_dynamic_ntk", values::off, "a scaled rotation"},
            {"use_mrope", values::off, "positions of images"},
            {"interpolate_factor", values::one, "a scaled rotation"},
            {"use_rope", values::on, "no rotation"},
            {"no_rope_layers", values::ones, "layers without rotation"},
            {"no_rope_layer_interval", values::null, "layers without rotation"},
            {"nope_layer_interval", values::null, "layers without rotation"},
            {"rope_interleaved", values::off, "rotation of neighbours"},
            {"rope_interleave", values::off, "rotation of neighbours"},
            {"position_embedding_type", values::rotary, "other positions"},
            // norms
            {"norm_eps", values::eps, "another epsilon of the norms"},
            {"norm_epsilon", values::eps, "another epsilon of the norms"},
            {"rms_norm_epsilon", values::eps, "another epsilon of the norms"},
            {"layer_norm_eps", values::eps, "another epsilon of the norms"},
            {"layer_norm_epsilon", values::eps, "another epsilon of the norms"},
            {"layernorm_epsilon", values::eps, "another epsilon of the norms"},
            {"norm_type", values::rms, "other norms"},
            // scalars
            {"embedding_multiplier", values::one, "a scaled embedding"},
            {"embedding_scale", values::one, "a scaled embedding"},
            {"scale_emb", values::one, "a scaled embedding"},
            {"scale_embedding", values::off, "a scaled embedding"},
            {"residual_multiplier", values::one, "scaled branches"},
            {"scale_depth", values::null, "scaled branches"},
            {"mup_denominator", values::null, "scaled branches"},
            {"dim_model_base", values::hidden, "scaled logits"},
            {"logits_scaling", values::one, "scaled logits"},
            {"logit_scale", values::one, "scaled logits"},
            {"lm_head_multiplier", values::one, "scaled logits"},
            {"key_multiplier", values::one, "scaled keys"},
            {"attention_in_multiplier", values::one, "scaled branches"},
            {"attention_out_multiplier", values::one, "scaled branches"},
            {"final_logit_softcapping", values::null, "capped logits"},
            {"output_logits_soft_cap", values::null, "capped logits"},
            // experts
            {"num_local_experts", values::zero, "experts"},
            {"num_experts", values::zero, "experts"},
            {"n_routed_experts", values::zero, "experts"},
            {"n_shared_experts", values::zero, "experts that all tokens share"},
            {"num_shared_experts", values::zero, "experts that all tokens share"},
            {"shared_expert_intermediate_size", values::zero, "experts that all tokens share"},
            {"moe_num_experts", values::zero, "experts"},
            {"moe_intermediate_size", values::zero, "experts"},
            {"routed_scaling_factor", values::one, "scaled experts"},
            {"first_k_dense_replace", values::zero, "layers of other kinds"},
            {"moe_layer_freq", values::one, "layers of other kinds"},
            {"interleave_moe_layer_step", values::one, "layers of other kinds"},
            {"n_group", values::one, "experts chosen by groups"},
            {"topk_group", values::one, "experts chosen by groups"},
            {"scoring_func", values::softmax, "other scores of experts"},
            {"score_func", values::softmax, "other scores of experts"},
            {"router_activation", values::softmax, "other scores of experts"},
            {"moe_router_activation_func", values::softmax, "other scores of experts"},
            {"moe_router_use_sigmoid", values::off, "other scores of experts"},
            {"topk_method", values::greedy, "experts chosen by groups or with a bias"},
            {"e_score_correction_bias", values::off, "experts chosen with a bias"},
            {"moe_router_enable_expert_bias", values::off, "experts chosen with a bias"},
            {"use_routing_bias", values::off, "experts chosen with a bias"},
            {"expert_bias", values::off, "biases of experts"},
            {"swiglu_limit", values::null, "a limited activation"},
        };

        // What read_config() reads by itself.
        constexpr std::string_view understood_keys[] = {
            "model_type",
            "vocab_size",
            "hidden_size",
            "intermediate_size",
            "num_hidden_layers",
            "num_attention_heads",
            "num_key_value_heads",
            "head_dim",
            "max_position_embeddings",
            "rms_norm_eps",
            "rope_theta",
            "rope_scaling",
            "rope_parameters",
            "tie_word_embeddings",
            "use_sliding_window",
        };

        // What no forward pass depends on: names, numbers of tokens, training, caches, element types, how to sample. So
        // is every key that begins with '_'.
        constexpr std::string_view harmless_keys[] = {
            "attention_dropout",
            "attn_implementation",
            "attn_pdrop",
            "bad_words_ids",
            "begin_suppress_tokens",
            "bos_token_id",
            "cache_implementation",
            "chunk_size_feed_forward",
            "cls_token_id",
            "cross_attention_hidden_size",
            "decoder_sparse_step",
            "decoder_start_token_id",
            "diversity_penalty",
            "do_sample",
            "dropout",
            "dtype",
            "early_stopping",
            "embd_pdrop",
            "embedding_dropout",
            "encoder_no_repeat_ngram_size",
            "eos_token_id",
            "exponential_decay_length_penalty",
            "finetuning_task",
            "forced_bos_token_id",
            "forced_eos_token_id",
            "gradient_checkpointing",
            "hidden_dropout",
            "hidden_dropout_prob",
            "id2label",
            "initializer_range",
            "is_decoder",
            "is_llama_config",
            "label2id",
            "length_penalty",
            "loss_type",
            "mask_token_id",
            "max_length",
            "max_sequence_length",
            "min_length",
            "mlp_dropout",
            "mlp_only_layers", // as others of experts: where there are any
            "model_max_length",
            "name_or_path",
            "no_repeat_ngram_size",
            "norm_topk_prob",
            "num_beam_groups",
            "num_beams",
            "num_experts_per_tok",
            "num_labels",
            "num_return_sequences",
            "original_max_position_embeddings",
            "output_attentions",
            "output_hidden_states",
            "output_router_logits",
            "output_scores",
            "pad_token_id",
            "prefix",
            "pretraining_tp",
            "problem_type",
            "remove_invalid_values",
            "repetition_penalty",
            "resid_pdrop",
            "return_dict",
            "return_dict_in_generate",
            "router_aux_loss_coef",
            "router_jitter_noise",
            "sep_token_id",
            "suppress_tokens",
            "task_specific_params",
            "temperature",
            "tf_legacy_loss",
            "tie_encoder_decoder",
            "tokenizer_class",
            "top_k",
            "top_p",
            "torch_dtype",
            "torchscript",
            "transformers_version",
            "trust_remote_code",
            "typical_p",
            "unk_token_id",
            "unsloth_fixed",
            "unsloth_version",
            "use_bfloat16",
            "use_cache",
            "use_flash_attn",
            "use_return_dict",
        };
    }

    namespace
    {
        bool among(auto const& list, std::string const& name)
        {
            return std::find(std::begin(list), std::end(list), name) != std::end(list);
        }
    }

    void check_keys(settings_file const& file, key_context const& c)
    {
        for (telling_key const& key : telling_keys)
            if (std::string const name(key.name); file.has(name) && !among(c.understood, name))
                file.expect(key.harmless.holds(file.tree()[name], c), name,
                            text(key.harmless.words, "; another value means ", key.meaning, ", not implemented here"));
    }

    std::size_t tokens_seen(settings_file const& file, std::span<std::string_view const> understood)
    {
        bool const slides = file.flag("use_sliding_window", true);
        double least = 0x1p53;
        for (telling_key const& key : telling_keys)
            if (bool const window = &key.harmless == &values::wide; window || &key.harmless == &values::long_chunk)
                if (std::string const name(key.name); file.has(name) && (slides || !window) && !among(understood, name))
                    least = std::min(least, file.tree()[name].get<double>());
        return static_cast<std::size_t>(least);
    }

    std::vector<std::string> unknown_keys(settings_file const& file)
    {
        auto const tells = [](std::string const& name)
        {
            return std::any_of(std::begin(telling_keys), std::end(telling_keys),
                               [&](telling_key const& key) { return key.name == name; });
        };
        std::vector<std::string> unknown;
        for (auto const& [name, value] : file.tree().items())
            if (!name.starts_with('_') && !value.is_null() && !among(understood_keys, name) &&
                !among(harmless_keys, name) && !tells(name))
                unknown.push_back(name);
        return unknown;
    }
}
