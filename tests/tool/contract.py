# SPDX-License-Identifier: BSD-3-Clause
"""contract.py JACKPLANE FOLDER: exit codes 0, 1, 2; errors of one line that name the tensor and the numbers; what
bench-decode reports; 400 damaged files, each refused with such a line; nothing left behind.
"""
import json
import random
import struct

import numpy as np

from harness import expect, fail, folder, iterations, make_model, run, store_model, tokenizer

model, file, tokens = folder / "model", folder / "model.jack", folder / "tokens.npy"
config, weights = make_model()
store_model(model, config, weights)
np.save(tokens, np.arange(35, dtype="<u2"))

# usage
for command in ([], ["quantize"], ["inspect"], ["cut"], ["eval"], ["generate"], ["allocate"],
                ["sensitivity"], ["bench-decode"]):
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
                ["--activation", "int8"]):
    expect(2, run("bench-decode", "--shape", "tiny", *options))

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
if sorted({row["bits"] for row in report["losses"]}) != [2, 3, 4, 6, 8]:
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
                                      ("default", [200, 60], 128, {}),
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
                ["--layer-wise", "--batch", "2"],
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

# a width for each layer
row = json.loads(expect(0, run("eval", "--model", file, "--tokens", tokens, "--bits", "3", "--mix", "3",
                               "--json")).stdout)["rows"]
if row[0]["mean_nll"] != row[1]["mean_nll"] or row[1]["bits"] != "mix":
    fail(f"a mix of one width is another model: {row}")
expect(1, run("eval", "--model", file, "--tokens", tokens, "--mix", "2,2"), "model.jack", "2 widths", "1 layers")
for mix in ("", "0", "9", "2,x"):
    expect(2, run("eval", "--model", file, "--tokens", tokens, "--mix", mix), "--mix")
expect(1, run("allocate", "--model", file, "--text", model / "config.json"), "tokenizer")
expect(2, run("allocate", "--model", file))

# predicted by the integral: what a layer costs is what sensitivity says of its matrices, and no other mix costs less
deep, text = folder / "deep", folder / "text.txt"
turned = {name.replace("layers.0", "layers.1"): value[::-1].copy() for name, value in weights.items()}
store_model(deep, {**config, "num_hidden_layers": 2}, {**turned, **weights})
(deep / "tokenizer.model").write_bytes(tokenizer(True))  # <s> stands before a text
text.write_text("and it came to pass in those days " * 20)
some = ["--nsamples", "3", "--quiet", "--json"]
expect(0, run("quantize", deep, "-o", folder / "deep.jack", "--quiet"))
report = json.loads(expect(0, run("allocate", "--model", folder / "deep.jack", "--text", text, "--integral", deep,
                                  "--widths", "3,4,8", "--average", "6", *some)).stdout)
costs = report["layers"]
for bits in ("3", "4", "8"):
    rows = json.loads(expect(0, run("sensitivity", deep, "--quantized", folder / "deep.jack", "--bits", bits,
                                    "--calibration", text, "--no-taylor", *some)).stdout)["layers"]
    for number, layer in enumerate(costs):
        predicted = [row["pqi"] for row in rows if f"layers.{number}." in row["name"]]
        if len(predicted) != 7 or not np.isclose(layer[bits], sum(predicted), rtol=1e-9):
            fail(f"allocate --integral: layer {number} at {bits} bits costs {layer[bits]}, its matrices {predicted}")
# by hand: two layers and the head, whose weights count, at a width of its own or at one that is told
size, of_head = sum(w.size for name, w in weights.items() if "_proj" in name), weights["lm_head.weight"].size
for heads, options in (((3, 4, 8), []), ((8,), ["--head-bits", "8"]), ((5,), ["--head-bits", "5"])):
    report = json.loads(expect(0, run("allocate", "--model", folder / "deep.jack", "--text", text, "--integral", deep,
                                      "--widths", "3,4,8", "--average", "6", *options, *some)).stdout)
    costs = [*report["layers"], report["head"]]
    mixes = [(a, b, c) for a in (3, 4, 8) for b in (3, 4, 8) for c in heads
             if (a + b) * size + c * of_head <= 6 * (2 * size + of_head)]
    best = min(mixes, key=lambda mix: sum(cost[str(bits)] for cost, bits in zip(costs, mix)))
    bits = ((best[0] + best[1]) * size + best[2] * of_head) / (2 * size + of_head)
    if (len(costs) != 3 or (*report["mix"], report["head_bits"]) != best or not np.isclose(report["bits"], bits)
            or not np.isclose(report["expected_loss"], sum(c[str(b)] for c, b in zip(costs, best)), rtol=1e-9)):
        fail(f"allocate --integral {options}: {report}, not {best}")
