# SPDX-License-Identifier: BSD-3-Clause
"""imatrix.py JACKPLANE FOLDER: the squares that `jackplane imatrix` sums are those of what a numpy model reads."""
import pathlib
import struct
import sys

import numpy as np

from harness import expect, fail, folder, run, store_model

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "clients"))
import architectures  # noqa: E402
import gguf_read  # noqa: E402
import importance  # noqa: E402


def old_form(data):
    """Name, calls and sums of each entry; then what follows."""
    entries, at = struct.unpack_from("<i", data)[0], 4
    out = {}
    for _ in range(entries):
        size, = struct.unpack_from("<i", data, at)
        name = data[at + 4 : at + 4 + size].decode()
        calls, values = struct.unpack_from("<ii", data, at + 4 + size)
        at += 12 + size + 4 * values
        out[name] = calls, np.frombuffer(data, "<f4", values, at - 4 * values)
    return out, data[at:]


rng = np.random.default_rng(3)
model, tokens, to, old = folder / "model", folder / "tokens.npy", folder / "m.gguf", folder / "m.dat"
for title in ("llama, head_dim, tied", "llama, biases", "gemma2", "phi3", "mixtral", "qwen3_moe, dense layers",
              "qwen3_moe, many experts"):
    config = architectures.CASES[title]
    weights = architectures.tensors_of(config)
    store_model(model, config, weights)
    ids = rng.integers(0, config["vocab_size"], 130)
    np.save(tokens, ids.astype("<u2"))
    asked = ["imatrix", model, "--calibration", tokens, "--seqlen", "40", "--quiet"]
    expect(0, run(*asked, "-o", to))
    expect(0, run(*asked, "-o", old))
    watched = importance.Recorder(config, weights, with_head=True)
    for at in (0, 40, 80):
        watched.logits(ids[at : at + 40])
    metadata, found = gguf_read.read(to)
    if metadata != {"general.type": "imatrix", "imatrix.datasets": ["tokens.npy"], "imatrix.chunk_count": 3,
                    "imatrix.chunk_size": 40}:
        fail(f"{title}: {metadata}")
    if sorted(found) != sorted(f"{name}.{end}" for name in watched.squares for end in ("in_sum2", "counts")):
        fail(f"{title}: {sorted(found)}")
    of_old, rest = old_form(old.read_bytes())
    if rest != struct.pack("<ii", 3, 10) + b"tokens.npy" or set(of_old) != set(watched.squares):
        fail(f"{title}: {rest}, {set(of_old)}")
    for name, parts in watched.squares.items():
        wanted = np.stack([parts[expert] for expert in sorted(parts)])
        counts = np.array([watched.counts[name][expert] for expert in sorted(parts)])
        sums, tokens_of = found[name + ".in_sum2"], found[name + ".counts"]
        if sums.shape != wanted.shape or not np.allclose(sums, wanted, rtol=1e-4, atol=1e-7):
            fail(f"{title}: {name} is {np.abs(sums - wanted).max()} off")
        if tokens_of.shape != (len(counts), 1) or (tokens_of[:, 0] != counts).any():
            fail(f"{title}: {name} of {tokens_of} tokens, not {counts}")
        calls, values = of_old[name]
        means = wanted / np.maximum(counts, 1)[:, None]
        means[counts == 0] = 1
        of_all = wanted if len(counts) == 1 else means
        if calls != (counts[0] if len(counts) == 1 else 1) or not np.allclose(values, of_all.ravel(), rtol=1e-4):
            fail(f"{title}: {name} in the older form")

same = to.read_bytes()
expect(0, run(*asked, "-o", to))
if to.read_bytes() != same:
    fail("another run writes other bytes")
expect(1, run(*asked, "-o", model / "model.safetensors"), "model.safetensors", "is read")
expect(2, run("imatrix", model, "-o", to), "--calibration")

# The older form has one count for all experts of a layer; the quantizer takes either.
config = {**architectures.MIXTRAL, "hidden_size": 64, "intermediate_size": 96}
store_model(model, config, architectures.tensors_of(config))
made = []
for file in (to, old):
    expect(0, run(*asked, "-o", file))
    expect(0, run("quantize", model, "-o", folder / "made.gguf", "--format", "gguf", "--type", "q4_0",
                  "--method", "mse", "--imatrix", file, "--quiet"))
    made.append((folder / "made.gguf").read_bytes())
if made[0] != made[1]:
    fail("the two forms of one importance matrix make other blocks")
