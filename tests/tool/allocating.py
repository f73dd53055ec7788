# SPDX-License-Identifier: BSD-3-Clause
"""allocating.py JACKPLANE FOLDER: a width for each layer and the head, measured and predicted, costs what eval and
sensitivity say; what quantizing costs each matrix; the model that a file was made from is told from others.
"""
import json

import numpy as np

from harness import expect, fail, folder, make_model, run, store_model, tokenizer

model, file, tokens = folder / "model", folder / "model.jack", folder / "tokens.npy"
config, weights = make_model()
store_model(model, config, weights)
np.save(tokens, np.arange(35, dtype="<u2"))
expect(0, run("quantize", model, "-o", file, "--quiet"))

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
expect(2, run(*some, "4", "--rule", "cubic"))
expect(1, run(*some, "4", "--rule", "simpson", "--intervals", "3"), "even", "3")
expect(2, run("sensitivity", model, "--quantized", file, "--bits", "4"))
if list(folder.glob("*.integral")):
    fail("sensitivity left something behind")
print("allocating: ok")