# what the head costs is what eval says of it beside the layers of the model
spared = folder / "spared.txt"
spared.write_text(text.read_text()[:45])  # three windows of 15 letters, behind <s>
said = json.loads(expect(0, run("eval", "--model", folder / "deep.jack", "--text", spared, "--reference", deep,
                                "--bits", "fp32,head", "--head-bits", "8,3", "--json")).stdout)["rows"]
report = json.loads(expect(0, run("allocate", "--model", folder / "deep.jack", "--text", text, "--integral", deep,
                                  "--widths", "3,8", "--average", "6", *some)).stdout)
for row, bits in zip(said[1:], ("8", "3")):
    if not np.isclose(report["head"][bits], row["mean_nll"] - said[0]["mean_nll"], rtol=1e-5, atol=1e-9):
        fail(f"allocate: a head of {bits} bits costs {report['head']}, eval says {said}")
expect(2, run("allocate", "--model", folder / "deep.jack", "--text", text, "--widths", "2,3", "--average", "2",
              "--head-bits", "8", "--quiet"), "deep.jack", "--average")
expect(0, run("quantize", deep, "-o", folder / "plain.jack", "--quiet", "--dense-head"))
report = json.loads(expect(0, run("allocate", "--model", folder / "plain.jack", "--text", text, "--widths", "3,8",
                                  "--average", "6", *some)).stdout)
if report["head_bits"] is not None or "head" in report or report["bits"] != sum(report["mix"]) / 2:
    fail(f"allocate counts a dense head: {report}")
expect(1, run("allocate", "--model", folder / "plain.jack", "--text", text, "--head-bits", "4", "--quiet"), "is dense")
expect(1, run("cut", folder / "plain.jack", "--bits", "4", "--head-bits", "4", "-o", folder / "x.jack"), "is dense")

# an average that no double is may be spent to its end: ten layers of 2.3 bits have three of 3 bits
tall = folder / "tall"
store_model(tall, {**config, "num_hidden_layers": 10},
            {name.replace("layers.0", f"layers.{n}"): value for n in range(10) for name, value in weights.items()})
(tall / "tokenizer.model").write_bytes(tokenizer(True))
expect(0, run("quantize", tall, "-o", folder / "tall.jack", "--quiet", "--dense-head"))
for average, wanted in (("2.3", 2.3), ("2.29", 2.2), ("2.1", 2.1), ("2.7", 2.7), ("2", 2.0)):
    report = json.loads(expect(0, run("allocate", "--model", folder / "tall.jack", "--text", text, "--integral", tall,
                                      "--widths", "2,3", "--average", average, *some)).stdout)
    costs = report["layers"]
    gains = sum(cost["3"] < cost["2"] for cost in costs)
    if report["bits"] > wanted + 1e-9 or (gains >= 10 * (wanted - 2) and abs(report["bits"] - wanted) > 1e-9):
        fail(f"allocate --average {average}: {report['bits']} bits, {gains} layers gain")

# measured: a layer costs what eval says of a mix in which it alone is narrower
report = json.loads(expect(0, run("allocate", "--model", folder / "deep.jack", "--text", text, "--widths", "3,8",
                                  "--average", "6", "--nsamples", "1000", "--quiet", "--json")).stdout)
loss = {}
for mix in ("8,8", "3,8", "8,3"):
    rows = json.loads(expect(0, run("eval", "--model", folder / "deep.jack", "--text", text, "--bits", "8", "--mix",
                                    mix, "--json")).stdout)["rows"]
    loss[mix] = rows[1]["mean_nll"]
rows = json.loads(expect(0, run("eval", "--model", folder / "deep.jack", "--text", text, "--bits", "8", "--head-bits",
                                "8,3", "--json")).stdout)["rows"]
