# SPDX-License-Identifier: BSD-3-Clause
"""Tiny random models of the architectures that the clients' tests know: config.json with the keys that real checkpoints
have, tensors under their Hugging Face names, and the same as GGUF has them.
"""
import math

import numpy as np

import reference
from reference import head_dim

LLAMA = {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_act": "silu", "attention_bias": False,
         "mlp_bias": False, "hidden_size": 48, "intermediate_size": 72, "num_hidden_layers": 2,
         "num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": 120, "max_position_embeddings": 512,
         "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "rope_scaling": None, "tie_word_embeddings": False}
MISTRAL = {**LLAMA, "architectures": ["MistralForCausalLM"], "model_type": "mistral", "head_dim": 20,
           "sliding_window": None}
QWEN2 = {**LLAMA, "architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2", "rms_norm_eps": 1e-6,
         "rope_theta": 1000000.0, "sliding_window": 24, "use_sliding_window": False, "max_window_layers": 0}
QWEN3 = {**LLAMA, "architectures": ["Qwen3ForCausalLM"], "model_type": "qwen3", "rms_norm_eps": 1e-6, "head_dim": 16,
         "rope_theta": 1000000.0, "sliding_window": None, "use_sliding_window": False, "max_window_layers": 2}
# the square root of the hidden size is exact in bfloat16, so that nobody need say whether it is rounded
GEMMA2 = {"architectures": ["Gemma2ForCausalLM"], "model_type": "gemma2", "hidden_activation": "gelu_pytorch_tanh",
          "hidden_act": "gelu_pytorch_tanh", "attention_bias": False, "hidden_size": 36, "intermediate_size": 56,
          "num_hidden_layers": 3, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 14,
          "query_pre_attn_scalar": 9, "attn_logit_softcapping": 4.0, "final_logit_softcapping": 6.0,
          "sliding_window": 40, "vocab_size": 120, "max_position_embeddings": 512, "rms_norm_eps": 1e-6,
          "rope_theta": 10000.0}
GEMMA3 = {"architectures": ["Gemma3ForCausalLM"], "model_type": "gemma3_text",
          "hidden_activation": "gelu_pytorch_tanh", "attention_bias": False, "hidden_size": 36,
          "intermediate_size": 56, "num_hidden_layers": 7, "num_attention_heads": 4, "num_key_value_heads": 1,
          "head_dim": 14, "query_pre_attn_scalar": 9, "attn_logit_softcapping": None, "final_logit_softcapping": None,
          "sliding_window": 40, "sliding_window_pattern": 6, "vocab_size": 120, "max_position_embeddings": 512,
          "rms_norm_eps": 1e-6, "rope_theta": 1000000.0, "rope_local_base_freq": 10000.0, "rope_scaling": None}
PHI3 = {"architectures": ["Phi3ForCausalLM"], "model_type": "phi3", "hidden_act": "silu", "attention_bias": False,
        "hidden_size": 48, "intermediate_size": 72, "num_hidden_layers": 2, "num_attention_heads": 4,
        "num_key_value_heads": 2, "vocab_size": 120, "max_position_embeddings": 2048,
        "original_max_position_embeddings": 2048, "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "rope_scaling": None,
        "sliding_window": 2047, "tie_word_embeddings": False}
MIXTRAL = {**LLAMA, "architectures": ["MixtralForCausalLM"], "model_type": "mixtral", "rope_theta": 1000000.0,
           "sliding_window": None, "num_local_experts": 5, "num_experts_per_tok": 2, "router_aux_loss_coef": 0.02,
           "output_router_logits": False}
QWEN3_MOE = {**QWEN3, "architectures": ["Qwen3MoeForCausalLM"], "model_type": "qwen3_moe", "intermediate_size": 60,
             "moe_intermediate_size": 24, "num_experts": 7, "num_experts_per_tok": 3, "norm_topk_prob": True,
             "decoder_sparse_step": 1, "mlp_only_layers": [], "max_window_layers": 2}
LONGROPE = {"type": "longrope", "short_factor": [1.0, 1.05, 1.1, 1.3, 1.6],
            "long_factor": [1.1, 1.4, 2.5, 6.0, 8.0]}  # for 10 rotary dimensions of 12
WIDE = {**LLAMA, "head_dim": 32}  # enough pairs for every branch of a scaled rotation
YARN = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 128}
LLAMA3 = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
          "original_max_position_embeddings": 128}


