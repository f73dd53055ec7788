# SPDX-License-Identifier: BSD-3-Clause
"""cutting.py JACKPLANE FOLDER: a file cut at a width, its head at another, gives the rows of the whole one; what a file
does not hold is read by no command.
"""
import json

import numpy as np

from harness import expect, fail, folder, make_model, run, store_model

model, file, tokens = folder / "model", folder / "model.jack", folder / "tokens.npy"
config, weights = make_model()
store_model(model, config, weights)
np.save(tokens, np.arange(35, dtype="<u2"))
expect(0, run("quantize", model, "-o", file, "--quiet"))

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
                  "--calibration", tokens, "--seqlen", "8", "--quiet"))
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
print("cutting: ok")