if not np.isclose(report["head"]["3"], rows[1]["mean_nll"] - rows[0]["mean_nll"], rtol=1e-6, atol=1e-12):
    fail(f"allocate: a head of 3 bits costs {report['head']}, eval says {rows}")
for number, mix in enumerate(("3,8", "8,3")):
    if not np.isclose(report["layers"][number]["3"], loss[mix] - loss["8,8"], rtol=1e-6, atol=1e-12):
        fail(f"allocate: layer {number} at 3 bits costs {report['layers'][number]}, eval says {loss}")
if report["mix"] != ([3, 8] if loss["3,8"] < loss["8,3"] else [8, 3]):
    fail(f"allocate: {report['mix']}, but eval says {loss}")

text_of_two = folder / "two.txt"  # windows of two times 15 letters, behind <s>
text_of_two.write_text(text.read_text()[:30])
some_of_text = ["allocate", "--model", folder / "deep.jack", "--widths", "3,8", "--average", "6", "--quiet", "--json"]
if (run(*some_of_text, "--text", text, "--nsamples", "2").stdout !=
        expect(0, run(*some_of_text, "--text", text_of_two)).stdout):
    fail("allocate --nsamples 2 looks at other windows than two")

# codes that a slice reads differently: sensitivity looks at the weights that eval reads. (The file has embeddings and
# norms in half: here the model, too.)
even, halved = folder / "even.npy", folder / "halved"
np.save(even, np.arange(32, dtype="<u2"))
store_model(halved, config, {name: value if "proj" in name else value.astype("<f2").astype("<f4")
                             for name, value in weights.items()})
for slice_of_file in ("round_clamp", "extra_precision"):
    expect(0, run("quantize", halved, "-o", folder / "sliced.jack", "--slice", slice_of_file, "--dense-head",
                  "--quiet"))
    for bits in ("4", "7"):
        rows = json.loads(expect(0, run("eval", "--model", folder / "sliced.jack", "--reference", halved, "--tokens",
                                        even, "--bits", f"fp32,{bits}", "--json")).stdout)["rows"]
        total = json.loads(expect(0, run("sensitivity", halved, "--quantized", folder / "sliced.jack", "--bits", bits,
                                         "--calibration", even, "--no-taylor", *some)).stdout)["total"]
        if not np.isclose(total["actual"], rows[1]["mean_nll"] - rows[0]["mean_nll"], rtol=1e-2, atol=1e-6):
            fail(f"sensitivity of a {slice_of_file} file at {bits} bits: {total}, eval says {rows}")

# every reader of planes looks at their digests
data = bytearray((folder / "deep.jack").read_bytes())
data[-1] ^= 1
(folder / "damaged.jack").write_bytes(data)
for command in (["allocate", "--text", text, "--widths", "3,8", "--quiet", "--model"],
                ["sensitivity", deep, "--bits", "8", "--calibration", text, "--quiet", "--quantized"],
                ["quantize", deep, "-o", folder / "x.jack", "--method", "signround", "--calibration", text, "--quiet",
                 "--inside"], ["eval", "--text", text, "--bits", "8", "--model"],
                ["generate", "--bits", "8", "--model"]):
    expect(1, run(*command, folder / "damaged.jack"), "damaged.jack")

# numbers beyond float: the right value where there is one, else an error
loss = []
for factor in (1e10, 1e19):
    grown = {name: value * np.float32(factor) if "embed" in name or "o_proj" in name or "down" in name else value
             for name, value in weights.items()}
    store_model(folder / "grown", config, grown)
    loss.append(json.loads(expect(0, run("eval", "--model", folder / "grown", "--tokens", even, "--json")).stdout))
if not np.isclose(loss[0]["rows"][0]["mean_nll"], loss[1]["rows"][0]["mean_nll"], rtol=1e-5):
    fail(f"a large residual stream is another model: {loss}")
huge = {**weights, "lm_head.weight": np.sign(weights["lm_head.weight"]) * np.float32(3e38),
        "model.norm.weight": np.full(16, 10, "<f4")}
