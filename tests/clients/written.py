# SPDX-License-Identifier: BSD-3-Clause
"""written.py JACKPLANE FOLDER WRITTEN WITNESS [PREFIX]: GGUF files that the engine writes.

Of tiny models of each architecture: metadata and tensors are those that architectures.py makes of them in Python, the
tool scores such a file as the folder, and llama.cpp as the tool within 2e-4 nats. Matrices in blocks, each type by
itself, the repository's model with its tokenizer, and what cannot be written. llama.cpp comes built from npm (into
PREFIX, else FOLDER/npm); where npm does not bring it, the test is skipped: exit code 77.
"""
import json
import pathlib
import subprocess
import sys

import numpy as np

import architectures
import gguf
import gguf_read
import llama_npm

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tool"))
from harness import expect, fail, field, folder, run, store_model, tokenizer  # noqa: E402

EXAMPLES = pathlib.Path(__file__).resolve().parents[2] / "examples"
BOUND = 2e-4  # nats, of fp32 weights
ROUNDED = 2e-5  # 1 + w of a norm, frequencies and scales of q are rounded to fp32 in the file
written, witness = sys.argv[3:5]
bins = llama_npm.libraries(pathlib.Path(sys.argv[5]) if len(sys.argv) > 5 else folder / "npm")
model, file, tokens, raw = folder / "model", folder / "model.gguf", folder / "tokens.npy", folder / "tokens.bin"
rng = np.random.default_rng(4)


def write(*arguments):
    return subprocess.run([written, *map(str, arguments)], capture_output=True, text=True)


def by_tool(which, *given):
    given = given or ("--tokens", tokens, "--context", 200)
    return json.loads(expect(0, run("eval", "--model", which, *given, "--json")).stdout)["rows"][0]["mean_nll"]


def by_llama(text=raw, context=200):
    done = subprocess.run(list(map(str, (witness, bins, file, text, context))), capture_output=True, text=True)
    if done.returncode != 0:
        fail(f"llama.cpp says {done.stderr.strip()}")
    return json.loads(done.stdout)["mean_nll"]


def draw(config, count=200):
    ids = rng.integers(0, config["vocab_size"], count)
    np.save(tokens, ids.astype("<u2"))
    ids.astype("<u4").tofile(raw)


def in_fp32(weights):
    """One column of every matrix scaled far down, which half does not hold: so all are written in F32."""
    out = {}
    for name, value in weights.items():
        out[name] = value.copy()
        if value.ndim > 1:
            out[name][..., 0] *= np.float32(1e-6)
    return out


def in_half(weights):
    return {name: value.astype("<f2").astype("<f4") if value.ndim > 1 else value for name, value in weights.items()}


def same_metadata(title, config, found):
    """All that architectures.py says of it is there, and beyond that only what is known here."""
    wanted = architectures.gguf_metadata(config)
    for key, value in wanted.items():
        there = found.get(key)
        right = np.isclose(there, value, rtol=1e-6) if isinstance(value, float) and there else there == value
        if not right:
            fail(f"{title}: {key} is {there}, not {value}")
    more = {key.split(".", 1)[1] for key in set(found) - set(wanted)}
    if more - {"type", "file_type", "quantization_version", "name", "attention.sliding_window_pattern",
               "rope.freq_base_swa"} or found["general.name"] != "a model" or found["general.file_type"] != 0:
        fail(f"{title}: {more}, file_type {found['general.file_type']}")


def same_tensors(title, config, weights, found):
    wanted = architectures.gguf_tensors(config, weights)
    if set(wanted) != set(found):
        fail(f"{title}: {set(wanted) ^ set(found)}")
    for name, value in wanted.items():
        if found[name].shape != value.shape or not np.allclose(found[name], value, rtol=2e-7, atol=1e-9):
            fail(f"{title}: {name} {found[name].shape} is another one than {value.shape}")


def without_tokenizer():
    for name in ("tokenizer.model", "tokenizer_config.json"):
        (model / name).unlink(missing_ok=True)


without_tokenizer()  # of a run that failed
for title, config in architectures.CASES.items():
    weights = in_fp32(architectures.tensors_of(config))
    store_model(model, config, architectures.as_stored(title, config, weights))
    done = write(model, file)
    if title == "qwen3_moe, dense layers":
        if done.returncode != 1 or "norm_topk_prob" not in done.stderr:
            fail(f"{title}: {done.stderr!r}")
        store_model(model, {**config, "norm_topk_prob": True}, weights)
        expect(1, write(model, file), "layer 0 has no experts")
        continue
    expect(0, done)
    metadata, found = gguf_read.read(file)
    same_metadata(title, config, metadata)
    same_tensors(title, config, weights, found)
    draw(config)
    ours, theirs, llama = by_tool(model), by_tool(file), by_llama()
    print(f"{title:32} folder {ours:.6f}  file {theirs:.6f}  llama.cpp {llama:.6f}", flush=True)
    if not abs(ours - theirs) < ROUNDED:
        fail(f"{title}: {ours} nats of the folder, {theirs} of the file")
    if not abs(llama - theirs) < BOUND:
        fail(f"{title}: llama.cpp finds {llama} nats, the tool {theirs}")
    again = folder / "again.gguf"  # what is read from such a file is written as it was
    expect(0, write(file, again))
    other, tensors = gguf_read.read(again)
    changed = {key for key in set(metadata) | set(other) if metadata.get(key) != other.get(key)}
    off = {name for name, value in found.items()
           if name not in tensors or not np.allclose(tensors[name], value, rtol=2e-7, atol=2e-7)}
    if changed or off or len(tensors) != len(found):
        fail(f"{title}: a file of the file differs in {changed}, {off}")

