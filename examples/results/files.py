# SPDX-License-Identifier: BSD-3-Clause
"""GGUF files that llama.cpp's quantizer makes, or `jackplane quantize`, and how far llama.cpp finds them from the dense
model. llama.cpp comes built from npm; what asks it is compiled here from tests/clients/llama."""
import functools
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile

import numpy as np

from plan import CALIBRATION, MODEL, PADDED, QUANTIZE, ROOT
from timing import made_on, timed

CLIENTS, BUILT = ROOT / "tests" / "clients", ROOT / "build" / "clients"
sys.path.insert(0, str(CLIENTS))
import architectures  # noqa: E402
import checkpoints  # noqa: E402
import gguf  # noqa: E402
import gguf_read  # noqa: E402
import importance  # noqa: E402
import llama_npm  # noqa: E402

TEXT, WINDOW = ROOT / "examples/data/test.txt", 512
FP32 = "fp32"


def program(name):
    sources, made = CLIENTS / "llama", BUILT / name
    if not made.exists() or made.stat().st_mtime < max(file.stat().st_mtime for file in sources.iterdir()):
        BUILT.mkdir(parents=True, exist_ok=True)
        subprocess.run(["c++", "-std=c++20", "-O2", "-I", ROOT / "examples", sources / f"{name}.cpp", "-o", made,
                        "-ldl"], check=True)
    return made


def run(name, cell, tool, keep_in):
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        model, dense = dense_of(cell.padded, folder)
        made = {kind: folder / f"{name}.{kind}.gguf" for kind in cell.types}
        if cell.arguments:
            minutes = by_us(cell, model, made, tool)
            command = ["jackplane", *QUANTIZE, *cell.arguments]
        else:
            minutes = by_llama_cpp(dense, made)
            command = ["llama_model_quantize", "--pure", "--imatrix", CALIBRATION]
        rows = judged(dense, made)
        for file in made.values() if keep_in is not None else ():
            shutil.copy(file, keep_in)
    return {"cell": name, "command": command, **({"padded": PADDED} if cell.padded else {}), **minutes, **made_on(),
            "rows": rows}


def dense_of(padded, folder):
    """The model's folder, and the same as a GGUF file of F32."""
    model, dense = ROOT / MODEL, folder / "dense.gguf"
    if padded:
        model = folder / "padded"
        checkpoints.pad(ROOT / MODEL, model, PADDED)
    c, tensors = checkpoints.load(model)
    gguf.write(dense, {**architectures.gguf_metadata(c), **gguf.vocabulary(model / "tokenizer.model")},
               architectures.gguf_tensors(c, tensors))
    return model, dense


def by_us(cell, model, made, tool):
    (file,) = made.values()
    command, _, *rest = QUANTIZE
    _, minutes = timed(tool, command, str(model), *rest, "-o", str(file), *cell.arguments, "--json", "--quiet")
    return minutes


def by_llama_cpp(dense, made):
    matrix = dense.with_name("imatrix.gguf")
    sums, tokens = importances()
    columns = {name: shape[-1] for name, (_, shape, _) in gguf_read.table(dense).items()}  # what is padded reads zeros
    importance.write(matrix, {name: np.pad(value, (0, columns[name] - len(value))) for name, value in sums.items()},
                     tokens, CALIBRATION, WINDOW)
    used = {"minutes": 0.0, "cpu_minutes": 0.0}
    for kind, file in made.items():
        _, minutes = timed(program("quantizer"), libraries(), str(dense), str(file), kind, str(matrix))
        used = {key: round(value + minutes[key], 2) for key, value in used.items()}
    return used


@functools.cache
def importances():
    """Of the calibration text, in windows; the model's columns, none padded."""
    with tempfile.TemporaryDirectory() as folder:
        _, dense = dense_of(False, pathlib.Path(folder))
        (said,) = asked("witness", dense, ROOT / CALIBRATION)
    windows = [said["tokens"][at : at + WINDOW] for at in range(0, len(said["tokens"]), WINDOW)]
    return importance.sums_of(*checkpoints.load(ROOT / MODEL), windows)


def judged(dense, made):
    """A row of each file, that of the dense one first."""
    rows = []
    for kind, said in zip([FP32, *made], asked("judge", TEXT, WINDOW, dense, *made.values()), strict=True):
        types, bits = gguf_read.layers_of(pathlib.Path(said.pop("file")))
        said["window_nll"] = [round(x, 4) for x in said["window_nll"]]
        rows.append({"bits": kind, "effective_bits": bits, "types": types, **said})
    return rows


def asked(name, *arguments):
    """What a program of tests/clients/llama prints, each line a JSON object."""
    printed = subprocess.run([program(name), libraries(), *map(str, arguments)], check=True, stdout=subprocess.PIPE)
    return [json.loads(line) for line in printed.stdout.splitlines()]


def libraries():
    return str(llama_npm.libraries(BUILT / "npm"))