store_model(folder / "grown", config, huge)
(folder / "grown" / "tokenizer.model").write_bytes(tokenizer(True))
expect(1, run("eval", "--model", folder / "grown", "--tokens", even, "--json"), "grown: ", "not finite")
expect(0, run("quantize", folder / "grown", "-o", folder / "grown.jack", "--quiet"))
expect(1, run("generate", "--model", folder / "grown.jack", "--prompt", "a", "--json"), "grown.jack: ", "not finite")
store_model(folder / "two\nlines", config, {k: v for k, v in weights.items() if "v_proj" not in k})
expect(1, run("eval", "--model", folder / "two\nlines", "--tokens", even), "v_proj", "two?lines")

# the model that a file was made from is no other one: not by its settings, and a warning tells of other weights
turning, strange = folder / "turning", folder / "strange"
store_model(turning, {**config, "num_hidden_layers": 2, "rope_theta": 500.0}, {**turned, **weights})
store_model(strange, {**config, "num_hidden_layers": 2},
            {**turned, **weights, "model.embed_tokens.weight": weights["model.embed_tokens.weight"][::-1].copy()})
drawn = np.random.default_rng(9)
strange_head, strange_first, strange_last = (folder / f"strange_{name}" for name in ("head", "first", "last"))
for other, name in ((strange_head, "lm_head"), (strange_first, "model.layers.0.mlp.up_proj"),
                    (strange_last, "model.layers.1.mlp.up_proj")):
    changed = {f"{name}.weight": drawn.normal(0, 0.3, {**turned, **weights}[f"{name}.weight"].shape).astype("<f4")}
    store_model(other, {**config, "num_hidden_layers": 2}, {**turned, **weights, **changed})
for other in (turning, strange, strange_head, strange_first, strange_last):
    (other / "tokenizer.model").write_bytes(tokenizer(True))
made = folder / "deep.jack"
for command in (["eval", "--model", made, "--text", text, "--bits", "4", "--reference"],
                ["allocate", "--model", made, "--text", text, "--nsamples", "1", "--quiet", "--integral"],
                ["sensitivity", "--quantized", made, "--bits", "4", "--calibration", text, "--nsamples", "1",
                 "--no-taylor", "--quiet"]):
    expect(1, run(*command, turning), "different models", "rope_theta", "500")
    if expect(0, run(*command, deep)).stderr:
        fail(f"{command}: a warning about the right model")
    if command[0] != "eval":
        expect(1, run(*command, strange), "model.embed_tokens.weight")
    elif "embed_tokens.weight is another one" not in expect(0, run(*command, strange)).stderr:
        fail(f"{command}: no warning about other weights")
    if "lm_head.weight is another one" not in expect(0, run(*command, strange_head)).stderr:
        fail(f"{command}: no warning about another head")
    beside_dense = [folder / "plain.jack" if word == made else word for word in command]  # where it is known exactly
    expect(0, run(*beside_dense, strange_head)) if command[0] == "eval" else expect(
        1, run(*beside_dense, strange_head), "plain.jack", "lm_head.weight", "strange_head")
    for other in (strange_first, strange_last):
        said = expect(0, run(*command, other)).stderr
        if said.count("\n") != 1 or "deep.jack" not in said or str(other) not in said or "up_proj" not in said:
            fail(f"{command}: of other matrices {said!r}")
expect(1, run("quantize", turning, "-o", folder / "x.jack", "--method", "signround", "--calibration", text, "--inside",
              made, "--quiet", "--no-resume"), "another model", "rope_theta")
inside = ["-o", folder / "x.jack", "--method", "signround", "--calibration", text, "--seqlen", "8", "--nsamples", "1",
          "--widths", "4,8", "--finer-iters", "1", "--quiet", "--inside", made]
expect(1, run("quantize", strange_head, *inside[:-1], folder / "plain.jack"), "plain.jack: another model",
       "lm_head.weight")
if "lm_head.weight is another one" not in expect(0, run("quantize", strange_head, *inside)).stderr:
    fail("--inside a model of another head: no warning")
said = expect(0, run("quantize", strange_first, *inside)).stderr
if "deep.jack was made from other weights" not in said or "strange_first" not in said:
    fail(f"--inside another model: {said!r}")
if expect(0, run("quantize", deep, *inside)).stderr:
    fail("--inside the same model: a warning")
(folder / "x.jack").unlink()
expect(0, run("quantize", deep, "-o", folder / "four.jack", "--bits", "4", "--quiet"))
said = run("quantize", deep, *inside[:-1], folder / "four.jack").stderr
expect(1, run("quantize", deep, *inside[:-1], folder / "four.jack"), "q_proj", "8 bits")
if not said.startswith(f"jackplane: {folder / 'four.jack'}: "):
    fail(f"an error about --inside names {said!r}")