# In half, where that holds all: the same numbers; llama.cpp rounds what such matrices read to half.
config = architectures.CASES["mistral"]
weights = in_half(architectures.tensors_of(config))
store_model(model, config, weights)
expect(0, write(model, file))
metadata, found = gguf_read.read(file)
same_tensors("in half", config, weights, found)
if metadata["general.file_type"] != 1:
    fail(f"file_type {metadata['general.file_type']}")
draw(config)
if by_tool(model) != by_tool(file):
    fail("in half")
if abs(by_llama() - by_tool(file)) > 2e-3:
    fail(f"in half: llama.cpp finds {by_llama()} nats, the tool {by_tool(file)}")

# In blocks, several types in one model: rows of q and k move as a whole, experts lie in one tensor. What llama.cpp
# multiplies by such matrices it rounds to 8 bits first.
sizes = {"hidden_size": 64, "intermediate_size": 96}
for title in ("llama, biases", "mixtral", "qwen3", "phi3", "gemma3"):
    config = {**architectures.CASES[title], **sizes, "head_dim": 16}
    if "query_pre_attn_scalar" in config:
        config["query_pre_attn_scalar"] = 16
    weights = architectures.tensors_of(config)
    store_model(model, config, weights)
    draw(config)
    types = ["Q8_0"] if title in ("mixtral", "phi3") else ["Q8_0", "Q5_1", "Q8_0", "Q8_0", "Q5_0", "Q8_0", "Q8_0"]
    expect(0, write(model, file, *types))
    metadata, found = gguf_read.read(file)
    if found["blk.0.attn_output.weight"] != 8 or metadata["general.file_type"] != 7:
        fail(f"{title}: {found['blk.0.attn_output.weight']}, {metadata['general.file_type']}")
    dense, ours, llama = by_tool(model), by_tool(file), by_llama()
    print(f"{title:32} dense {dense:.6f}  in blocks {ours:.6f}  llama.cpp {llama:.6f}", flush=True)
    if not abs(ours - llama) < 0.02 or not abs(ours - dense) < 0.1:
        fail(f"{title}: {dense} nats, in blocks {ours}, by llama.cpp {llama}")

# Each type by itself. What libllama multiplies a matrix by it rounds first: to the numbers of the matrix, or to int8
# in blocks that share a scale. BOUNDS beyond the usual: four times the root of the mean square of what that made of
# four models like this one, 1,000 tokens each (BF16 0.0008 nats; int8 in blocks of 32 0.0017, of 256 0.0031; F16
# 0.00006). One wrong code in each block of 32 (its bit 4) makes 0.03 to 0.04 nats.
BOUNDS = {"no rounding": (BOUND, "F32"), "to F16": (BOUND, "F16"), "to BF16": (0.0034, "BF16"),
          "int8, blocks of 32": (0.007, "Q4_0 Q4_1 Q5_0 Q5_1 Q8_0 IQ4_NL MXFP4 Q1_0 Q2_0"),
          "int8, blocks of 256": (0.0125, "Q2_K Q3_K Q4_K Q5_K Q6_K IQ4_XS TQ1_0 TQ2_0")}
config = {**architectures.LLAMA, "hidden_size": 256, "intermediate_size": 512, "head_dim": 64}
store_model(model, config, in_fp32(architectures.tensors_of(config)))
draw(config, 1000)
said = expect(2, run("quantize", model, "-o", file, "--format", "gguf", "--type", "none"), "there are ").stderr
known = said.split("there are ")[1].split(" (")[0].split(", ")
if sorted(known) != sorted(kind for _, kinds in BOUNDS.values() for kind in kinds.split()):
    fail(f"the types are {known}")
for rounding, (bound, kinds) in BOUNDS.items():
    for kind in kinds.split():
        expect(0, write(model, file, kind))
        ours, llama = by_tool(file), by_llama()
        print(f"{kind:8} {rounding:20} tool {ours:.6f}  llama.cpp {llama:.6f}  {llama - ours:+.6f} of {bound}",
              flush=True)
        if not abs(ours - llama) < bound:
            fail(f"{kind}: {ours} nats by the tool, {llama} by llama.cpp")

