# SPDX-License-Identifier: BSD-3-Clause
"""gguf.py JACKPLANE FOLDER: models in GGUF files are those of their folders, to every command that reads a model."""
import json
import math
import pathlib
import sys

import numpy as np

from harness import expect, fail, folder, run, store_model

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "clients"))
import architectures  # noqa: E402
import gguf  # noqa: E402
import reference  # noqa: E402

MODEL = pathlib.Path(__file__).resolve().parents[2] / "examples" / "model"
model, file, tokens = folder / "model", folder / "model.gguf", folder / "tokens.npy"
rng = np.random.default_rng(8)


def measured(*arguments):
    rows = json.loads(expect(0, run("eval", *arguments, "--json")).stdout)["rows"]
    return [{name: value for name, value in row.items() if name != "tokens_per_second"} for row in rows]


def without_size(rows):
    """Of a GGUF file, a row is called by its types and has their size."""
    return [{name: value for name, value in row.items() if name not in ("bits", "effective_bits", "bytes_per_token")}
            for row in rows]


def write(config, weights, **changes):
    """Keys of `changes` have _ for the dots below the architecture; None takes one away."""
    metadata = architectures.gguf_metadata(config)
    arch = metadata["general.architecture"]
    for key, value in changes.items():
        name = f"{arch}.{key.replace('__', '.')}"
        metadata.pop(name, None)
        if value is not None:
            metadata[name] = value
    gguf.write(file, metadata, architectures.gguf_tensors(config, weights))


for title, config in architectures.CASES.items():
    if title == "qwen3_moe, dense layers":  # says nothing of normalized weights: llama.cpp's are
        config = {**config, "norm_topk_prob": True}
    weights = architectures.tensors_of(config)
    store_model(model, config, architectures.as_stored(title, config, weights))
    write(config, weights)
    np.save(tokens, rng.integers(0, config["vocab_size"], 300).astype("<u2"))
    scored = ["--tokens", tokens, "--context", "100"]
    ours, = measured("--model", model, *scored)
    # The same model by what the two say, but for Gemma's scores, which llama.cpp scales in its own way.
    theirs, = measured("--model", file, *scored, *([] if reference.gemma(config) else ["--reference", model]))
    # 1 + w of a norm, frequencies and scales of q are rounded to fp32 in the one
    if abs(ours["mean_nll"] - theirs["mean_nll"]) > 2e-5:
        fail(f"{title}: {ours['mean_nll']} nats in a folder, {theirs['mean_nll']} in a GGUF file")

# What files of converters have, or leave out, in place of what stands above.
def same(title, config, weights, metadata, tensors, most=2e-5):
    store_model(model, config, architectures.as_stored(title, config, weights))
    gguf.write(file, {**architectures.gguf_metadata(config), **metadata}, tensors)
    np.save(tokens, rng.integers(0, config["vocab_size"], 300).astype("<u2"))
    scored = ["--tokens", tokens, "--context", "100"]
    ours, = measured("--model", model, *scored)
    theirs, = measured("--model", file, *scored)
    if abs(ours["mean_nll"] - theirs["mean_nll"]) > most:
        fail(f"{title}: {ours['mean_nll']} nats in a folder, {theirs['mean_nll']} in a GGUF file")


config = architectures.CASES["mixtral"]
weights = architectures.tensors_of(config)
tensors = architectures.gguf_tensors(config, weights)
apart = {name: value for name, value in tensors.items() if "_exps." not in name}
for name, value in tensors.items():  # older files: each expert in a tensor of its own
    apart |= {name.replace("_exps", f".{e}"): part for e, part in enumerate(value)} if "_exps." in name else {}
same("mixtral", config, weights, {}, apart)
config = {**architectures.CASES["llama"], "rope_scaling": {"type": "linear", "factor": 4.0}}
weights = architectures.tensors_of(config)
same("linear without a type", config, weights, {"llama.rope.scaling.type": "linear", "llama.rope.freq_base": 10000},
     architectures.gguf_tensors(config, weights))
