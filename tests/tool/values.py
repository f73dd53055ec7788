# SPDX-License-Identifier: BSD-3-Clause
"""values.py JACKPLANE FOLDER: no number is lost in a file, and what is told about a file is what it holds.

Weights scaled far down and up again in the next matrix, norms and embeddings outside half, sparse values and columns
beyond 16 bits, slices that round, schemes, and the errors that `quantize` reports, all against numpy.
"""
import json
import pathlib
import shutil
import sys

import numpy as np

from harness import expect, fail, folder, make_model, run, store_model

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "files"))
import reader

V, O = "model.layers.0.self_attn.v_proj.weight", "model.layers.0.self_attn.o_proj.weight"
EMBEDDING, NORM = "model.embed_tokens.weight", "model.layers.0.input_layernorm.weight"
model, file, tokens = folder / "model", folder / "model.jack", folder / "tokens.npy"
np.save(tokens, np.random.default_rng(1).integers(0, 40, 160).astype("<u2"))
calibrated = ["--calibration", tokens, "--seqlen", "16", "--group-size", "8"]


def quantize(*options):
    """With a dense head: what becomes of dense tensors is looked at here."""
    return json.loads(expect(0, run("quantize", model, "-o", file, "--dense-head", "--json", "--quiet",
                                    *options)).stdout)


def error_of(report, name):
    return next(t["relative_error"] for t in report["tensors"] if t["name"] == name)


def perplexity(bits=8, of=file):
    rows = json.loads(expect(0, run("eval", "--model", of, "--tokens", tokens, "--bits", bits, "--json")).stdout)
    return rows["rows"][0]["perplexity"]


def read():
    """Tensors of the file as they are stored; what each is stored as."""
    of = reader.File(file)
    return {name: of.tensor(name) for name in of.tensors}, {name: t["dtype"] for name, t in of.tensors.items()}


def decode(name):
    """The weights of a matrix at 8 bits, those of the sparse part in their places."""
    return reader.File(file).weights(name, 8).astype(np.float64)


def same(a, b, what, bound=1e-3):
    if not abs(a / b - 1) <= bound:
        fail(f"{what}: {a} instead of {b}")


config, weights = make_model()


def store(**changes):
    store_model(model, config, {**weights, **changes})


def shifted(k):
    scale = np.longdouble(10) ** k
    return {V: (weights[V] / scale).astype("<f4"), O: (weights[O] * scale).astype("<f4")}


# v_proj x 10^-k and o_proj x 10^k: the same function, so the same perplexity and errors
methods = [["--method", "rtn"], ["--method", "rtn", "--scheme", "full-range"], ["--method", "mse", "--bits", "4"],
           ["--method", "rtn", "--bits", "3", "--scheme", "sym"], ["--method", "rtn", "--bits", "2"],
           ["--method", "gptq", *calibrated], ["--method", "awq", "--bits", "4", *calibrated],
           ["--method", "matgptq", "--widths", "8,4", *calibrated],
           ["--method", "nested-gptq", "--widths", "4,8", *calibrated],
           ["--method", "signround", "--widths", "4,8", "--iters", "8", "--finer-iters", "2", *calibrated],
           ["--method", "omniquant", "--widths", "8", "--iters", "4", *calibrated],
           ["--method", "qat", "--widths", "8", "--iters", "0", *calibrated],
           ["--method", "efficientqat", "--widths", "8", "--iters", "0", "--scale-iters", "3", *calibrated],
           ["--method", "rtn", "--scale-iters", "3", "--widths", "4,8", *calibrated],
           ["--method", "squeezellm", "--bits", "4", *calibrated[:4]]]
