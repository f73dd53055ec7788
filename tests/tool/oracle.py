# SPDX-License-Identifier: BSD-3-Clause
"""oracle.py JACKPLANE FOLDER: checkpoints with sizes that divide nothing, scored by a plain numpy Llama and the tool.

The mean negative log likelihood of `jackplane eval` must agree within 2e-4 nats for every element type, tied and
untied, whole and in shards, and for the quantized file against numpy on the weights that the file's formula gives.
"""
import json
import pathlib
import struct
import subprocess
import sys

import numpy as np

BOUND = 2e-4  # nats


def bfloat16(x):
    bits = x.astype("<f4").view("<u4").astype(np.uint64)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype("<u2")


ENCODE = {"F32": lambda x: x.astype("<f4"), "F16": lambda x: x.astype("<f2"), "BF16": bfloat16}
DECODE = {
    "F32": lambda b: np.frombuffer(b, "<f4").astype(np.float64),
    "F16": lambda b: np.frombuffer(b, "<f2").astype(np.float64),
    "BF16": lambda b: (np.frombuffer(b, "<u2").astype(np.uint32) << 16).view("<f4").astype(np.float64),
}


def write_safetensors(path, tensors, dtype):
    header, data = {}, b""
    for name, value in tensors.items():
        encoded = ENCODE[dtype](value).tobytes()
        header[name] = {"dtype": dtype, "shape": list(value.shape),
                        "data_offsets": [len(data), len(data) + len(encoded)]}
        data += encoded
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def tensors_of(c, seed):
    rng = np.random.default_rng(seed)
    hidden, inner = c["hidden_size"], c["intermediate_size"]
    queries, keys = c["num_attention_heads"] * c["head_dim"], c["num_key_value_heads"] * c["head_dim"]

    def matrix(rows, cols):
        return rng.normal(0, 1.2 / np.sqrt(cols), (rows, cols))

    def norm():
        return 1 + 0.2 * rng.normal(size=hidden)

    t = {"model.embed_tokens.weight": rng.normal(0, 1, (c["vocab_size"], hidden)), "model.norm.weight": norm()}
    for i in range(c["num_hidden_layers"]):
        p = f"model.layers.{i}."
        t[p + "self_attn.q_proj.weight"] = matrix(queries, hidden)
        t[p + "self_attn.k_proj.weight"] = matrix(keys, hidden)
        t[p + "self_attn.v_proj.weight"] = matrix(keys, hidden)
        t[p + "self_attn.o_proj.weight"] = matrix(hidden, queries)
        t[p + "mlp.gate_proj.weight"] = matrix(inner, hidden)
        t[p + "mlp.up_proj.weight"] = matrix(inner, hidden)
        t[p + "mlp.down_proj.weight"] = matrix(hidden, inner)
        t[p + "input_layernorm.weight"] = norm()
        t[p + "post_attention_layernorm.weight"] = norm()
    if not c["tie_word_embeddings"]:
        t["lm_head.weight"] = matrix(c["vocab_size"], hidden)
    return t


def rms_norm(x, w, eps):
    return x / np.sqrt((x * x).mean(-1, keepdims=True) + eps) * w