strange_all = folder / "strange_all"  # by its matrices alone
store_model(strange_all, {**config, "num_hidden_layers": 2},
            {name: drawn.normal(0, 0.3, value.shape).astype("<f4") if "proj" in name else value
             for name, value in {**turned, **weights}.items()})
# whatever method made it, a file is of its own weights, and of no others
for bits in ("8", "4", "3", "2"):
    for options in (["--method", "rtn"], ["--method", "awq"], ["--method", "gptq"], ["--method", "gptq", "--balance"],
                    ["--method", "rtn", "--outliers", "2"], ["--method", "squeezellm"],
                    ["--method", "omniquant", "--widths", "2", "--iters", "20"],
                    ["--method", "signround", "--widths", "2", "--iters", "20"],
                    ["--method", "signround", "--widths", "2", "--iters", "20", "--own-range"],
                    ["--method", "qat", "--widths", "2", "--iters", "10"], ["--method", "matgptq", "--widths", "2"],
                    ["--method", "efficientqat", "--widths", "2", "--iters", "10"]):
        learned_or_of_all = {"omniquant", "signround", "qat", "matgptq", "efficientqat"}
        if (options[1] in learned_or_of_all and bits != "8") or (options[1] == "squeezellm" and bits == "8"):
            continue
        expect(0, run("quantize", deep, "-o", folder / "x.jack", "--quiet", "--bits", bits, *options,
                      *(["--calibration", text, "--seqlen", "8"] if len(options) > 2 or options[1] != "rtn" else [])))
        for other, told in ((deep, False), (strange_all, True)):
            said = expect(0, run("eval", "--model", folder / "x.jack", "--text", text, "--reference", other)).stderr
            if ("x.jack was made from other weights" in said) != told:
                fail(f"{options}, {bits} bits, against {other}: {said!r}")
(folder / "x.jack").unlink()

# what quantizing costs each matrix: measured, predicted, and as maps
some = ["sensitivity", model, "--quantized", file, "--calibration", tokens, "--seqlen", "8", "--quiet", "--bits"]
report = json.loads(expect(0, run(*some, "4", "--rule", "midpoint", "--intervals", "16", "--maps", folder / "maps",
                                  "--json")).stdout)
total, rows = report["total"], report["layers"]
if abs(total["pqi"] - total["actual"]) > 0.01 * abs(total["actual"]) or len(rows) != 7:
    fail(f"sensitivity: {total}, {len(rows)} matrices")
for key in ("pqi", "first_order", "second_order_hessian", "second_order_fisher_token", "second_order_fisher_mean"):
    if not np.isclose(sum(row[key] for row in rows), total[key], rtol=1e-6):
        fail(f"sensitivity: {key} of the matrices does not add up to {total[key]}")
if not np.isclose(total["second_order_fisher_sequence"], 7 * total["second_order_fisher_mean"]):
    fail(f"sensitivity: {total}")
for row in rows:
    change = np.load(folder / "maps" / f"{row['name']}.npy")
    if change.shape != weights[row["name"]].shape or not np.isclose(change.sum(), row["pqi"], rtol=1e-4, atol=1e-8):
        fail(f"sensitivity: the map of {row['name']} is {change.shape}, {change.sum()}, not {row['pqi']}")
said = expect(0, run(*some, "2", "--no-taylor", "--total-only", "--each-sample", "--maps", folder / "maps")).stdout
said = said.splitlines()
if "total" not in said[-1] or any(line.split()[1] != "-" for line in said[2:-1]):
    fail(f"sensitivity --total-only: {said}")
if "second_order_fisher_sequence second_order_fisher_mean" not in expect(0, run(*some, "2", "--total-only")).stdout:
    fail("sensitivity cuts the names of its columns")
totals = []
for options in ([], ["--dense-head"]):  # of the layers alone, whatever became of the head
    expect(0, run("quantize", model, "-o", folder / "head.jack", "--quiet", *options))
    totals.append(json.loads(expect(0, run("sensitivity", model, "--quantized", folder / "head.jack", *some[4:], "4",
                                           "--total-only", "--json")).stdout)["total"])