for options in methods:
    if "--group-size" not in options and "squeezellm" not in options:
        options += ["--group-size", "8"]
    bits = int(options[options.index("--bits") + 1]) if "--bits" in options else 8
    ends = (4, 5, 6) if options is not methods[0] else (4, 5, 6, 7, 10, 20, 30)
    store()
    exact = bits == 8 and options[1] == "rtn" and "--scale-iters" not in options  # learning goes other ways
    plain = error_of(quantize(*options), V)
    score = perplexity(bits)
    if exact and not 0.001 < plain < 0.01:
        fail(f"{options}: relative error {plain}")
    for k in ends:
        store(**shifted(k))
        error = error_of(quantize(*options), V)
        # bfloat16 moves a scale by 2^-9 of it: half a step at the end of 256 codes, and the codes that GPTQ and the
        # others choose after that
        if not 0.5 * plain < error < 1.5 * plain + 2e-3:
            fail(f"{options}, 10^{k}: v_proj's relative error {error}, {plain} without")
        same(perplexity(bits), score, f"{options}, 10^{k}: perplexity", 1e-3 if exact else 0.02)
        tensors, types = read()
        scales = tensors[V + ".scale"]
        smallest = abs(scales[scales != 0]).min()
        if types[V + ".scale"] == "F16" and smallest < 2.0**-14 and "squeezellm" not in options:
            fail(f"{options}, 10^{k}: a half scale of {smallest}")
    store()

# rows, or columns, scaled down alone
half_rows = np.where(np.arange(6) < 3, 1e-7, 1).astype("<f4")
store(**{V: weights[V] * half_rows[:, None]})
report = quantize("--group-size", "8")
w = decode(V)
for part in (slice(0, 3), slice(3, 6)):
    x = weights[V][part] * half_rows[part, None].astype(np.float64)
    if np.linalg.norm(w[part] - x) > 0.01 * np.linalg.norm(x):
        fail(f"rows {part}: {np.linalg.norm(w[part] - x) / np.linalg.norm(x)}")

# norms and embeddings outside half keep every element; the inverse stands in the matrices behind them
behind = [f"model.layers.0.self_attn.{x}_proj.weight" for x in "qkv"]
store()
quantize("--group-size", "8")
score = perplexity()
for factor in (1e6, 1e-8):
    for where in (np.ones(16, bool), np.arange(16) == 3):
        by = np.where(where, factor, 1).astype("<f4")
        changes = {NORM: weights[NORM] * by, **{m: weights[m] / by for m in behind}}
        store(**changes)
        quantize("--group-size", "1")
        tensors, types = read()
        if types[NORM] == "F16" or not np.array_equal(tensors[NORM], changes[NORM].astype(np.float64)):
            fail(f"a norm of {factor} is stored in {types[NORM]}: {tensors[NORM]} for {changes[NORM]}")
        same(perplexity(), score, f"a norm of {factor}: perplexity", 0.01)
for changes, kind in (({EMBEDDING: weights[EMBEDDING] * np.float32(7e4 / abs(weights[EMBEDDING]).max())}, "F32"),
                      ({EMBEDDING: weights[EMBEDDING] * np.float32(1e-7)}, "F32"),
                      ({EMBEDDING: np.where(np.arange(16) == 2, 1e-8, 1).astype("<f4") * weights[EMBEDDING]}, "F32"),
                      ({EMBEDDING: np.full((40, 16), 2.0**17, "<f4")}, "BF16"),
                      ({"lm_head.weight": weights["lm_head.weight"] * np.float32(1e6)}, "F32")):
    store(**changes)
    quantize("--group-size", "8")
    tensors, types = read()
    for name, x in changes.items():
        if types[name] != kind or not np.array_equal(tensors[name], x.astype(np.float64)):
            fail(f"{name} up to {abs(x).max()} is stored in {types[name]}")
few = weights[EMBEDDING].copy()
few[3, 5] = few[7, 2] = 1e-9
store(**{EMBEDDING: few})
quantize("--group-size", "8")
if read()[1][EMBEDDING] != "F16":
    fail(f"two tiny elements make an embedding {read()[1][EMBEDDING]}")