# The repository's model, whose text llama.cpp tokenizes for itself.
data = (EXAMPLES / "data" / "test.txt").read_bytes()
text = folder / "text.txt"
text.write_bytes(data[: data.index(b"\n", 4000) + 1])
expect(0, write(EXAMPLES / "model", file))
metadata, found = gguf_read.read(file)
for key, value in gguf.vocabulary(EXAMPLES / "model" / "tokenizer.model").items():
    if metadata[key] != value:
        fail(f"{key} of the repository's model")
given = ("--text", text, "--context", 512)
ours, theirs, llama = by_tool(EXAMPLES / "model", *given), by_tool(file, *given), by_llama(text, 512)
print(f"{'examples/model':32} folder {ours:.6f}  file {theirs:.6f}  llama.cpp {llama:.6f}", flush=True)
if ours != theirs or abs(ours - llama) > 2e-3:
    fail(f"{ours} nats of the repository's model, {theirs} of the file, {llama} by llama.cpp")

# What tokenizer_config.json adds: pieces behind those of tokenizer.model, what starts and ends a text, a template.
config = {**architectures.CASES["llama"], "vocab_size": 34}
store_model(model, config, in_half(architectures.tensors_of(config)))
(model / "tokenizer_config.json").write_text(json.dumps({
    "bos_token": "<s>", "eos_token": {"content": "</s>"}, "pad_token": "<|pad|>", "add_bos_token": True,
    "chat_template": [{"name": "tools", "template": "no"}, {"name": "default", "template": "{{ messages }}"}],
    "added_tokens_decoder": {"30": {"content": "<|pad|>", "special": True},
                             "31": {"content": "<tool>", "special": False}}}))
(model / "tokenizer.model").write_bytes(tokenizer(True))
expect(1, write(model, file), "tokenizer.model", "BPE")
(model / "tokenizer.model").write_bytes(tokenizer(True) + field(2, field(3, 2)))
expect(1, write(model, file), "tokenizer.model", "spaces that stay")
(model / "tokenizer.model").write_bytes(tokenizer(True) + field(2, field(3, 2)) + field(3, field(4, 0)))
expect(0, write(model, file))
metadata, _ = gguf_read.read(file)
for key, value in {"bos_token_id": 1, "eos_token_id": 2, "padding_token_id": 30, "unknown_token_id": 0,
                   "add_bos_token": True, "add_eos_token": False, "add_space_prefix": False, "model": "llama"}.items():
    if metadata[f"tokenizer.ggml.{key}"] != value:
        fail(f"{key} is {metadata[f'tokenizer.ggml.{key}']}")
added = [metadata[f"tokenizer.ggml.{key}"][29:] for key in ("tokens", "token_type", "scores")]
if metadata["tokenizer.chat_template"] != "{{ messages }}" or added != [
        ["z", "<|pad|>", "<tool>", "[PAD32]", "[PAD33]"], [1, 3, 4, 5, 5], [-1, -1000, -1000, -10000, -10000]]:
    fail(f"{added}, {metadata['tokenizer.chat_template']!r}")
text.write_text("a cab, a bad cab and a deed\n" * 6)
draw(config)
given = ("--text", text, "--context", 64)
if by_tool(model, *given) != by_tool(file, *given) or not abs(by_llama() - by_tool(file)) < 2e-3:
    fail("a vocabulary with added pieces")
without_tokenizer()

# What cannot be said, and what is no matrix of the model.
for title, changes, words in (
        ("qwen2", {"rope_scaling": {**architectures.LLAMA3}}, ["rope_scaling", "llama3"]),
        ("qwen3", {"use_sliding_window": True, "sliding_window": 24, "max_window_layers": 0}, ["sliding_window"]),
        ("gemma2", {"attn_logit_softcapping": None}, ["attn_logit_softcapping"]),
        ("gemma2", {"layer_types": ["full_attention", "sliding_attention", "full_attention"]}, ["layer_types"]),
        ("gemma3", {"layer_types": ["sliding_attention", "full_attention", "full_attention"] +
                    ["sliding_attention"] * 4}, ["layer_types"]),
        ("gemma3", {"attn_logit_softcapping": 20.0}, ["attn_logit_softcapping"]),
        ("llama", {"rope_scaling": {**architectures.YARN, "truncate": False}}, ["truncate"])):
    config = {**architectures.CASES[title], **changes}
    store_model(model, config, architectures.tensors_of(config))
    expect(1, write(model, file), *words)
config = {**architectures.CASES["phi3"], **sizes}
store_model(model, config, architectures.tensors_of(config))
expect(1, write(model, file, "Q8_0", "Q4_0"), "blk.0.attn_qkv.weight", "Q8_0", "Q4_0")
config = {**architectures.CASES["gemma2"], **sizes, "head_dim": 16}
store_model(model, config, architectures.tensors_of(config))
expect(1, write(model, file, "Q8_0"), "q_proj", "scales scores")
