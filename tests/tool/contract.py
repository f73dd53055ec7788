# SPDX-License-Identifier: BSD-3-Clause
"""contract.py JACKPLANE FOLDER: exit codes 0, 1, 2; errors of one line that name the option and the number; what
bench-decode reports; every scheme and method makes a file that reads at every width; nothing left behind.
"""
import json

import numpy as np

from harness import expect, fail, folder, iterations, make_model, run, store_model

model, file, tokens = folder / "model", folder / "model.jack", folder / "tokens.npy"
config, weights = make_model()
store_model(model, config, weights)
np.save(tokens, np.arange(35, dtype="<u2"))

# usage
for command in ([], ["quantize"], ["inspect"], ["cut"], ["export"], ["eval"], ["generate"], ["allocate"],
                ["sensitivity"], ["imatrix"], ["bench-decode"]):
    if "Usage" not in expect(0, run(*command, "--help")).stdout:
        fail(f"{command} --help shows no usage")
expect(2, run())
expect(2, run("plane"))
expect(2, run("quantize", model))
expect(2, run("quantize", model, "-o", file, "--method", "magic"))
expect(2, run("quantize", model, "-o", file, "--group-size", "-2"))
expect(2, run("cut", folder / "none.jack", "--bits", "4", "-o", file))

expect(2, run("generate", "--model", model / "config.json", "--activation", "limbs4"))
expect(2, run("generate", "--model", model / "config.json", "--threads", "0"))
expect(2, run("cut", folder / "no\nsuch.jack", "--bits", "4", "-o", file), "no?such.jack")
said = expect(2, run("quantize", model, "-o", file, "--method", "signround", "--lr", "0"), "--lr", "positive").stderr
if len(said) > 120:
    fail(f"--lr 0: {said}")
for options in (["--shape", "9b"], ["--bits", "9"], ["--bits", "4,x"], ["--threads", "0"], ["--tokens", "0"],
                ["--activation", "int8"], ["--prompt", "0"], ["--against-types", "q4_0"], ["--kv-bits", "9"],
                ["--kv-bits", "8,0"], ["--context", "-1"],
                ["--against", folder / "none"], ["--against", folder, "--against-types", "f32"]):
    expect(2, run("bench-decode", "--shape", "tiny", *options))
expect(1, run("bench-decode", "--shape", "tiny", "--against", folder), "libggml-base")

# NaN is in no range, for any option that is a number
for number in ("nan", "inf"):
    expect(2, run("allocate", "--model", model / "config.json", "--text", model / "config.json", "--average", number),
           "--average", number)
    expect(2, run("generate", "--model", model / "config.json", "--temperature", number), "--temperature", number)
    for option in ("--outliers", "--significant", "--lr", "--scale-lr", "--lambda"):
        expect(2, run("quantize", model, "-o", file, "--method", "signround", option, number), option, number)

choose = ["allocate", "--model", model / "config.json", "--text", model / "config.json", "--widths"]
# whole numbers are decimal: 010 is not 8, and -1 not the largest that there is
for number in ("010", "0x10", "-1", "+4", "1e3", "4.0", " 4"):
    for option in ("--seed", "--nsamples", "--group-size", "--bits", "--iters"):
        if (option, number) != ("--group-size", "-1"):
            expect(2, run("quantize", model, "-o", file, option, number), option)
    expect(2, run(*choose, f"{number},2"), "--widths")
for number in (2**64, 10**30):  # not the largest that there is, either
    expect(2, run("quantize", model, "-o", file, "--seed", number), "--seed", str(number))
    expect(2, run("quantize", model, "-o", file, "--group-size", number), "--group-size", str(number))
for number in ("010", "0x10", "-00.5", "0x1p3"):  # nor are those with a fraction in anything else
    expect(2, run("generate", "--model", model / "config.json", "--temperature", number), "--temperature", number)
    expect(2, run("quantize", model, "-o", file, "--method", "signround", "--lr", number), "--lr", number)
expect(2, run(*choose, "8,2,8"), "8", "twice")

