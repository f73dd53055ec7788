# SPDX-License-Identifier: BSD-3-Clause
"""Decoders in numpy, in double: Llama, Mistral, Mixtral, Qwen2, Qwen3, Qwen3-MoE, Gemma 2, Gemma 3 and Phi-3 from
config.json and the tensors under their Hugging Face names. Written from the formulas, to be read beside them; nothing
is fast.
"""
import math

import numpy as np


def head_dim(c):
    return c.get("head_dim") or c["hidden_size"] // c["num_attention_heads"]


def gemma(c):
    return c["model_type"].startswith("gemma")


# How the tensors of an expert are named.
EXPERT = {"mixtral": {"gate": "w1", "up": "w3", "down": "w2"},
          "qwen3_moe": {"gate": "gate_proj", "up": "up_proj", "down": "down_proj"}}


def experts(c):
    """How many a layer with experts has."""
    return c.get("num_local_experts") or c.get("num_experts") or 0


def has_experts(c, layer):
    return experts(c) > 0 and (layer + 1) % c.get("decoder_sparse_step", 1) == 0 and \
        layer not in c.get("mlp_only_layers", [])


def mlp(c, layer):
    return f"model.layers.{layer}.{'block_sparse_moe' if c['model_type'] == 'mixtral' else 'mlp'}."


def expert(c, layer, number):
    return f"{mlp(c, layer)}experts.{number}."


def window(c, layer):
    """How many keys a query of the layer sees, itself among them; None: all before it."""
    width, kind = c.get("sliding_window"), c["model_type"]
    if "layer_types" in c:
        return width if c["layer_types"][layer] == "sliding_attention" else None
    if kind == "gemma2":
        return width if layer % 2 == 0 else None
    if kind == "gemma3_text":
        return width if (layer + 1) % c["sliding_window_pattern"] else None
    if kind.startswith("qwen"):
        return width if c.get("use_sliding_window") and layer >= c["max_window_layers"] else None
    return width if kind in ("mistral", "phi3") else None


def rope_settings(c, windowed):
    """rope_type, rope_theta and what scales it, from the newer rope_parameters or the older pair of keys."""
    if "rope_parameters" in c:
        p = c["rope_parameters"]
        return p["sliding_attention" if windowed else "full_attention"] if "full_attention" in p else p
    if windowed and c["model_type"] == "gemma3_text":
        return {"rope_type": "default", "rope_theta": c["rope_local_base_freq"]}
    return {"rope_theta": c.get("rope_theta", 10000.0), **(c.get("rope_scaling") or {})}


