# SPDX-License-Identifier: BSD-3-Clause
"""families.py JACKPLANE FOLDER: every method of the tool on a model of each family; what it measures of the result."""
import json
import pathlib
import sys

import numpy as np

from harness import expect, fail, folder, iterations, run, store_model

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "clients"))
import architectures  # noqa: E402

FAMILIES = ("llama, rope llama3", "llama, biases", "mistral, window", "qwen2", "qwen3", "gemma2", "gemma3", "phi3",
            "phi3, partial, longrope's long")
METHODS = ([], ["--method", "mse"], ["--method", "gptq"], ["--method", "awq", "--bits", "4"],
           ["--method", "matgptq", "--widths", "8,4"], ["--method", "nested-gptq", "--widths", "2,4"],
           ["--method", "signround", "--widths", "2,4"], ["--method", "signround", "--balance", "--widths", "4"],
           ["--method", "signround", "--layer-wise", "--widths", "4"], ["--method", "omniquant", "--widths", "4"],
           ["--method", "efficientqat", "--widths", "4", "--scale-iters", "1"], ["--method", "qat", "--widths", "4"],
           ["--method", "squeezellm", "--bits", "4"], ["--significant", "1", "--outliers", "1", "--bits", "4"])
model, file, tokens = folder / "model", folder / "model.jack", folder / "tokens.npy"
text = ["--calibration", tokens, "--seqlen", "48", "--nsamples", "4"]
rng = np.random.default_rng(3)
for name in FAMILIES:
    config = architectures.CASES[name]
    weights = architectures.tensors_of(config)
    store_model(model, config, weights)
    np.save(tokens, rng.integers(0, config["vocab_size"], 400).astype("<u2"))
    scored = ["--tokens", tokens, "--context", "100", "--reference", model, "--json"]
    for method in METHODS:
        asked = [*method, "--group-size", "12"] if "squeezellm" not in method else method
        reads = [] if method in ([], ["--method", "mse"]) else text
        expect(0, run("quantize", model, "-o", file, "--quiet", *asked, *reads, *iterations(method, 2, 1)))
        bits = 4 if "4" in method else 8
        rows = json.loads(expect(0, run("eval", "--model", file, "--bits", f"fp32,{bits}", *scored)).stdout)["rows"]
        by_tokens = json.loads(expect(0, run("eval", "--model", file, "--bits", bits, "--activation", "exact",
                                             *scored)).stdout)["rows"]
        most = 0.01 if method in METHODS[:3] else 1.0  # nats; of other weights it would be several
        if not 0 <= rows[1]["kl_divergence"] < most:
            fail(f"{name}, {method}: KL {rows[1]['kl_divergence']} at {bits} bits")
        if abs(by_tokens[0]["mean_nll"] - rows[1]["mean_nll"]) > 1e-4:
            fail(f"{name}, {method}: {by_tokens[0]['mean_nll']} decoded, {rows[1]['mean_nll']} in a batch")
    expect(0, run("quantize", model, "-o", file, "--quiet"))
    total = json.loads(expect(0, run("sensitivity", model, "--quantized", file, "--bits", "8", "--quiet", "--json",
                                     "--total-only", *text)).stdout)["total"]
    if abs(total["pqi"] - total["actual"]) > 0.02 * abs(total["actual"]) + 1e-6:
        fail(f"{name}: the integral says {total['pqi']}, the loss {total['actual']}")
print("families: ok")