# random weights at every width: what was counted, and the same tokens for any number of threads
chosen = {}
for threads in (1, 2):
    report = json.loads(expect(0, run("bench-decode", "--shape", "tiny", "--tokens", 3, "--threads", threads,
                                      "--head-bits", 0, "--json")).stdout)
    if {key: report[key] for key in ("shape", "threads", "tokens")} != {
            "shape": "tiny", "threads": threads, "tokens": 3} or not report["kernels"]:
        fail(f"bench-decode: {report}")
    rows = {row["bits"]: row for row in report["rows"]}
    if list(rows) != list(range(8, 0, -1)):
        fail(f"bench-decode: widths {list(rows)}")
    plane = rows[8]["weight_bytes_per_token"] - rows[7]["weight_bytes_per_token"]
    if plane * 8 != report["packed_weights"]:
        fail(f"bench-decode: a plane of {plane} bytes for {report['packed_weights']} weights")
    for bits, row in rows.items():
        rate = row["weight_bytes_per_token"] * row["tokens_per_second"]
        if (rows[8]["weight_bytes_per_token"] - row["weight_bytes_per_token"] != (8 - bits) * plane
                or not np.isclose(row["ms_per_token"] * row["tokens_per_second"], 1000)
                or not 0 < row["best_ms_per_token"] <= row["ms_per_token"]
                or not np.isclose(row["bytes_per_second"], rate)
                or not np.isclose(row["read_fraction"], rate / report["read_bytes_per_second"])):
            fail(f"bench-decode: {row} does not add up")
    chosen[threads] = [row["last_token"] for row in report["rows"]]
if chosen[1] != chosen[2]:
    fail(f"bench-decode: other tokens with two threads: {chosen}")
for head, bits in ((8, 8), (3, 3)):  # at a width of its own: 512 x 128 weights
    options = ["--head-bits", head] if head != 8 else []
    (row,) = json.loads(expect(0, run("bench-decode", "--shape", "tiny", "--tokens", 1, "--bits", 2, *options,
                                      "--json")).stdout)["rows"]
    if row["head_bits"] != bits or row["weight_bytes_per_token"] - rows[2]["weight_bytes_per_token"] != (
            (bits - 2) * 512 * 128 / 8):
        fail(f"bench-decode --head-bits: {row}")
report = json.loads(expect(0, run("bench-decode", "--shape", "tiny", "--tokens", 1, "--bits", "4,2", "--activation",
                                  "exact,limbs1,bf16", "--json")).stdout)
if [(row["activation"], row["bits"]) for row in report["rows"]] != [
        (activation, bits) for activation in ("exact", "limbs1", "bf16") for bits in (4, 2)]:
    fail(f"bench-decode: {report}")
report = json.loads(expect(0, run("bench-decode", "--shape", "tiny", "--tokens", 1, "--bits", "4,2", "--prompt",
                                  "--prompts", 2, "--json")).stdout)
if report["prompt"] != 512 or any(row["prompt_tokens_per_second"] <= 0 for row in report["rows"]):
    fail(f"bench-decode --prompt: {report}")
report = json.loads(expect(0, run("bench-decode", "--shape", "tiny", "--tokens", 2, "--bits", "4", "--kv-bits",
                                  "32,16,8,2", "--context", 100, "--json")).stdout)
if report["context"] != 100 or [row["kv_bits"] for row in report["rows"]] != [32, 16, 8, 2]:
    fail(f"bench-decode --kv-bits: {report}")
if "of READ" not in expect(0, run("bench-decode", "--shape", "tiny", "--tokens", 1, "--bits", "3")).stdout:
    fail("bench-decode prints no table")

