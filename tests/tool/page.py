# SPDX-License-Identifier: BSD-3-Clause
"""page.py JACKPLANE FOLDER: files of the tool, read by numpy as the page on their format says (tests/files/reader.py)
and run by a plain numpy model, give the mean NLL that `jackplane eval` gives.
"""
import json
import pathlib
import sys

import numpy as np

from harness import expect, fail, folder, run

root = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(root / "tests/files"), str(root / "tests/clients")]
import reader
import reference

BOUND = 1e-5  # nats
model, tokens, part = root / "examples/model", folder / "tokens.npy", folder / "part.jack"
ids = np.random.default_rng(4).integers(0, 4096, 96)
np.save(tokens, ids.astype("<u2"))
calibrated = ["--calibration", root / "examples/data/calibration.txt", "--nsamples", "2", "--seqlen", "64"]


def compare(title, file, widths, head_bits=8):
    options = ["--head-bits", head_bits] if "common" in str(reader.File(file).layers) else []
    done = run("eval", "--model", file, "--tokens", tokens, "--bits", ",".join(map(str, widths)), *options, "--json")
    told = {row["bits"]: row["mean_nll"] for row in json.loads(expect(0, done).stdout)["rows"]}
    for bits in widths:
        found = reference.mean_nll(reference.Model(*reader.File(file).model(bits, head_bits)).logits(ids), ids)
        print(f"{title:40} {bits} bits: numpy {found:.7f}  tool {told[bits]:.7f}", flush=True)
        if not abs(found - told[bits]) < BOUND:
            fail(f"{title} at {bits} bits: numpy finds {found} nats, the tool {told[bits]}")


for number, (widths, options, *more) in enumerate([
        ((2, 4, 8), ""), ((2, 4, 8), "--scheme sym"), ((2, 4, 8), "--scheme full-range --dense-head"),
        ((2, 4, 8), "--slice round_clamp"), ((4,), "--bits 4 --scheme sym"), ((3,), "--bits 3"),
        ((2,), "--bits 2 --group-size -1"), ((2, 4, 8), "--outliers 0.5", *calibrated),
        ((2, 4), "--scale-iters 2 --widths 2,4", *calibrated), ((4,), "--method squeezellm --bits 4", *calibrated),
        ((3,), "--method squeezellm --bits 3", *calibrated)]):
    file = folder / f"{number}.jack"
    expect(0, run("quantize", model, "-o", file, "--quiet", *options.split(), *more))
    compare(options or "as it comes", file, widths)
whole = folder / "0.jack"
expect(0, run("cut", whole, "--bits", "4", "--head-bits", "6", "-o", part))
compare("cut at 4 bits, its head at 6", part, (2, 4), 6)
part.write_bytes(whole.read_bytes()[: reader.File(whole).settings["levels"][3]["end"]])
compare("up to the end of level 4", part, (2, 4))
print("page: ok")