if totals[0] != totals[1]:
    fail(f"sensitivity: another result beside a quantized head: {totals}")
# every width reads the head, and none the last plane of the layers but 8
expect(0, run("quantize", model, "-o", folder / "head.jack", "--quiet"))
common = min(level["end"] for level in json.loads(run("inspect", folder / "head.jack", "--json").stdout)["levels"])
some_of_head = ["eval", "--model", folder / "damaged.jack", "--tokens", tokens, "--bits"]
whole = (folder / "head.jack").read_bytes()
header = 8 + struct.unpack("<Q", whole[:8])[0]
place = json.loads(whole[8:header])["lm_head.weight.plane.7"]["data_offsets"]
for at, refused in ((header + place[0], ("2", "8")), (len(whole) - 1, ("8",))):
    data = bytearray(whole)
    data[at] ^= 1
    (folder / "damaged.jack").write_bytes(data)
    for bits in ("2", "8"):
        for mix in ([], ["--mix", bits]):
            expect(*((1, run(*some_of_head, bits, *mix), "damaged.jack", "digest") if bits in refused else
                     (0, run(*some_of_head, bits, *mix))))
if header + place[0] > common:
    fail("the head's planes are not in what all widths need")
expect(2, run(*some, "4", "--rule", "cubic"))
expect(1, run(*some, "4", "--rule", "simpson", "--intervals", "3"), "even", "3")
expect(2, run("sensitivity", model, "--quantized", file, "--bits", "4"))
if list(folder.glob("*.integral")):
    fail("sensitivity left something behind")

# a file cut at each width gives the same rows
rows = json.loads(expect(0, run("eval", "--model", file, "--tokens", tokens, "--json")).stdout)["rows"]
nll = {row["bits"]: row["mean_nll"] for row in rows}
for bits in range(1, 9):
    cut = folder / f"cut{bits}.jack"
    expect(0, run("cut", file, "--bits", bits, "-o", cut))
    rows = json.loads(expect(0, run("eval", "--model", cut, "--tokens", tokens, "--json")).stdout)["rows"]
    if {row["bits"]: row["mean_nll"] for row in rows} != {b: v for b, v in nll.items() if b == "fp32" or b <= bits}:
        fail(f"cut at {bits} bits gives other results")
    expect(0, run("cut", file, "--bits", bits, "--head-bits", 4, "-o", folder / "x.jack"))
    (row,) = json.loads(expect(0, run("eval", "--model", folder / "x.jack", "--tokens", tokens, "--bits", bits,
                                      "--json")).stdout)["rows"]
    (same_head,) = json.loads(expect(0, run("eval", "--model", file, "--tokens", tokens, "--bits", bits, "--head-bits",
                                            "4", "--json")).stdout)["rows"]
    if (row["head_bits"], row["mean_nll"]) != (4, same_head["mean_nll"]):
        fail(f"cut at {bits} bits, its head at 4, gives {row}, not {same_head}")
    if (folder / "x.jack").stat().st_size >= cut.stat().st_size:
        fail("a file with fewer bits of the head is no smaller")
expect(1, run("eval", "--model", folder / "cut2.jack", "--tokens", tokens, "--bits", "4"), "4")
expect(1, run("cut", folder / "cut2.jack", "--bits", "3", "-o", folder / "x.jack"), "3")
# values of each row's own are read at their width alone: no other is offered
for bits in (4, 3, 2):
    expect(0, run("quantize", model, "-o", folder / "table.jack", "--method", "squeezellm", "--bits", bits,
                  *calibrated[:4], "--quiet"))
    widest = [level["widest"] for level in json.loads(run("inspect", folder / "table.jack", "--json").stdout)["levels"]]
    said = [line for line in run("inspect", folder / "table.jack").stdout.splitlines() if " bits: the first" in line]
    if widest[-1] != bits or any(widest[:-1]) or len(said) != 1 or f"{bits} bits" not in said[0]:
        fail(f"inspect offers a row table of {bits} bits at {widest}: {said}")
    for fewer in range(1, bits):
        expect(1, run("cut", folder / "table.jack", "--bits", fewer, "-o", folder / "x.jack"), "row_table", str(fewer))
    expect(0, run("cut", folder / "table.jack", "--bits", bits, "-o", folder / "x.jack"))
    expect(0, run("eval", "--model", folder / "x.jack", "--tokens", tokens, "--bits", bits))