# every scheme, method, group and slice; each report is JSON
for options in (["--scheme", "sym"], ["--scheme", "full-range", "--group-size", "-1"],
                ["--method", "mse", "--group-size", "0"], ["--slice", "round_clamp", "--group-size", "5"],
                ["--slice", "extra_precision"], ["--dense-head"], []):
    report = json.loads(expect(0, run("quantize", model, "-o", file, "--json", "--quiet", *options)).stdout)
    head = [] if "--dense-head" in options else ["head"]
    if len(report["tensors"]) != 7 + len(head) or report["head_bits"] != (8 if head else None):
        fail(f"{options}: {len(report['tensors'])} tensors, head {report['head_bits']}")
    scored = expect(0, run("eval", "--model", file, "--tokens", tokens, "--reference", model, "--json"))
    rows = json.loads(scored.stdout)["rows"]
    wanted = ["fp32", *head] + list(range(7 if "extra_precision" in options or "round_clamp" in options else 8, 0, -1))
    found = [row["bits"] for row in rows]
    if found != wanted and found != ["fp32", *head, 8] + wanted[1 + len(head):]:
        fail(f"{options}: rows {found}")
    if any(a["effective_bits"] <= b["effective_bits"] for a, b in zip(rows[3:], rows[4:])):
        fail(f"{options}: effective bits do not fall: {[row['effective_bits'] for row in rows]}")

expect(2, run("quantize", model, "-o", file, "--include", "lm_head"), "--include", "--dense-head")

# methods that look at activations: every one makes a file that reads at every width; nothing is left beside it
calibrated = ["--calibration", tokens, "--seqlen", "8", "--group-size", "8"]
learned_from = [*calibrated, "--iters", "4", "--finer-iters", "2"]
for options in (["--method", "gptq"], ["--method", "gptq", "--mse", "--act-order", "--bits", "3"],
                ["--method", "nested-gptq", "--widths", "2,4"], ["--method", "signround"],
                ["--method", "signround", "--widths", "8,4,2", "--lambda", "0.1,0.1,1"],
                ["--method", "signround", "--mse", "--suppress-outliers", "--widths", "3", "--no-resume"],
                ["--method", "signround", "--layer-wise", "--widths", "2,8"],
                ["--method", "signround", "--no-overlap", "--widths", "2,8"],
                ["--method", "signround", "--layer-wise", "--from-gptq", "--scheme", "full-range"],
                ["--method", "qat", "--widths", "3"], ["--method", "qat", "--widths", "8,2", "--lambda", "1,1"],
                ["--method", "omniquant", "--widths", "2", "--scheme", "sym"],
                ["--method", "awq", "--bits", "4"], ["--method", "gptq", "--balance", "--bits", "2"],
                ["--method", "matgptq", "--widths", "8,4,2"],
                ["--method", "matgptq", "--widths", "8,4", "--lambda", "0.1,1", "--mse", "--slice", "round_clamp"],
                ["--method", "efficientqat", "--widths", "2", "--scale-iters", "2"],
                ["--method", "signround", "--widths", "2,4", "--scale-iters", "2", "--preset", "light"],
                ["--method", "signround", "--widths", "8,4,2", "--lambda", "1,1,1", "--joint-iters", "3"],
                ["--method", "signround", "--widths", "8,2", "--lambda", "1,1", "--teacher", "8"],
                ["--method", "signround", "--widths", "2,4", "--lambda", "1,1", "--reach", "4", "--no-clipping"],
                ["--method", "omniquant", "--widths", "2", "--keep-best", "--dense-inputs"],
                ["--method", "rtn", "--widths", "2,4", "--scale-iters", "2"],
                ["--method", "signround", "--widths", "2,4", "--inside", file],
                ["--method", "rtn", "--bits", "2", "--outliers", "1", "--significant", "1", "--each-sample"],
                ["--method", "gptq", "--bits", "2", "--significant", "1", "--detach-nsamples", "2"],
                ["--method", "gptq", "--bits", "3", "--significant", "2", "--significant-rule", "pursuit",
                 "--validation", tokens],
                ["--method", "awq", "--bits", "4", "--significant", "1", "--significant-rule", "fisher", "--fit",
                 "--validation", tokens],
                ["--method", "awq", "--bits", "2", "--outliers", "1"],
                ["--method", "efficientqat", "--widths", "2", "--scale-iters", "2", "--outliers", "2",
                 "--outlier-rule", "interquartile"],
                ["--method", "signround", "--widths", "2,4", "--outliers", "2", "--significant", "1"]):
    learned = folder / "learned.jack"
    text_of = calibrated[:4] if "--inside" in options else calibrated  # which has groups of its own
    options = [*text_of, *iterations(options, 4, 2), *options]
    report = json.loads(expect(0, run("quantize", model, "-o", learned, "--json", "--quiet", *options)).stdout)
    first = learned.read_bytes()
    expect(0, run("quantize", model, "-o", learned, "--quiet", *options))
    if learned.read_bytes() != first:
        fail(f"{options}: other bytes the second time")
    if report["peak_bytes"] < 1e6 or (folder / "learned.jack.layers").exists():
        fail(f"{options}: {report['peak_bytes']} bytes, or layers left behind")
    expect(0, run("eval", "--model", learned, "--tokens", tokens))
