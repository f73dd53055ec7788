# SPDX-License-Identifier: BSD-3-Clause
"""quality.py WITNESS JUDGE QUANTIZER FOLDER NPM: the programs that measure files of llama.cpp's types, on a few windows
of the repository's model.

- The judge finds a file to be itself, its loss is the witness's, and the KL of a model with noise on its weights is
  what numpy computes.
- The quantizer makes each matrix the named type or the one that takes its place, and head and embedding
  F16; with an importance matrix it comes nearer; without one it refuses the types that need one.
"""
import json
import pathlib
import subprocess
import sys

import numpy as np

import architectures
import checkpoints
import gguf
import gguf_read
import importance
import llama_npm
import reference

EXAMPLES = pathlib.Path(__file__).resolve().parents[2] / "examples"
WINDOW, TOKENS = 256, 400  # the last window is a short one
BOUND = 2e-4  # nats, as llama_cpp.py has it
WANTED = {"q4_0": ({"q4_0": 42}, 4.5),  # rows of 256 and 704
          "q2_k": ({"q2_k": 36, "q4_0": 6}, None), "iq2_s": ({"iq2_s": 36, "iq4_nl": 6}, None)}

witness, judge, quantizer, folder, npm = sys.argv[1:]
folder = pathlib.Path(folder)
folder.mkdir(parents=True, exist_ok=True)
bins = llama_npm.libraries(pathlib.Path(npm))
problems = []


def check(good, problem):
    if not good:
        problems.append(problem)


def said_by(program, *arguments):
    done = subprocess.run([program, bins, *map(str, arguments)], capture_output=True, text=True)
    return [json.loads(line) for line in done.stdout.splitlines()] if done.returncode == 0 else done.stderr


def write(name, c, tensors):
    gguf.write(folder / name, {**architectures.gguf_metadata(c), **gguf.vocabulary(EXAMPLES / "model/tokenizer.model")},
               architectures.gguf_tensors(c, tensors))
    return folder / name


def log_p(model, window):
    logits = model.logits(window)
    logits -= logits.max(-1, keepdims=True)
    return logits - np.log(np.exp(logits).sum(-1, keepdims=True))


config, weights = checkpoints.load(EXAMPLES / "model")
rng = np.random.default_rng(3)
noisy = {name: value + value.std() * rng.normal(0, 0.1, value.shape).astype("<f4") if value.ndim == 2 else value
         for name, value in weights.items()}
dense, other = write("dense.gguf", config, weights), write("noisy.gguf", config, noisy)
(folder / "text.txt").write_bytes((EXAMPLES / "data/test.txt").read_bytes()[:4000])
ids = np.array(said_by(witness, dense, folder / "text.txt")[0]["tokens"][:TOKENS])
ids.astype("<u4").tofile(folder / "tokens.bin")
windows = [ids[at : at + WINDOW] for at in range(0, TOKENS, WINDOW)]

# the judge
first, same, noise = said_by(judge, folder / "tokens.bin", WINDOW, dense, dense, other)
loss = said_by(witness, dense, folder / "tokens.bin", WINDOW)[0]["mean_nll"]
check(same["kl_divergence"] == 0 and same["top1_agreement"] == 1 and same["window_nll"] == first["window_nll"],
      f"the dense file is not itself: {same}")
check(first["mean_nll"] == loss, f"the judge finds {first['mean_nll']} nats, the witness {loss}")
models = [reference.Model(config, tensors) for tensors in (weights, noisy)]
kl = []
for window in windows:
    p, q = (log_p(model, window)[:-1] for model in models)
    kl.append((np.exp(p) * (p - q)).sum())
mean = sum(kl) / (TOKENS - len(windows))
print(f"noise: KL {noise['kl_divergence']:.6f}, numpy {mean:.6f}")
check(abs(noise["kl_divergence"] - mean) < BOUND and mean > 100 * BOUND, f"KL {noise['kl_divergence']}, numpy {mean}")
check(np.allclose(noise["window_kl"], kl, rtol=0, atol=BOUND * WINDOW), f"of windows: {noise['window_kl']}, {kl}")

# the quantizer
sums, tokens = importance.sums_of(config, weights, windows)
importance.write(folder / "imatrix.gguf", sums, tokens, "test.txt", WINDOW)
found = {}
for kind, (types, bits) in WANTED.items():
    for ending, more in (("", []), ("-imatrix", [folder / "imatrix.gguf"])):
        file = folder / f"{kind}{ending}.gguf"
        said = said_by(quantizer, dense, file, kind, *more)
        if kind.startswith("iq2") and not more:
            check(isinstance(said, str) and "imatrix" in said, f"{kind} without an importance matrix: {said}")
            continue
        if isinstance(said, str):
            problems.append(f"{kind}: {said}")
            continue
        check(said[0]["importances"] == (42 if more else 0), f"{kind}: {said}")
        made = gguf_read.layers_of(file)
        check(made[0] == types and bits in (None, made[1]), f"{kind} is {made}")
        check(gguf_read.table(file)["token_embd.weight"][0] == "f16", f"{kind}: an embedding that is not F16")
        found[file.stem] = said_by(judge, folder / "tokens.bin", WINDOW, dense, file)[1]["kl_divergence"]
print(found)
check(found["q2_k-imatrix"] < found["q2_k"], "an importance matrix changes nothing for the better")
for problem in problems:
    print(problem, file=sys.stderr)
sys.exit(bool(problems))