(folder / "x.jack").unlink()
expect(1, run("eval", "--model", model, "--tokens", tokens, "--bits", "8"), "8")
expect(1, run("generate", "--model", file), "tokenizer")
expect(2, run("generate", "--model", file, "--head-bits", "9"), "--head-bits")

# bad weights and bad shapes are named
for name, change, words in (
        ("model.layers.0.mlp.up_proj.weight", lambda w: w.__setitem__((3, 7), np.nan), ["row 3", "column 7"]),
        ("model.layers.0.self_attn.q_proj.weight", lambda w: w.__setitem__((0, 1), np.inf), ["row 0", "column 1"]),
        ("model.layers.0.mlp.down_proj.weight", lambda w: w.__setitem__(2, 1e-40), ["row 2", "scale"])):
    bad = {key: value.copy() for key, value in weights.items()}
    change(bad[name])
    store_model(folder / "bad", config, bad)
    expect(1, run("quantize", folder / "bad", "-o", folder / "bad.jack", "--quiet"), name, *words)
store_model(folder / "bad", {**config, "intermediate_size": 25}, weights)
expect(1, run("quantize", folder / "bad", "-o", folder / "bad.jack", "--quiet"), "gate_proj", "24", "25")
store_model(folder / "bad", {**config, "hidden_size": -3}, weights)
expect(1, run("quantize", folder / "bad", "-o", folder / "bad.jack", "--quiet"), "hidden_size", "-3")
store_model(folder / "bad", config, {k: v for k, v in weights.items() if "v_proj" not in k})
expect(1, run("quantize", folder / "bad", "-o", folder / "bad.jack", "--quiet"), "v_proj")
if (folder / "bad.jack").exists() or list(folder.glob("bad.jack?*")):
    fail("a failed run left an output behind")
np.save(tokens, np.array([1, 2, 40, 3], "<u4"))
expect(1, run("eval", "--model", file, "--tokens", tokens), "40")
np.save(tokens, np.array([[1, 2], [3, 4]], "<u4"))
expect(1, run("eval", "--model", file, "--tokens", tokens))
np.save(tokens, np.array([1.0, 2.0]))
expect(1, run("eval", "--model", file, "--tokens", tokens))

# damaged files
rng = random.Random(7)
whole = file.read_bytes()
head = 8 + struct.unpack("<Q", whole[:8])[0]
ends = {level["end"] for level in json.loads(run("inspect", file, "--json").stdout)["levels"]}
damaged = folder / "damaged.jack"
for number in range(400):
    data = bytearray(whole)
    kind = number % 5
    if kind == 0:
        at = rng.randrange(head)
        data[at] ^= 1 << rng.randrange(8)
    elif kind == 1:
        length = rng.choice([n for n in (rng.randrange(len(whole)), rng.randrange(head)) if n not in ends])
        data = data[:length]
    elif kind == 2:
        data[:8] = struct.pack("<Q", rng.choice([0, 1, head, head - 9, 2**63, 2**64 - 1, rng.randrange(2**40)]))
    elif kind == 3:
        data += bytes(rng.randrange(1, 5000))
    else:
        at = rng.randrange(8, head - 20)
        other = bytes(rng.choice(b'0123456789"{}[],:ax\\') for _ in range(rng.randrange(1, 20)))
        data[at : at + rng.randrange(1, 20)] = other
    if bytes(data) == whole:
        continue
    damaged.write_bytes(data)
    expect(1, run("inspect", damaged), "damaged.jack")

# a slice that reads one more plane than its width checks that plane too
expect(0, run("quantize", model, "-o", file, "--slice", "round_clamp", "--quiet"))
ends = {level["bits"]: level["end"] for level in json.loads(run("inspect", file, "--json").stdout)["levels"]}
data = bytearray(file.read_bytes())
data[ends[5] - 1] ^= 1
damaged.write_bytes(data)
np.save(tokens, np.arange(35, dtype="<u2"))
expect(1, run("eval", "--model", damaged, "--tokens", tokens, "--bits", "4"), "damaged.jack")
expect(0, run("eval", "--model", damaged, "--tokens", tokens, "--bits", "3"))
print("contract: ok")