held = json.loads(expect(0, run("inspect", learned, "--json")).stdout)["layers"]
beside = [layer["sparse"]["nonzeros"] for layer in held if "sparse" in layer]
if [layer["name"] for layer in held if layer.get("common") == 8] != ["lm_head.weight"]:
    fail(f"inspect tells of no head that all widths share: {held}")
weights_of_layers = sum(rows * cols for rows, cols in (layer["shape"] for layer in held if "common" not in layer))
if (sum(beside) != report["sparse"]["outliers"] + report["sparse"]["significant"] or
        sum(beside) != round(0.02 * weights_of_layers) + round(0.01 * weights_of_layers)):
    fail(f"sparse parts of {beside} weights, {report['sparse']}")
# what is taken where nothing is said: the widths, the rule, and that weights leave before in a file for all widths
report = json.loads(expect(0, run("quantize", model, "-o", learned, "--json", "--quiet", *learned_from, "--method",
                                  "signround")).stdout)
if sorted({row["bits"] for row in report["losses"]}) != [2, 3, 4, 5, 6, 8]:
    fail(f"signround tunes {report['losses']}")
for method, rule, *more in (("signround", "pqi", *learned_from[-4:], "--widths", "2,4"), ("rtn", "fisher"),
                            ("gptq", "pqi")):
    chosen = {}
    for options in ([], ["--significant-rule", rule, "--before"], ["--significant-rule", rule]):
        expect(0, run("quantize", model, "-o", learned, "--quiet", *calibrated, *more, "--method", method,
                      "--significant", "1", *options))
        chosen[len(options)] = learned.read_bytes()
    if chosen[0] != chosen[3] or chosen[0] == chosen[2]:
        fail(f"{method} does not quantize around its significant weights, or chooses others than {rule}")
if "weights beside it" not in expect(0, run("inspect", learned)).stdout:
    fail("inspect shows no sparse part")

# presets: steps, windows and the rate, where no option of its own says otherwise
many = folder / "many.npy"
np.save(many, np.random.default_rng(4).integers(0, 40, 2000).astype("<u2"))


def with_options(method, *options):
    """Steps of each width, and the file."""
    report = json.loads(expect(0, run("quantize", model, "-o", learned, "--json", "--quiet", "--method", method,
                                      "--calibration", many, "--seqlen", "2", *options)).stdout)
    return [len(row["steps"]) for row in report.get("losses", [])], learned.read_bytes()


for preset, steps, windows, rates in (("light", [50, 15], 128, {"2,4": 0.005, "4,8": 0.005}),
                                      ("default", [200, 80], 128, {}),
                                      ("best", [1000, 300], 512, {"2,4": 0.002, "4,8": 0.001})):
    found = with_options("signround", "--preset", preset, "--widths", "2,4", "--nsamples", "1")
    if found[0] != steps or (preset == "default" and
                             found != with_options("signround", "--widths", "2,4", "--nsamples", "1")):
        fail(f"--preset {preset}: {found[0]} steps, or not the default")
    short = ["--iters", "4", "--finer-iters", "2", "--widths"]
    for widths, rate in rates.items():
        if (with_options("signround", "--preset", preset, *short, widths) !=
                with_options("signround", "--nsamples", windows, "--lr", rate, *short, widths)):
            fail(f"--preset {preset} does not learn {widths} at the rate {rate}")