def rope(c, windowed, length):
    """The angle of each pair for one position, and what multiplies the cosines and sines."""
    p = rope_settings(c, windowed)
    kind = p.get("rope_type") or p.get("type") or "default"
    theta, longest = p["rope_theta"], c["max_position_embeddings"]
    d = int(head_dim(c) * (p.get("partial_rotary_factor") or c.get("partial_rotary_factor") or 1))
    pairs = np.arange(d // 2)
    f = theta ** (-2 * pairs / d)
    original = p.get("original_max_position_embeddings") or c.get("original_max_position_embeddings") or longest
    if kind == "default":
        return f, 1
    if kind == "linear":
        return f / p["factor"], 1
    if kind == "llama3":
        low, high, turns = p["low_freq_factor"], p["high_freq_factor"], original * f / (2 * np.pi)
        share = np.clip((turns - low) / (high - low), 0, 1)
        return f * (share + (1 - share) / p["factor"]), 1
    if kind == "yarn":
        low, high = (d * math.log(original / (2 * math.pi * p.get(name, turns))) / (2 * math.log(theta))
                     for name, turns in (("beta_fast", 32), ("beta_slow", 1)))
        low, high = max(math.floor(low), 0), min(math.ceil(high), d - 1)
        ramp = np.clip((pairs - low) / max(high - low, 0.001), 0, 1)
        return f * (1 - ramp) + f / p["factor"] * ramp, p.get("attention_factor") or 0.1 * math.log(p["factor"]) + 1
    if kind in ("longrope", "su"):
        factors = np.array(p["long_factor" if length > original else "short_factor"])
        grown = max(longest / original, 1)
        return f / factors, p.get("attention_factor") or math.sqrt(1 + math.log(grown) / math.log(original))
    raise ValueError(f"rope_type {kind}")


def rotate(x, f, scale):
    """x[token, head, dim]: dimension i turns with i + d/2, those beyond the rotary d stay."""
    half = len(f)
    angle = np.arange(len(x))[:, None, None] * f
    cos, sin = np.cos(angle) * scale, np.sin(angle) * scale
    a, b, rest = x[..., :half], x[..., half : 2 * half], x[..., 2 * half :]
    return np.concatenate([a * cos - b * sin, b * cos + a * sin, rest], -1)


def capped(x, cap):
    return cap * np.tanh(x / cap) if cap else x


def silu(x):
    return x / (1 + np.exp(-x))


def gelu_tanh(x):
    return 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


class Model:
    def __init__(self, config, tensors):
        self.c, self.t = config, {name: value.astype(np.float64) for name, value in tensors.items()}

    def norm(self, x, name):
        w = self.t[name + ".weight"] + gemma(self.c)
        return x / np.sqrt((x * x).mean(-1, keepdims=True) + self.c["rms_norm_eps"]) * w

    def linear(self, x, name):
        return x @ self.t[name + ".weight"].T + self.t.get(name + ".bias", 0)

    def attention(self, x, layer):
        c, p, n, d = self.c, f"model.layers.{layer}.self_attn.", len(x), head_dim(self.c)
        heads, kv = c["num_attention_heads"], c["num_key_value_heads"]
        if p + "qkv_proj.weight" in self.t:
            q, k, v = np.split(self.linear(x, p + "qkv_proj"), [heads * d, (heads + kv) * d], -1)
        else:
            q, k, v = (self.linear(x, p + name) for name in ("q_proj", "k_proj", "v_proj"))
        q, k, v = q.reshape(n, heads, d), k.reshape(n, kv, d), v.reshape(n, kv, d)
        if p + "q_norm.weight" in self.t:
            q, k = self.norm(q, p + "q_norm"), self.norm(k, p + "k_norm")
        width = window(c, layer)
        turn = rope(c, width is not None, n)
        q, k = rotate(q, *turn), rotate(k, *turn)
        k, v = np.repeat(k, heads // kv, 1), np.repeat(v, heads // kv, 1)
        q, k, v = q.swapaxes(0, 1), k.swapaxes(0, 1), v.swapaxes(0, 1)  # [head, token, dim]
        s = q @ k.swapaxes(1, 2) / math.sqrt(c.get("query_pre_attn_scalar") or d)
        s = capped(s, c.get("attn_logit_softcapping"))
        back = np.arange(n)[:, None] - np.arange(n)
        s = np.where((back >= 0) & (back < (width or n)), s, -np.inf)
        s = np.exp(s - s.max(-1, keepdims=True))
        s /= s.sum(-1, keepdims=True)
        return self.linear((s @ v).swapaxes(0, 1).reshape(n, heads * d), p + "o_proj")

    def mixture(self, x, layer):
        """A softmax over all experts, of which the most likely ones stay."""
        c, names = self.c, EXPERT[self.c["model_type"]]
        p = self.linear(x, mlp(c, layer) + "gate")
        p = np.exp(p - p.max(-1, keepdims=True))
        p /= p.sum(-1, keepdims=True)
        least = np.sort(p, -1)[:, -c["num_experts_per_tok"], None]
        p = np.where(p >= least, p, 0)
        if c.get("norm_topk_prob", c["model_type"] == "mixtral"):
            p /= p.sum(-1, keepdims=True)
        y = 0
        for e in range(experts(c)):
            gate, up, down = (expert(c, layer, e) + names[part] for part in ("gate", "up", "down"))
            y = y + p[:, e, None] * self.linear(silu(self.linear(x, gate)) * self.linear(x, up), down)
        return y

    def mlp(self, x, layer):
        if has_experts(self.c, layer):
            return self.mixture(x, layer)
        p = f"model.layers.{layer}.mlp."
        if p + "gate_up_proj.weight" in self.t:
            gate, up = np.split(self.linear(x, p + "gate_up_proj"), 2, -1)
        else:
            gate, up = self.linear(x, p + "gate_proj"), self.linear(x, p + "up_proj")
        return self.linear((gelu_tanh if gemma(self.c) else silu)(gate) * up, p + "down_proj")

    def logits(self, ids):
        c = self.c
        x = self.t["model.embed_tokens.weight"][ids] * (math.sqrt(c["hidden_size"]) if gemma(c) else 1)
        for layer in range(c["num_hidden_layers"]):
            p = f"model.layers.{layer}."
            y = self.attention(self.norm(x, p + "input_layernorm"), layer)
            if gemma(c):
                x = x + self.norm(y, p + "post_attention_layernorm")
                y = self.mlp(self.norm(x, p + "pre_feedforward_layernorm"), layer)
                x = x + self.norm(y, p + "post_feedforward_layernorm")
            else:
                x = x + y
                x = x + self.mlp(self.norm(x, p + "post_attention_layernorm"), layer)
        head = self.t.get("lm_head.weight", self.t["model.embed_tokens.weight"])
        return capped(self.norm(x, "model.norm") @ head.T, c.get("final_logit_softcapping"))


def mean_nll(logits, ids):
    """Of the tokens after the first."""
    top = logits.max(-1, keepdims=True)
    log_p = logits - top - np.log(np.exp(logits - top).sum(-1, keepdims=True))
    return -log_p[np.arange(len(ids) - 1), ids[1:]].mean()