metadata = architectures.gguf_metadata(config)
metadata.pop("llama.rope.scaling.type")
gguf.write(file, metadata, architectures.gguf_tensors(config, weights))
scored = ["--tokens", tokens, "--context", "100"]
if measured("--model", file, *scored)[0]["mean_nll"] != measured("--model", model, *scored)[0]["mean_nll"]:
    fail("a factor of positions without a type is linear")
config = {**architectures.CASES["qwen2"], "rope_scaling": None}
weights = architectures.tensors_of(config)
tensors = architectures.gguf_tensors(config, weights)
for name in [name for name in tensors if "attn_q." in name or "attn_k." in name]:
    heads = config["num_attention_heads" if "attn_q" in name else "num_key_value_heads"]
    tensors[name] = architectures.interleaved(tensors[name], heads)
metadata = architectures.gguf_metadata(config)  # biases of q, k, v alone, in a file of Llama's kind
as_llama = {key.replace("qwen2.", "llama."): value for key, value in metadata.items()}
same("llama with biases of q, k, v", config, weights, {**as_llama, "general.architecture": "llama"}, tensors)
config = {**architectures.CASES["gemma2"], "attn_logit_softcapping": 50.0, "final_logit_softcapping": 30.0}
weights = architectures.tensors_of(config)
store_model(model, config, weights)
write(config, weights, attn_logit_softcapping=None, final_logit_softcapping=None)
np.save(tokens, rng.integers(0, config["vocab_size"], 300).astype("<u2"))
difference = measured("--model", model, *scored)[0]["mean_nll"] - measured("--model", file, *scored)[0]["mean_nll"]
if abs(difference) > 2e-5:
    fail(f"caps that a file does not name: {difference} nats off")

# Quantized: the same planes.
config = architectures.CASES["llama, head_dim, tied"]
weights = architectures.tensors_of(config)
store_model(model, config, weights)
write(config, weights)
np.save(tokens, rng.integers(0, config["vocab_size"], 400).astype("<u2"))
calibrated = ["--calibration", tokens, "--seqlen", "48", "--nsamples", "4", "--group-size", "12", "--quiet"]
for method in ([], ["--method", "gptq"], ["--method", "signround", "--iters", "2", "--widths", "4"]):
    packed = []
    for source in (model, file):
        out = folder / f"{source.name}.jack"
        expect(0, run("quantize", source, "-o", out, *method, *(calibrated if method else calibrated[-3:])))
        packed.append(measured("--model", out, "--bits", "4", "--tokens", tokens, "--context", "100",
                               "--reference", source))
    if packed[0] != packed[1]:
        fail(f"{method}: {packed[0]} of the folder, {packed[1]} of the GGUF file")

# A tokenizer comes along, into the quantized file, too.
config = json.loads((MODEL / "config.json").read_text())
lines = (MODEL.parent / "data" / "test.txt").read_text()[:6000]
(folder / "text.txt").write_text(lines)
data = (MODEL / "model.safetensors").read_bytes()
size = int.from_bytes(data[:8], "little")
header = json.loads(data[8 : 8 + size])
header.pop("__metadata__", None)
weights = {name: np.frombuffer(data[8 + size :][slice(*about["data_offsets"])], "<f2").reshape(about["shape"])
           for name, about in header.items()}
gguf.write(file, {**architectures.gguf_metadata(config), **gguf.vocabulary(MODEL / "tokenizer.model")},
           architectures.gguf_tensors(config, weights))
expect(0, run("quantize", file, "-o", folder / "text.jack", "--quiet"))
scored_text, weights_of_model = ["--text", folder / "text.txt", "--context", "200"], weights
ours, theirs = (without_size(measured("--model", of, *scored_text)) for of in (MODEL, file))
packed, = measured("--model", folder / "text.jack", "--bits", "8", *scored_text)
if ours != theirs or packed["mean_nll"] - ours[0]["mean_nll"] > 0.01:
    fail(f"{ours} of the repository's model, {theirs} of a GGUF file, {packed} of what was made of that")