some = ["quantize", model, "-o", folder / "x.jack", "--method", "rtn", *calibrated, "--quiet"]
expect(2, run(*some, "--significant-rule", "pqi"))
expect(2, run(*some, "--significant", "1", "--significant-rule", "fisher", "--rule", "midpoint"), "--rule", "fisher")
expect(2, run(*some, "--outliers", "101"))
expect(2, run(*some[:6], "--outliers", "1"))
expect(1, run(*some, "--outliers", "100"), "outliers: 100 %", "not all")
expect(2, run(*some, "--significant", "1", "--fit"), "validation")
some = ["quantize", model, "-o", folder / "x.jack", "--method", "signround"]
expect(2, run(*some))
expect(2, run(*some, *learned_from, "--widths", "8,4", "--lambda", "1"))
expect(2, run(*some, *learned_from, "--widths", "8,4", "--lambda", "1,1", "--inside", file))
expect(1, run(*some, *calibrated[:4], "--scheme", "sym", "--inside", file), "q_proj", "--scheme")
# what nothing would read is refused
for options in (["--inside", file, "--group-size", "8"], ["--inside", file, "--own-range"], ["--inside", file, "--mse"],
                ["--inside", file, "--no-clipping"], ["--inside", file, "--iters", "9"],
                ["--layer-wise", "--batch", "2"], ["--layer-wise", "--no-overlap"], ["--widths", "3,8", "--no-overlap"],
                ["--widths", "2", "--no-overlap"], ["--widths", "2,4", "--lambda", "1,1", "--no-overlap"],
                ["--widths", "2,4", "--lambda", "1,1", "--own-range"],
                ["--widths", "2,4", "--lambda", "1,1", "--finer-iters", "9"],
                ["--scale-iters", "0", "--scale-lr", "0.5"], ["--lr", "1e-50"]):
    expect(2, run(*some, *calibrated[:4], *options), [word for word in map(str, options) if word[:2] == "--"][-1])
for options in (["--method", "matgptq", "--reach", "4"], ["--method", "matgptq", "--teacher", "2"],
                ["--method", "matgptq", "--joint-iters", "4"], ["--method", "omniquant", "--reach", "4"]):
    expect(2, run(*some[:4], *calibrated, *options, "--widths", "2,4", "--lambda", "1,1"), options[2])
for options in (["--significant", "5", "--outlier-rule", "even"], ["--outliers", "5", "--outlier-rule", "even",
                "--detach-bits", "3"], ["--outliers", "5", "--outlier-rule", "even", "--rule", "midpoint"],
                ["--significant", "5", "--significant-rule", "magnitude", "--detach-nsamples", "2"],
                ["--significant", "5", "--significant-rule", "random", "--detach-bits", "2"]):
    expect(2, run(*some[:4], *calibrated, *options), options[-2])
expect(2, run(*some, *learned_from, "--widths", "9"))
expect(2, run(*some, *learned_from, "--from-gptq"))
expect(2, run(*some, *learned_from, "--preset", "heavy"))
expect(2, run(*some, *learned_from, "--reach", "4"))
expect(1, run(*some, *learned_from, "--slice", "round_clamp", "--quiet"), "round_clamp", "truncate_centred")
expect(2, run(*some[:4], "--method", "rtn", "--balance", *calibrated, "--quiet"), "--balance")
expect(1, run(*some, "--calibration", tokens, "--seqlen", "36", "--quiet"), "35", "36")
expect(2, run(*some, *learned_from, "--bits", "4", "--quiet"), "8 bits", "4")
if (folder / "x.jack").exists() or (folder / "x.jack.layers").exists():
    fail("a refused quantize left something behind")
print("contract: ok")