# sparse values beyond half
for k in (0, 6, 20):
    store(**shifted(k))
    report = quantize(*calibrated, "--outliers", "2", "--outlier-rule", "even")
    tensors, types = read()
    wanted = "F16" if k == 0 else "F32"
    if {types[V + ".sparse.value"], types[O + ".sparse.value"]} != {wanted}:
        fail(f"10^{k}: sparse values in {types[V + '.sparse.value']}, {types[O + '.sparse.value']}")
    same(perplexity(), score, f"10^{k} and outliers: perplexity", 0.01)

# every figure is the file's
store()
for options in (["--significant", "2"], ["--outliers", "2", "--significant", "1"],
                ["--scale-iters", "4", "--widths", "2"], ["--scale-iters", "4", "--widths", "2,8"],
                ["--significant", "2", "--scale-iters", "2", "--widths", "2"],
                ["--significant", "5", "--significant-rule", "pursuit", "--validation", tokens, "--detach-bits", "2"]):
    report = quantize(*calibrated, *options)
    tensors = read()[0]
    beside = 0
    for t in report["tensors"]:
        name = t["name"]
        x = weights[name].astype(np.float64)
        off = np.linalg.norm(decode(name) - x) / np.linalg.norm(x)
        if abs(off - t["relative_error"]) > 1e-5 * off:
            fail(f"{options}: {name}: relative error {t['relative_error']} told, {off} in the file")
        beside += len(tensors.get(f"{name}.sparse.value", []))
    told = report.get("sparse", {"outliers": 0, "significant": 0})
    if told["outliers"] + told["significant"] != beside:
        fail(f"{options}: {told} told, {beside} weights beside the planes")

# by default no width of a file for all of them is worse for the sparse part; of one width its values are fitted
store()
plain = {t["name"]: t["relative_error"] for t in quantize("--group-size", "8")["tensors"]}
beside = [*calibrated, "--significant", "5", "--validation", tokens]
report = quantize(*beside)
for t in report["tensors"]:
    if t["relative_error"] > plain[t["name"]] * 1.01:  # a scale that is rounded another way
        fail(f"a sparse part makes {t['name']} worse at 8 bits: {t['relative_error']} for {plain[t['name']]}")
if report["sparse"]["fitted_for"] is not None or report["sparse"]["significant"] == 0:
    fail(f"a sparse part for all widths: {report['sparse']}")
for said, options in ((True, beside), (False, [*beside, "--bits", "4"]), (False, [*calibrated, "--significant", "5"]),
                      (True, ["--group-size", "8", "--validation", tokens])):
    done = expect(0, run("quantize", model, "-o", file, "--quiet", *options))
    if ("--validation" in done.stderr) != said:
        fail(f"{options}: a text that decides nothing: {done.stderr!r}")
other_tokens = folder / "other.npy"
np.save(other_tokens, np.random.default_rng(2).integers(0, 40, 160).astype("<u2"))
for bits, text in ((4, tokens), (4, other_tokens), (3, other_tokens), (2, other_tokens)):
    options = [*calibrated, "--significant", "5", "--validation", text, "--bits", str(bits)]
    told = quantize(*options)["sparse"]
    said = expect(0, run("quantize", model, "-o", file, "--quiet", *options)).stdout
    if (told["fitted_for"] != (bits if told["significant"] else None) or
            ("values are fitted" in said) != (told["significant"] > 0)):
        fail(f"{told['significant']} weights beside {bits} bits are fitted for {told['fitted_for']}: {said!r}")

# one scheme, one scale: the largest magnitude over 127 codes, or over half of 255
store()
for options in (["--method", "rtn"], ["--method", "gptq", *calibrated[:4]],
                ["--method", "signround", "--widths", "8", "--iters", "0", *calibrated[:4]],
                ["--method", "nested-gptq", "--widths", "8", *calibrated[:4]],
                ["--method", "qat", "--widths", "8", "--iters", "0", *calibrated[:4]],
                ["--method", "matgptq", "--widths", "8", *calibrated[:4]]):
    for scheme, steps in (("sym", 127), ("gptq-sym", 127.5)):
        quantize(*options, "--scheme", scheme, "--group-size", "-1")
        scales = read()[0][V + ".scale"].reshape(-1)[:6]
        wanted = (abs(weights[V]).max(1) / steps).astype("<f2")
        if not np.allclose(scales, wanted, rtol=2.0**-10, atol=0):
            fail(f"{options} --scheme {scheme}: scales {scales}, not {wanted}")
