# SPDX-License-Identifier: BSD-3-Clause
"""silent.py JACKPLANE FOLDER: nothing that is asked for is read past: an option that nothing would read is refused by
its name, and what a command does otherwise than its words say is told.
"""
import json
import pathlib
import sys

import numpy as np

from harness import expect, fail, folder, make_model, run, store_model, tokenizer

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "clients"))
import architectures  # noqa: E402

model, file, dense_file, out = folder / "model", folder / "m.jack", folder / "dense.jack", folder / "x.jack"
tokens, text = folder / "tokens.npy", folder / "text.txt"
config, weights = make_model()
store_model(model, config, weights)
(model / "tokenizer.model").write_bytes(tokenizer(True))
np.save(tokens, np.arange(35, dtype="<u2"))
text.write_text("the quick brown fox jumps over the lazy dog" * 3)
expect(0, run("quantize", model, "-o", file, "--quiet", "--group-size", "8"))
expect(0, run("quantize", model, "-o", dense_file, "--quiet", "--dense-head"))

# eval: options that no row reads
some = ["eval", "--model", file, "--tokens", tokens, "--reference", model, "--bits"]
for widths, option, value in (("fp32", "--head-bits", "4"), ("fp32", "--head-bits", "dense"),
                              ("fp32", "--activation", "limbs1"), ("head", "--activation", "limbs1"),
                              ("head", "--head-bits", "dense"), ("head,4", "--head-bits", "dense")):
    expect(2, run(*some, widths, option, value), option)
rows = json.loads(expect(0, run(*some, "head,4", "--head-bits", "dense,4", "--json")).stdout)["rows"]
if [(row["bits"], row["head_bits"]) for row in rows] != [("head", 4), (4, "dense"), (4, 4)]:
    fail(f"rows {rows}")

# limbs in groups that are no multiple of 32 columns, and of tables, are fp32: that is told
for name, made, of_all in (("8", ["--group-size", "8"], 8), ("32", ["--group-size", "32"], 0),
                           ("table", ["--method", "squeezellm", "--bits", "4", "--calibration", tokens, "--seqlen",
                                      "8", "--group-size", "32"], 7)):
    expect(0, run("quantize", model, "-o", out, "--quiet", *made))
    bits = made[made.index("--bits") + 1] if "--bits" in made else "8"
    asked = ["eval", "--model", out, "--tokens", tokens, "--bits", bits, "--activation"]
    found = {x: json.loads(expect(0, run(*asked, x, "--json")).stdout) for x in ("exact", "limbs1")}
    if found["exact"]["matrices_in_fp32"] != 0 or found["limbs1"]["matrices_in_fp32"] not in (of_all, 8):
        fail(f"groups of {name}: {found['limbs1']['matrices_in_fp32']} matrices in fp32, not {of_all}")
    told = "as fp32 in" in expect(0, run(*asked, "limbs1")).stdout.splitlines()[0]
    if told != (found["limbs1"]["matrices_in_fp32"] > 0):
        fail(f"groups of {name}: eval tells it or not: {told}")
    if found["limbs1"]["matrices_in_fp32"] == 8 and (
            found["limbs1"]["rows"][0]["mean_nll"] != found["exact"]["rows"][0]["mean_nll"]):
        fail(f"groups of {name}: not what exact says")

# --quiet is silent about progress: reports are what they are without it
store_model(folder / "plain", config, weights)
for command in (["quantize", model, "-o", out],
                ["quantize", folder / "plain", "-o", out, "--format", "gguf", "--type", "q8_0"],
                ["imatrix", model, "-o", out, "--calibration", tokens, "--seqlen", "8"],
                ["allocate", "--model", file, "--text", text, "--widths", "2,3", "--average", "2.5"],
                ["sensitivity", model, "--quantized", file, "--bits", "4", "--calibration", tokens, "--seqlen", "8"]):
    said, quiet = expect(0, run(*command)), expect(0, run(*command, "--quiet"))
    reports = [len(done.stdout.splitlines()) for done in (said, quiet)]
    if not said.stderr or quiet.stderr or reports[0] != reports[1] or reports[1] == 0:
        fail(f"{command} --quiet: reports of {reports} lines, {said.stderr!r} becomes {quiet.stderr!r}")
    if "no progress on stderr" not in run(command[0], "--help").stdout:
        fail(f"{command[0]} --help says nothing of --quiet")

# quantize: options that a method does not read
quantize = ["quantize", model, "-o", out, "--quiet"]
learned = [*quantize, "--calibration", tokens, "--seqlen", "8", "--method"]
for method in ("rtn", "mse"):
    for option in ("--no-resume", "--balance"):
        expect(2, run(*quantize, "--method", method, option), option)
for method in ("awq", "qat", "squeezellm"):
    expect(2, run(*learned, method, "--balance"), "--balance", "gptq", "signround")
if "awq always does" not in run(*learned, "awq", "--balance").stderr:
    fail("awq does not say that it balances anyway")
