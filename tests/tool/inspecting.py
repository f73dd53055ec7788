# SPDX-License-Identifier: BSD-3-Clause
"""inspecting.py JACKPLANE FOLDER: what inspect says of GGUF files and folders is what they hold, and eval calls the row
of a GGUF file by it."""
import collections
import json
import math
import pathlib
import shutil
import sys

import numpy as np

from harness import expect, fail, folder, run, store_model

sys.path[:0] = [str(pathlib.Path(__file__).resolve().parents[1] / name) for name in ("clients", "files")]
import architectures  # noqa: E402
import gguf_read  # noqa: E402
import safetensors  # noqa: E402

SIZES = {"hidden_size": 256, "intermediate_size": 288, "num_attention_heads": 4, "num_key_value_heads": 2,
         "head_dim": 64, "vocab_size": 128}
model, file, tokens, out = folder / "model", folder / "model.gguf", folder / "tokens.npy", folder / "out"
np.save(tokens, np.arange(100, dtype="<u2"))


def inspected(path):
    """The report, whose numbers the lines have, too."""
    said = json.loads(expect(0, run("inspect", path, "--json")).stdout)
    first, *lines = expect(0, run("inspect", path)).stdout.splitlines()
    for wanted in (str(path), said["format"], said["architecture"], f"{said['bits_per_weight']:.4f} bits"):
        if wanted not in first:
            fail(f"inspect {path}: no {wanted} in {first}")
    if [line.split()[:2] for line in lines] != [[of["type"], str(of["tensors"])] for of in said["types"]]:
        fail(f"inspect {path}: {lines} of {said['types']}")
    return said


def expect_says(said, architecture, kind, bytes_, bits, tensors):
    """tensors: name -> type, shape, bytes"""
    found = {t["name"]: (t["dtype"], t["shape"], t["bytes"]) for t in said["tensors"]}
    types = collections.Counter(t for t, _, _ in tensors.values())
    sizes = collections.Counter()
    for of, _, size in tensors.values():
        sizes[of] += size
    counted = {of["type"]: (of["tensors"], of["bytes"]) for of in said["types"]}
    if ((said["architecture"], said["format"], said["bytes"]) != (architecture, kind, bytes_) or found != tensors or
            abs(said["bits_per_weight"] - bits) > 1e-9 or counted != {t: (types[t], sizes[t]) for t in types}):
        fail(f"{architecture}, {kind}: {said}")


for family in ("llama", "llama, head_dim, tied", "mixtral"):
    config = {**architectures.CASES[family], **SIZES}
    store_model(model, config, architectures.as_stored(family, config, architectures.tensors_of(config)))
    expect(0, run("quantize", model, "-o", file, "--quiet", "--format", "gguf", "--type", "q4_k"))
    held = {name: (kind.upper(), shape, size) for name, (kind, shape, size) in gguf_read.table(file).items()}
    weights = {name: math.prod(shape) for name, (_, shape, _) in held.items()}
    expect_says(inspected(file), "llama", "GGUF", file.stat().st_size,
                8 * sum(size for _, _, size in held.values()) / sum(weights.values()), held)

    row, = json.loads(expect(0, run("eval", "--model", file, "--tokens", tokens, "--json")).stdout)["rows"]
    multiplied = [name for name in weights if len(held[name][1]) > 1 and "gate_inp" not in name and
                  (name != "token_embd.weight" or "output.weight" not in held)]
    most = collections.Counter()
    for name in multiplied:
        most[held[name][0]] += weights[name]
    bits = 8 * sum(held[name][2] for name in multiplied) / sum(weights[name] for name in multiplied)
    read = 0
    for name, (_, _, size) in held.items():
        if name == "token_embd.weight" and "output.weight" in held:
            size //= config["vocab_size"]
        if "_exps" in name:
            size = size * config["num_experts_per_tok"] // config["num_local_experts"]
        read += size
    found = row["bits"], row["effective_bits"], row["bytes_per_token"]
    if len(most) < 2 or found != (most.most_common(1)[0][0], bits, read):
        fail(f"{family}: the row is {found}, the file has {most}, {bits} bits, {read} bytes")
    line = expect(0, run("eval", "--model", file, "--tokens", tokens)).stdout.splitlines()[-1]
    if line.split("|")[0].strip() != row["bits"] or f"{bits:.3f}" not in line:
        fail(f"{family}: {line}")
expect(2, run("inspect", file, "--verify"), "--verify", "nested")

# a name of six letters leaves the columns where they are
expect(0, run("quantize", model, "-o", file, "--quiet", "--format", "gguf", "--type", "iq4_nl"))
*_, head, _, line = expect(0, run("eval", "--model", file, "--tokens", tokens)).stdout.splitlines()
places = [[at for at, c in enumerate(each) if c == "|"][1:] for each in (head, line)]
if "IQ4_NL" not in line or places[0] != places[1]:
    fail(f"columns:\n{head}\n{line}")

# folders: numbers, and codes in words
config = {**architectures.CASES["llama"], **SIZES}
store_model(model, config, architectures.tensors_of(config))
for path, kind in ((model, "numbers"), (out, "gptq of 4 bits")):
    if path == out:
        shutil.rmtree(out, ignore_errors=True)
        expect(0, run("quantize", model, "-o", folder / "m.jack", "--quiet", "--bits", "4", "--group-size", "32"))
        expect(0, run("export", folder / "m.jack", "--bits", "4", "--format", "gptq", "-o", out))
    held = {name: ({"f": "F", "i": "I"}[value.dtype.kind] + str(8 * value.itemsize), list(value.shape), value.nbytes)
            for name, value in safetensors.load(path / "model.safetensors")[0].items()}
    bytes_ = sum(size for _, _, size in held.values())
    weights = sum(value.size for value in architectures.tensors_of(config).values())
    expect_says(inspected(path), "llama", kind, bytes_, 8 * bytes_ / weights, held)
expect(2, run("inspect", model, "--verify"), "--verify", "nested")
print("inspecting: ok")
