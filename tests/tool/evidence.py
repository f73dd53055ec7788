# SPDX-License-Identifier: BSD-3-Clause
"""The demo's tables are the cells of examples/results, and tuned.jack gives what its cell says."""
import json
import pathlib
import re
import subprocess
import sys

from harness import expect, fail, run

root = pathlib.Path(__file__).resolve().parents[2]
examples = root / "examples"


def cell(name):
    rows = json.loads((examples / f"results/cells/{name}.json").read_text())["rows"]
    return {str(row["bits"]): row for row in rows}


# its README: width, perplexity +- error, bits per byte, KL, top-1 %, bits per weight; as many digits as are printed
wanted = [{**cell("parent-rtn"), "2 own": cell("rtn-w2-g64")["2"]}, cell("demo-sparse"), cell("parent-overlap")]
tables = re.findall(r"```\n bits \|.*?```", (root / "examples/demo/README.md").read_text(), re.DOTALL)
if len(tables) != len(wanted):
    fail(f"the demo's README has {len(tables)} tables of widths, not {len(wanted)}")
for table, rows in zip(tables, wanted):
    lines = table.splitlines()[3:-1]
    if len(lines) < 4:
        fail(f"a table of {len(lines)} rows")
    for line in lines:
        bits, perplexity, per_byte, kl, top1, size = (x.strip() for x in line.split("|")[:6])
        row = rows[bits]
        said = [perplexity.split(" +-")[0], per_byte, kl, top1, size]
        found = [f"{row['perplexity']:.3f}", f"{row['bits_per_byte']:.4f}", f"{row['kl_divergence']:.5f}",
                 f"{100 * row['top1_agreement']:.2f}", f"{row['effective_bits']:.3f}"]
        if said != found:
            fail(f"the demo's README says {said} at {bits}, the cell {found}")

# numpy, which some cells are measured with, is asked for in a sentence: a python without packages has none
done = subprocess.run([sys.executable, "-S", examples / "results/results", "run", "--only", "llama-cpp"],
                      capture_output=True, text=True)
if done.returncode != 1 or len(done.stderr.splitlines()) != 1 or "numpy" not in done.stderr or done.stdout:
    fail(f"results without numpy: {done}")

# the file and the model of the repository: sums in another order on another machine change the last digits alone
made = json.loads(expect(0, run("eval", "--model", examples / "results/tuned.jack", "--reference", examples / "model",
                                "--bits", "fp32,8,4,2", "--text", examples / "data/test.txt", "--json")).stdout)
staged = cell("parent-overlap")
for row in made["rows"]:
    for key, within in (("perplexity", 1e-3), ("bits_per_byte", 1e-3), ("effective_bits", 1e-9)):
        said, found = staged[str(row["bits"])][key], row[key]
        if abs(said - found) > within * said:
            fail(f"tuned.jack at {row['bits']}: {key} {found}, not {said}")
    if abs(row["kl_divergence"] - staged[str(row["bits"])]["kl_divergence"]) > 1e-5:
        fail(f"tuned.jack at {row['bits']}: KL {row['kl_divergence']}")