expect(2, run(*learned, "gptq", "--no-resume"), "--no-resume", "gptq keeps nothing")
expect(0, run(*learned, "gptq", "--no-resume", "--significant", "1"))
expect(2, run(*learned, "signround", "--bits", "4"), "--bits", "8 bits")
expect(2, run(*quantize, "--bits", "4", "--slice", "round_clamp"), "--slice", "--bits 8")
expect(1, run(*learned, "squeezellm"), "--bits")
expect(2, run(*learned, "signround", "--lambda", "1,2", "--widths", "2"), "--lambda", "2 weights", "--widths")
for bad in ("--seed", "--nsamples", "--seqlen"):
    expect(2, run(*quantize, bad, "8"), bad, "no effect")
# values of each row's own have no scales, the head beside them has
heads = []
for options in ([], ["--group-size", "8"], ["--scheme", "sym"]):
    expect(0, run(*learned, "squeezellm", "--bits", "4", *options))
    heads += [(layer["group"], layer["zero"]) for layer in json.loads(run("inspect", out, "--json").stdout)["layers"]
              if layer["name"] == "lm_head.weight"]
    if options:
        expect(2, run(*learned, "squeezellm", "--bits", "4", "--dense-head", *options), options[0], "--dense-head")
if heads != [(16, "U8"), (8, "U8"), (16, "none")]:
    fail(f"the head beside values of each row's own: {heads}")
# codes of a file that stay: significant weights come after them, as nothing else is said
inside = [*learned, "signround", "--inside", file, "--widths", "4,8", "--finer-iters", "1"]
expect(0, run(*inside, "--significant", "1"))
expect(1, run(*inside, "--significant", "1", "--before"), "--before", "--inside")
expect(1, run(*inside, "--outliers", "1"), "--outliers", "--inside")

# allocate: what cannot be is refused before anything is measured, by the option
choose = ["allocate", "--model", file, "--text", text, "--widths", "2,3", "--quiet"]
expect(2, run(*choose, "--average", "2", "--head-bits", "8"), "--average", "--head-bits 8", "m.jack")
expect(2, run(*choose, "--average", "1.5"), "--average", "--widths")
expect(1, run("quantize", model, "-o", out, "--method", "gptq", "--calibration", tokens, "--seqlen", "36"), "--seqlen")

# cut: a head that has no width of its own, and planes that a slice reads beside its width
expect(1, run("cut", dense_file, "--bits", "4", "--head-bits", "4", "-o", out), "dense.jack", "--head-bits", "is dense")
expect(0, run(*quantize, "--slice", "round_clamp"))
said = expect(0, run("cut", out, "--bits", "3", "--head-bits", "7", "-o", folder / "y.jack")).stdout
if "3 bits are read from 4" not in said or "7 bits of the output head are read from 8" not in said:
    fail(f"cut of a slice that rounds: {said}")
report = json.loads(expect(0, run("cut", out, "--bits", "3", "--head-bits", "5", "-o", folder / "y.jack",
                                  "--json")).stdout)
if [report[key] for key in ("bits", "bits_kept", "head_bits", "head_bits_kept")] != [3, 4, 5, 6]:
    fail(f"cut: {report}")
expect(1, run("cut", folder / "y.jack", "--bits", "3", "--head-bits", "6", "-o", out), "y.jack", "6 bits",
       "1, 2, 3, 4, 5")

# other routers, or other matrices of a layer in the middle, are another checkpoint
name = "mixtral, stacked"
config = {**architectures.CASES[name], "num_hidden_layers": 3}
weights = architectures.tensors_of(config)
store_model(model, config, architectures.as_stored(name, config, weights))
np.save(tokens, np.arange(30, dtype="<u2") % config["vocab_size"])
expect(0, run("quantize", model, "-o", file, "--quiet"))
rng, other = np.random.default_rng(3), folder / "other"
for part in ("layers.1.block_sparse_moe.gate", "layers.1.block_sparse_moe.experts.1.w2", "layers.1.self_attn.q_proj"):
    (changed,) = [tensor for tensor in weights if part in tensor]
    drawn = rng.normal(0, 0.3, weights[changed].shape).astype("<f4")
    store_model(other, config, architectures.as_stored(name, config, {**weights, changed: drawn}))
    for reference, told in ((model, False), (other, True)):
        said = expect(0, run("eval", "--model", file, "--tokens", tokens, "--bits", "8", "--context", "10",
                             "--reference", reference)).stderr
        if ("made from other weights" in said and part in said) != told or (not told and said):
            fail(f"{part}, against {reference}: {said!r}")

# config.json: what another function is said by, is refused by its name
for key, value in (("scoring_func", "sigmoid"), ("norm_topk_prob", False), ("decoder_sparse_step", 2),
                   ("mlp_only_layers", [1]), ("topk_method", "noaux_tc")):
    store_model(other, {**config, key: value}, architectures.as_stored(name, config, weights))
    expect(1, run("quantize", other, "-o", out, "--quiet"), "config.json", f"'{key}'")
bias = {"model.layers.0.block_sparse_moe.gate.e_score_correction_bias": np.zeros(4, "<f4")}
store_model(other, config, {**architectures.as_stored(name, config, weights), **bias})
expect(1, run("quantize", other, "-o", out, "--quiet"), "e_score_correction_bias", "no place")
print("silent: ok")
