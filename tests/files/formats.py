# SPDX-License-Identifier: BSD-3-Clause
"""formats.py FORMATS FOLDER: reader.py beside the library, bit by bit, on a file with every format (formats.cpp), and
on what is left of it at each level's end."""
import pathlib
import subprocess
import sys

import numpy as np

import reader

program, folder = sys.argv[1], pathlib.Path(sys.argv[2])
folder.mkdir(parents=True, exist_ok=True)


def differing(path):
    """How many matrices, and how many weights of them are not those that the library reads."""
    file, matrices, wrong = reader.File(path), 0, {}
    for name in file.tensors:
        layer, _, bits = name.partition(".expected.")
        if not bits:
            continue
        try:
            w = file.weights(layer, int(bits))
        except ValueError:
            if path.name == "whole":
                raise
            continue
        expected = file.tensor(name)
        matrices += 1
        if w.dtype != expected.dtype or w.tobytes() != expected.tobytes():
            wrong[name] = (w.view("<u4") != expected.view("<u4")).sum()
    return matrices, wrong


for slice_ in ("truncate_centred", "round_clamp", "extra_precision"):
    path = folder / "whole"
    subprocess.run([program, path, slice_], check=True)
    settings = reader.File(path).settings
    matrices, wrong = differing(path)
    widest = {level["bits"]: 0 for level in settings["levels"]}
    data = path.read_bytes()
    for level in settings["levels"]:
        (folder / "part").write_bytes(data[: level["end"]])
        widest[level["bits"]], wrong_here = differing(folder / "part")
        wrong |= wrong_here
    print(f"{slice_}: {len(settings['layers'])} formats, {matrices} matrices compared; up to each level {widest}")
    if wrong or not 0 < widest[1] < widest[8] == matrices:
        sys.exit(f"FAILED: {slice_}: weights that differ: {wrong}")