expect(2, run("quantize", model, "-o", file, "--method", "squeezellm", "--bits", "4", *calibrated[:4], "--scheme",
              "sym", "--dense-head"), "--scheme", "squeezellm")

# slices that round read one more plane: a file that is cut, or stops at the end of a level, gives what it gave before
for slice_ in ("truncate_centred", "round_clamp", "extra_precision"):
    quantize("--group-size", "8", "--slice", slice_)
    levels = json.loads(run("inspect", file, "--json").stdout)["levels"]
    offered = [level["widest"] for level in levels]
    if offered != ([1, 2, 3, 4, 5, 6, 7, 8] if slice_ == "truncate_centred" else [0, 1, 2, 3, 4, 5, 6, 8]):
        fail(f"{slice_}: levels that give {offered} bits")
    before = {bits: perplexity(bits) for bits in range(1, 9)}
    cut, prefix = folder / "cut.jack", folder / "prefix.jack"
    for bits in range(1, 9):
        expect(0, run("cut", file, "--bits", bits, "-o", cut))
        for fewer in range(1, bits + 1):
            same(perplexity(fewer, cut), before[fewer], f"{slice_} cut to {bits}, read at {fewer}", 0)
        if bits < 7:
            expect(1, run("eval", "--model", cut, "--tokens", tokens, "--bits", bits + 1), "cannot be read")
    for level in levels:
        shutil.copy(file, prefix)
        with open(prefix, "r+b") as f:
            f.truncate(level["end"])
        for fewer in range(1, level["widest"] + 1):
            same(perplexity(fewer, prefix), before[fewer], f"{slice_} up to level {level['bits']}, at {fewer}", 0)
        expect(0, run("inspect", prefix, "--verify"))
    if slice_ != "truncate_centred":
        expect(2, run("quantize", model, "-o", file, "--bits", "4", "--slice", slice_, "--quiet"), "--slice",
               "--bits 8")

# 65,537 columns: indices of 32 bits, and none where no weight stands beside
wide = {"hidden_size": 8, "intermediate_size": 65537, "head_dim": 4}
config = {**config, **wide}
rng = np.random.default_rng(7)
cut_to = {name: x[:, :8] if x.ndim == 2 else x[:8] for name, x in weights.items()}
for name in ("q", "k", "v"):
    cut_to[f"model.layers.0.self_attn.{name}_proj.weight"] = rng.normal(0, 0.3, (8 if name == "q" else 4, 8))
cut_to[O] = rng.normal(0, 0.3, (8, 8))
for name, shape in (("gate", (65537, 8)), ("up", (65537, 8)), ("down", (8, 65537))):
    cut_to[f"model.layers.0.mlp.{name}_proj.weight"] = rng.normal(0, 0.01, shape)
UP, DOWN = "model.layers.0.mlp.up_proj.weight", "model.layers.0.mlp.down_proj.weight"
cut_to[DOWN][3, 65536] = 9  # an outlier where 16 bits do not reach
weights = {name: np.ascontiguousarray(x, "<f4") for name, x in cut_to.items()}
store()
quantize()
plain = perplexity()
quantize(*calibrated[:4], "--outliers", "0.1", "--outlier-rule", "even")
tensors, types = read()
if types[DOWN + ".sparse.column"] != "U32" or types[UP + ".sparse.column"] != "U16":
    fail(f"columns in {types[DOWN + '.sparse.column']} and {types[UP + '.sparse.column']}")
if decode(DOWN)[3, 65536] != 9:
    fail(f"the last weight of 65,537 is {decode(DOWN)[3, 65536]}")
same(perplexity(), plain, "65,537 columns with outliers", 0.02)
print("values: ok")