def without(c, *names):
    return {name: value for name, value in c.items() if name not in names}


CASES = {
    "llama": LLAMA,
    "llama, head_dim, tied": {**LLAMA, "head_dim": 20, "tie_word_embeddings": True},
    "llama, rope llama3": {**WIDE, "rope_scaling": LLAMA3},
    "llama, rope_parameters": {**without(WIDE, "rope_theta", "rope_scaling"),
                               "rope_parameters": {**LLAMA3, "rope_theta": 500000.0}},
    "llama, rope linear": {**WIDE, "rope_scaling": {"type": "linear", "factor": 4.0}},
    "llama, rope yarn": {**WIDE, "rope_scaling": YARN},
    "llama, yarn with its own": {**WIDE, "rope_scaling": {**YARN, "attention_factor": 1.4, "beta_fast": 8.0,
                                                          "beta_slow": 2.0}},
    "llama, biases": {**LLAMA, "attention_bias": True, "mlp_bias": True},
    "mistral": MISTRAL,
    "mistral, window": {**MISTRAL, "sliding_window": 40},
    "qwen2": QWEN2,
    "qwen3": QWEN3,
    "qwen3, rope yarn, tied": {**QWEN3, "rope_scaling": YARN, "tie_word_embeddings": True},
    "gemma2": GEMMA2,
    "gemma3": GEMMA3,
    "gemma3, rope linear": {**GEMMA3, "rope_scaling": {"rope_type": "linear", "factor": 8.0}},
    "gemma3, layer_types": {**without(GEMMA3, "sliding_window_pattern", "rope_theta", "rope_local_base_freq",
                                      "rope_scaling"),
                            "layer_types": ["sliding_attention"] * 5 + ["full_attention", "sliding_attention"],
                            "rope_parameters": {
                                "full_attention": {"rope_type": "linear", "factor": 8.0, "rope_theta": 1000000.0},
                                "sliding_attention": {"rope_type": "default", "rope_theta": 10000.0}}},
    "mixtral": MIXTRAL,
    "mixtral, stacked": {**without(MIXTRAL, "num_local_experts"), "num_experts": 5},
    "mixtral, every expert": {**MIXTRAL, "num_experts_per_tok": 5},
    "qwen3_moe": QWEN3_MOE,
    "qwen3_moe, stacked": QWEN3_MOE,
    "qwen3_moe, dense layers": {**QWEN3_MOE, "num_hidden_layers": 5, "decoder_sparse_step": 2, "mlp_only_layers": [1],
                                "norm_topk_prob": False, "tie_word_embeddings": True},
    "qwen3_moe, many experts": {**QWEN3_MOE, "num_experts": 40, "num_experts_per_tok": 2, "moe_intermediate_size": 12},
    "phi3": PHI3,
    "phi3, window": {**PHI3, "sliding_window": 40},
    "phi3, partial, longrope's short": {**PHI3, "rope_scaling": LONGROPE, "partial_rotary_factor": 0.85,
                                        "original_max_position_embeddings": 256},
    "phi3, partial, longrope's long": {**PHI3, "rope_scaling": LONGROPE, "partial_rotary_factor": 0.85,
                                       "original_max_position_embeddings": 64, "tie_word_embeddings": True},
}


def stacked(c, tensors):
    """The same checkpoint as version 5 of the transformers saves it: all experts of a layer in one tensor."""
    out = {name.replace("block_sparse_moe", "mlp"): value for name, value in tensors.items() if ".experts." not in name}
    for layer in range(c["num_hidden_layers"]):
        for name, parts in (("gate_up_proj", ("gate", "up")), ("down_proj", ("down",))):
            out[f"model.layers.{layer}.mlp.experts.{name}"] = np.stack(
                [np.concatenate([tensors[f"{reference.expert(c, layer, e)}{reference.EXPERT[c['model_type']][part]}"
                                         ".weight"] for part in parts]) for e in range(reference.experts(c))])
    return out


def as_stored(title, c, tensors):
    return stacked(c, tensors) if "stacked" in title else tensors