def rotate(x, theta):
    n, dim = x.shape[0], x.shape[-1]
    angle = np.arange(n)[:, None] / theta ** (np.arange(0, dim, 2) / dim)
    cos, sin = np.cos(angle)[:, None], np.sin(angle)[:, None]
    a, b = x[..., : dim // 2], x[..., dim // 2 :]
    return np.concatenate([a * cos - b * sin, b * cos + a * sin], -1)


def mean_nll(c, t, windows):
    """Llama in double: mean of -log p over every token but the first of each window."""
    total, count = 0.0, 0
    heads, kv, dim = c["num_attention_heads"], c["num_key_value_heads"], c["head_dim"]
    eps, theta = c["rms_norm_eps"], c["rope_theta"]
    for tokens in windows:
        n = len(tokens)
        x = t["model.embed_tokens.weight"][tokens]
        for i in range(c["num_hidden_layers"]):
            p = f"model.layers.{i}."
            h = rms_norm(x, t[p + "input_layernorm.weight"], eps)
            q = rotate((h @ t[p + "self_attn.q_proj.weight"].T).reshape(n, heads, dim), theta)
            k = rotate((h @ t[p + "self_attn.k_proj.weight"].T).reshape(n, kv, dim), theta)
            v = (h @ t[p + "self_attn.v_proj.weight"].T).reshape(n, kv, dim)
            k, v = np.repeat(k, heads // kv, 1), np.repeat(v, heads // kv, 1)
            s = np.einsum("ihd,jhd->hij", q, k) / np.sqrt(dim)
            s = np.where(np.tril(np.ones((n, n), bool)), s, -np.inf)
            s = np.exp(s - s.max(-1, keepdims=True))
            s /= s.sum(-1, keepdims=True)
            x = x + np.einsum("hij,jhd->ihd", s, v).reshape(n, heads * dim) @ t[p + "self_attn.o_proj.weight"].T
            h = rms_norm(x, t[p + "post_attention_layernorm.weight"], eps)
            gate, up = h @ t[p + "mlp.gate_proj.weight"].T, h @ t[p + "mlp.up_proj.weight"].T
            x = x + (gate / (1 + np.exp(-gate)) * up) @ t[p + "mlp.down_proj.weight"].T
        x = rms_norm(x, t["model.norm.weight"], eps)
        logits = x @ t.get("lm_head.weight", t["model.embed_tokens.weight"]).T
        top = logits.max(-1, keepdims=True)
        log_p = logits - top - np.log(np.exp(logits - top).sum(-1, keepdims=True))
        total -= log_p[np.arange(n - 1), tokens[1:]].sum()
        count += n - 1
    return total / count, count


def quantize(w, group, bits):
    """Round to nearest, asymmetric, 8-bit parent; integer zeros; the leading `bits` of each code. Scales are fp16 where
    that holds all of the matrix as normal numbers, else bfloat16."""
    w = w.astype(np.float32)
    parts = [w[:, left : left + group] for left in range(0, w.shape[1], group)]
    ranges = np.array([np.maximum(p.max(1), 0).astype(np.float64) - np.minimum(p.min(1), 0) for p in parts]) / 255
    held = ((ranges == 0) | (ranges >= 2.0**-14)).all()
    store = DECODE["F16" if held else "BF16"], ENCODE["F16" if held else "BF16"]
    out = np.empty(w.shape)
    for left in range(0, w.shape[1], group):
        part = w[:, left : left + group]
        low, high = np.minimum(part.min(1), 0), np.maximum(part.max(1), 0)
        exact = ((high.astype(np.float64) - low) / 255).astype(np.float32)
        zero = np.clip(np.rint(-low / exact), 0, 255)
        scale = store[0](store[1](exact).tobytes()).astype(np.float32)
        codes = np.clip(np.rint(part / scale[:, None] + zero[:, None]), 0, 255).astype(int)
        step = 1 << (8 - bits)
        out[:, left : left + group] = scale[:, None] * ((codes // step) * step + (step - 1) / 2 - zero[:, None])
    return out


def run(tool, *arguments):
    done = subprocess.run([tool, *map(str, arguments)], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, arguments))}: exit {done.returncode}: {done.stderr}")
    return done.stdout


def check(what, expected, found):
    print(f"{what:60s} numpy {expected:.6f}  tool {found:.6f}  difference {found - expected:+.1e}")
    if not abs(found - expected) <= BOUND:
        sys.exit(f"{what}: differs by more than {BOUND}")


def main():
    tool, folder = sys.argv[1], pathlib.Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    base = {"model_type": "llama", "hidden_size": 64, "intermediate_size": 172, "num_hidden_layers": 3,
            "vocab_size": 512, "num_attention_heads": 8, "num_key_value_heads": 4, "head_dim": 8, "rms_norm_eps": 1e-5,
            "rope_theta": 10000.0, "max_position_embeddings": 48, "tie_word_embeddings": False}
    odd = {"hidden_size": 50, "intermediate_size": 77, "num_attention_heads": 6, "num_key_value_heads": 2,
           "head_dim": 10, "vocab_size": 301, "rope_theta": 500000.0}
    cases = [("F32", {}, False), ("F16", {"tie_word_embeddings": True}, False), ("BF16", odd, True)]
    for number, (dtype, changes, shards) in enumerate(cases):
        c = {**base, **changes}
        model = folder / f"model{number}"
        model.mkdir(parents=True, exist_ok=True)
        tensors = tensors_of(c, number)
        (model / "config.json").write_text(json.dumps(c))
        if shards:
            names, place = list(tensors), {}
            for part, half in enumerate([names[::2], names[1::2]], 1):
                file = f"model-{part:05d}-of-00002.safetensors"
                write_safetensors(model / file, {name: tensors[name] for name in half}, dtype)
                place.update({name: file for name in half})
            (model / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": place}))
        else:
            write_safetensors(model / "model.safetensors", tensors, dtype)
        stored = {name: DECODE[dtype](ENCODE[dtype](value).tobytes()).reshape(value.shape)
                  for name, value in tensors.items()}
        tokens = np.random.default_rng(99).integers(0, c["vocab_size"], 48 * 5 + 3)
        np.save(folder / "tokens.npy", tokens.astype("<u2" if number % 2 else "<u4"))
        windows = [tokens[i : i + 48] for i in range(0, len(tokens), 48)]
        expected, count = mean_nll(c, stored, windows)
        report = json.loads(run(tool, "eval", "--model", model, "--tokens", folder / "tokens.npy", "--bits", "fp32",
                                "--reference", model, "--json"))
        if report["tokens"] != count:
            sys.exit(f"scored {report['tokens']} tokens, numpy {count}")
        row = report["rows"][0]
        check(f"{dtype} {changes.get('hidden_size', 64)} fp32", expected, row["mean_nll"])
        if row["kl_divergence"] != 0 or row["top1_agreement"] != 1 or row["bits_per_byte"] is not None:
            sys.exit(f"a model against itself: {row}")

        file = folder / f"model{number}.jack"
        run(tool, "quantize", model, "-o", file, "--group-size", 24, "--quiet", "--json")
        some = ["eval", "--model", file, "--tokens", folder / "tokens.npy", "--json"]
        report = json.loads(run(tool, *some))
        rows = {row["bits"]: row for row in report["rows"]}
        (narrow,) = json.loads(run(tool, *some, "--bits", 4, "--head-bits", 5))["rows"]
        head = "model.embed_tokens.weight" if c["tie_word_embeddings"] else "lm_head.weight"
        for row, head_bits in ((rows[8], 8), (rows[4], 8), (rows[3], 8), (narrow, 5)):
            if row["head_bits"] != head_bits:
                sys.exit(f"a head at {row['head_bits']} bits, not {head_bits}")
            given = {name: quantize(value, 24, row["bits"]) if "_proj" in name
                     else quantize(value, 24, head_bits) if name == head
                     else value.astype(np.float16).astype(float) for name, value in stored.items()}
            check(f"{dtype} {changes.get('hidden_size', 64)} at {row['bits']} bits, head {head_bits}",
                  mean_nll(c, given, windows)[0], row["mean_nll"])
        if rows["fp32"]["mean_nll"] is not None:
            sys.exit("a file without --reference has a full-precision row")


main()
