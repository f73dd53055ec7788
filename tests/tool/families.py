# SPDX-License-Identifier: BSD-3-Clause
"""families.py JACKPLANE FOLDER: every method of the tool on a model of each family; what it measures of the result."""
import json
import pathlib
import sys

import numpy as np

from harness import expect, fail, folder, iterations, run, store_model, tokenizer

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "clients"))
import architectures  # noqa: E402

FAMILIES = ("llama, rope llama3", "llama, biases", "mistral, window", "qwen2", "qwen3", "gemma2", "gemma3", "phi3",
            "phi3, partial, longrope's long", "mixtral, stacked", "mixtral, every expert", "qwen3_moe, dense layers",
            "qwen3_moe, many experts")
METHODS = ([], ["--method", "mse"], ["--method", "gptq"], ["--method", "awq", "--bits", "4"],
           ["--method", "matgptq", "--widths", "8,4"], ["--method", "nested-gptq", "--widths", "2,4"],
           ["--method", "signround", "--widths", "2,4"], ["--method", "signround", "--balance", "--widths", "4"],
           ["--method", "signround", "--layer-wise", "--widths", "4"], ["--method", "omniquant", "--widths", "4"],
           ["--method", "efficientqat", "--widths", "4", "--scale-iters", "1"], ["--method", "qat", "--widths", "4"],
           ["--method", "squeezellm", "--bits", "4"], ["--significant", "1", "--outliers", "1", "--bits", "4"])
model, file, tokens = folder / "model", folder / "model.jack", folder / "tokens.npy"
UNREAD = "no token of the calibration text goes to expert"
rng = np.random.default_rng(3)
for name in FAMILIES:
    config = architectures.CASES[name]
    weights = architectures.tensors_of(config)
    store_model(model, config, architectures.as_stored(name, config, weights))
    many = "many experts" in name  # more than tokens go to
    # A token whose experts change with the weights says something else at once, which is no part of the integral.
    jumps = architectures.reference.experts(config) > config.get("num_experts_per_tok", 0)
    text = ["--calibration", tokens, "--seqlen", "24" if many else "48", "--nsamples", "1" if many else "4"]
    np.save(tokens, rng.integers(0, config["vocab_size"], 400).astype("<u2"))
    scored = ["--tokens", tokens, "--context", "100", "--reference", model, "--json"]
    for method in METHODS:
        asked = [*method, "--group-size", "12"] if "squeezellm" not in method else method
        reads = [] if method in ([], ["--method", "mse"]) else text
        done = expect(0, run("quantize", model, "-o", file, "--quiet", *asked, *reads, *iterations(method, 2, 1)))
        if (UNREAD in done.stderr) != bool(many and reads):
            fail(f"{name}, {method}: {done.stderr}")
        bits = 4 if "4" in method else 8
        rows = json.loads(expect(0, run("eval", "--model", file, "--bits", f"fp32,{bits}", *scored)).stdout)["rows"]
        by_tokens = json.loads(expect(0, run("eval", "--model", file, "--bits", bits, "--activation", "exact",
                                             *scored)).stdout)["rows"]
        # nats; of other weights it would be several
        most = (0.1 if jumps else 0.01) if method in METHODS[:3] else 2.0 if jumps else 1.0
        if not 0 <= rows[1]["kl_divergence"] < most:
            fail(f"{name}, {method}: KL {rows[1]['kl_divergence']} at {bits} bits")
        if abs(by_tokens[0]["mean_nll"] - rows[1]["mean_nll"]) > 1e-4:
            fail(f"{name}, {method}: {by_tokens[0]['mean_nll']} decoded, {rows[1]['mean_nll']} in a batch")
    expect(0, run("quantize", model, "-o", file, "--quiet"))
    total = json.loads(expect(0, run("sensitivity", model, "--quantized", file, "--bits", "8", "--quiet", "--json",
                                     "--total-only", *text)).stdout)["total"]
    if not jumps and abs(total["pqi"] - total["actual"]) > 0.02 * abs(total["actual"]) + 1e-6:
        fail(f"{name}: the integral says {total['pqi']}, the loss {total['actual']}")
    if "dense layers" in name:  # which are larger than the others: a bit of theirs costs more
        (model / "tokenizer.model").write_bytes(tokenizer(False))
        (folder / "text.txt").write_text("".join(chr(ord("a") + n) for n in rng.integers(0, 26, 600)))
        expect(0, run("quantize", model, "-o", file, "--quiet"))
        found = json.loads(expect(0, run("allocate", "--model", file, "--text", folder / "text.txt", "--average", "3",
                                         "--widths", "2,3,4,8", "--quiet", "--json")).stdout)
        (model / "tokenizer.model").unlink()
        sizes = np.zeros(config["num_hidden_layers"])
        for tensor, value in weights.items():
            if "_proj" in tensor:
                sizes[int(tensor.split(".")[2])] += value.size
        head = weights.get("lm_head.weight", weights["model.embed_tokens.weight"]).size
        bits = np.dot([*sizes, head], [*found["mix"], found["head_bits"]]) / (sizes.sum() + head)
        if abs(bits - found["bits"]) > 1e-9 or bits > 3 or len(set(sizes)) != 2:
            fail(f"{name}: {found}, layers of {sizes} weights, a head of {head}")
print("families: ok")