def tensors_of(c, seed=5):
    """Weights that let every part of the model be felt."""
    rng = np.random.default_rng(seed)
    kind, hidden, inner, d = c["model_type"], c["hidden_size"], c["intermediate_size"], head_dim(c)
    queries, keys = c["num_attention_heads"] * d, c["num_key_value_heads"] * d
    t = {}

    def put(name, value):
        t[name] = value.astype("<f4")

    def linear(name, rows, cols, bias=False):
        put(name + ".weight", rng.normal(0, 1.3 / math.sqrt(cols), (rows, cols)))
        if bias:
            put(name + ".bias", rng.normal(0, 0.5, rows))

    def norm(name, size=hidden):
        put(name + ".weight", rng.normal(0 if reference.gemma(c) else 1, 0.25, size))

    put("model.embed_tokens.weight", rng.normal(0, 2 / math.sqrt(hidden), (c["vocab_size"], hidden)))
    for layer in range(c["num_hidden_layers"]):
        p = f"model.layers.{layer}."
        a, m = p + "self_attn.", p + "mlp."
        if kind == "phi3":
            linear(a + "qkv_proj", queries + 2 * keys, hidden)
            linear(m + "gate_up_proj", 2 * inner, hidden)
        else:
            bias = kind == "qwen2" or c.get("attention_bias", False)
            linear(a + "q_proj", queries, hidden, bias)
            linear(a + "k_proj", keys, hidden, bias)
            linear(a + "v_proj", keys, hidden, bias)
            if not reference.has_experts(c, layer):
                linear(m + "gate_proj", inner, hidden, c.get("mlp_bias", False))
                linear(m + "up_proj", inner, hidden, c.get("mlp_bias", False))
        linear(a + "o_proj", hidden, queries, c.get("attention_bias", False))
        if reference.has_experts(c, layer):
            linear(reference.mlp(c, layer) + "gate", reference.experts(c), hidden)
            of, wide = reference.EXPERT[kind], c.get("moe_intermediate_size", inner)
            for e in range(reference.experts(c)):
                linear(reference.expert(c, layer, e) + of["gate"], wide, hidden)
                linear(reference.expert(c, layer, e) + of["up"], wide, hidden)
                linear(reference.expert(c, layer, e) + of["down"], hidden, wide)
        else:
            linear(m + "down_proj", hidden, inner, c.get("mlp_bias", False))
        for name in ("input_layernorm", "post_attention_layernorm"):
            norm(p + name)
        if reference.gemma(c):
            norm(p + "pre_feedforward_layernorm")
            norm(p + "post_feedforward_layernorm")
        if kind in ("qwen3", "qwen3_moe", "gemma3_text"):
            norm(a + "q_norm", d)
            norm(a + "k_norm", d)
    norm("model.norm")
    if not c.get("tie_word_embeddings", reference.gemma(c)):
        put("lm_head.weight", rng.normal(0, 2 / math.sqrt(hidden), (c["vocab_size"], hidden)))
    return t


GGUF_NAMES = {
    "model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output",
    "input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm",
    "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
    "self_attn.qkv_proj": "attn_qkv", "self_attn.o_proj": "attn_output",
    "self_attn.q_norm": "attn_q_norm", "self_attn.k_norm": "attn_k_norm", "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up", "mlp.gate_up_proj": "ffn_up", "mlp.down_proj": "ffn_down",
    "block_sparse_moe.gate": "ffn_gate_inp", "mlp.gate": "ffn_gate_inp"}
GEMMA_NAMES = {**GGUF_NAMES, "post_attention_layernorm": "post_attention_norm", "pre_feedforward_layernorm": "ffn_norm",
               "post_feedforward_layernorm": "post_ffw_norm"}


def interleaved(rows, heads):
    """Rows of q or k, their rotary pairs side by side."""
    return rows.reshape(heads, 2, -1, *rows.shape[1:]).swapaxes(1, 2).reshape(rows.shape)


def llama3_divisor(p, wavelength):
    """Of one frequency; not as reference.py has it, so that neither takes over the other's mistakes."""
    original, low, high = p["original_max_position_embeddings"], p["low_freq_factor"], p["high_freq_factor"]
    if wavelength < original / high:
        return 1.0
    if wavelength > original / low:
        return p["factor"]
    smooth = (original / wavelength - low) / (high - low)
    return 1 / ((1 - smooth) / p["factor"] + smooth)


def gguf_name(c, name):
    """Of a tensor, in a GGUF file."""
    layer = name.split(".")[2] if name.startswith("model.layers.") else None
    stem, ending = (name if layer is None else name.split(".", 3)[3]).rsplit(".", 1)
    stem = (GEMMA_NAMES if reference.gemma(c) else GGUF_NAMES)[stem]
    return f"{stem}.{ending}" if layer is None else f"blk.{layer}.{stem}.{ending}"