# SentencePiece's rules hold whatever a converter wrote: the unknown piece as a control, spaces of added pieces as such,
# pieces that are empty or there twice.
vocabulary = gguf.vocabulary(MODEL / "tokenizer.model")
pieces, kinds = vocabulary["tokenizer.ggml.tokens"], vocabulary["tokenizer.ggml.token_type"]
kinds[0] = 3
for changes in ({}, {len(pieces) - 1: ("", 5), len(pieces) - 2: (pieces[300], 1)}):
    changed, of = list(pieces), list(kinds)
    for at, (piece, kind) in changes.items():
        changed[at], of[at] = piece, kind
    gguf.write(file, {**architectures.gguf_metadata(json.loads((MODEL / "config.json").read_text())), **vocabulary,
                      "tokenizer.ggml.tokens": changed, "tokenizer.ggml.token_type": of},
               architectures.gguf_tensors(json.loads((MODEL / "config.json").read_text()), weights_of_model))
    theirs = without_size(measured("--model", file, *scored_text))
    if not changes and theirs != ours:
        fail(f"{ours} of the repository's model, {theirs} where <unk> is a control piece")

# What is not understood is refused with a sentence; what is read past is named.
config = architectures.CASES["llama"]
weights = architectures.tensors_of(config)
np.save(tokens, rng.integers(0, config["vocab_size"], 100).astype("<u2"))
asked = ["eval", "--model", file, "--tokens", tokens]
for changes, words in (({"attention__head_count": None}, ["llama.attention.head_count"]),
                       ({"rope__dimension_count": 6}, ["llama.rope.dimension_count", "6"]),
                       ({"attention__value_length": 7}, ["llama.attention.value_length", "7"]),
                       ({"rope__scaling__type": "ntk"}, ["llama.rope.scaling.type", "ntk", "yarn"]),
                       ({"rope__freq_base": math.nan}, ["llama.rope.freq_base", "finite"]),
                       ({"attention__layer_norm_rms_epsilon": math.inf}, ["llama.attention.layer_norm_rms_epsilon"]),
                       ({"rope__scale_linear": 4.0}, ["llama.rope.scale_linear"]),
                       ({"block_count": 2**32 - 1}, ["llama.block_count", "4096"]),
                       ({"attention__head_count": 0}, ["num_attention_heads"]),
                       ({"block_count": 3}, ["blk.2.", "no tensor"]),
                       ({"embedding_length": 40}, ["blk.0.attn_q.weight", "[48, 48]", "[48, 40]"])):
    write(config, weights, **changes)
    expect(1, run(*asked), *words)
write(config, weights, attention__temperature=2.0, attn_logit_softcapping=9.0)
said = run(*asked)
if said.returncode != 0 or "llama.attention.temperature', 'llama.attn_logit_softcapping'" not in said.stderr:
    fail(f"an unknown key: {said.stderr!r}")
metadata = architectures.gguf_metadata(config)
tensors = architectures.gguf_tensors(config, weights)
for kind in ("grok", ""):
    gguf.write(file, {**metadata, **{key.replace("llama", kind): value for key, value in metadata.items()},
                      "general.architecture": kind}, tensors)
    expect(1, run(*asked), "general.architecture", kind, "gemma2")
gguf.write(file, metadata, {**tensors, "blk.0.attn_sinks": np.zeros(4)})
expect(1, run(*asked), "blk.0.attn_sinks")
tensors["blk.0.attn_q.weight"][3, 5] = np.nan
gguf.write(file, metadata, tensors)
expect(1, run(*asked), "blk.0.attn_q.weight", "row 3", "column 5")
gguf.write(file, {**metadata, "tokenizer.ggml.model": "bert"}, architectures.gguf_tensors(config, weights))
(folder / "text.txt").write_text("abc")
expect(1, run("eval", "--model", file, "--text", folder / "text.txt"), "tokenizer.ggml.model", "bert", "gpt2")