def gguf_tensors(c, tensors):
    kind, out = c["model_type"], {}
    for layer in filter(lambda i: reference.has_experts(c, i), range(c["num_hidden_layers"])):
        for part, of in reference.EXPERT[kind].items():
            out[f"blk.{layer}.ffn_{part}_exps.weight"] = np.stack(
                [tensors[f"{reference.expert(c, layer, e)}{of}.weight"] for e in range(reference.experts(c))])
    for name, value in tensors.items():
        if ".experts." in name:
            continue
        stem = name.rsplit(".", 1)[0].split(".", 3)[-1]
        if kind in ("llama", "mistral", "mixtral") and stem in ("self_attn.q_proj", "self_attn.k_proj"):
            value = interleaved(value, c["num_attention_heads" if "q_proj" in stem else "num_key_value_heads"])
        if reference.gemma(c):
            if stem.endswith("norm"):
                value = value + np.float32(1)
            # of tiny models llama.cpp divides by the root of head_dim, whatever the scalar
            if stem == {"gemma2": "self_attn.q_proj", "gemma3_text": "self_attn.q_norm"}[kind]:
                value = value * np.float32(math.sqrt(head_dim(c) / c["query_pre_attn_scalar"]))
        out[gguf_name(c, name)] = value
    p = reference.rope_settings(c, False)
    if p.get("rope_type") == "llama3":
        out["rope_freqs.weight"] = np.array([llama3_divisor(p, 2 * math.pi * p["rope_theta"] ** (2 * i / head_dim(c)))
                                             for i in range(head_dim(c) // 2)])
    if "long_factor" in p:
        out["rope_factors_long.weight"] = np.array(p["long_factor"])
        out["rope_factors_short.weight"] = np.array(p["short_factor"])
    return out


def gguf_metadata(c):
    p = reference.rope_settings(c, False)
    arch = {"mistral": "llama", "mixtral": "llama", "qwen3_moe": "qwen3moe",
            "gemma3_text": "gemma3"}.get(c["model_type"], c["model_type"])
    of = {"context_length": c["max_position_embeddings"], "embedding_length": c["hidden_size"],
          "block_count": c["num_hidden_layers"], "feed_forward_length": c["intermediate_size"],
          "attention.head_count": c["num_attention_heads"], "attention.head_count_kv": c["num_key_value_heads"],
          "attention.key_length": head_dim(c), "attention.value_length": head_dim(c),
          "attention.layer_norm_rms_epsilon": c["rms_norm_eps"], "vocab_size": c["vocab_size"],
          "rope.freq_base": float(p["rope_theta"]),
          "rope.dimension_count": int(head_dim(c) * c.get("partial_rotary_factor", 1))}
    kind = p.get("rope_type") or p.get("type")
    if kind in ("linear", "yarn"):
        of |= {"rope.scaling.type": kind, "rope.scaling.factor": p["factor"]}
    if kind == "yarn":
        of["rope.scaling.original_context_length"] = p["original_max_position_embeddings"]
        for name in ("beta_fast", "beta_slow"):
            if name in p:
                of[f"rope.scaling.yarn_{name}"] = p[name]
        if "attention_factor" in p:
            of["rope.scaling.attn_factor"] = p["attention_factor"] / (0.1 * math.log(p["factor"]) + 1)
    if kind == "longrope":
        original = c["original_max_position_embeddings"]
        of |= {"rope.scaling.type": kind, "rope.scaling.original_context_length": original,
               "rope.scaling.attn_factor": math.sqrt(1 + math.log(c["max_position_embeddings"] / original, original))}
    if reference.experts(c):
        of |= {"expert_count": reference.experts(c), "expert_used_count": c["num_experts_per_tok"]}
    if "moe_intermediate_size" in c:
        of["expert_feed_forward_length"] = c["moe_intermediate_size"]
    if reference.window(c, 0):
        of["attention.sliding_window"] = c["sliding_window"]
    if reference.gemma(c):
        of |= {name: c[name] for name in ("attn_logit_softcapping", "final_logit_softcapping") if c[name]}
    return {"general.architecture": arch, "tokenizer.ggml.model": "none",
            **{f"{arch}.{name}": value for name, value in of.items()}}
