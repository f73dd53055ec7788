# SPDX-License-Identifier: BSD-3-Clause
"""How a cell is measured: its commands run, and what of their reports is kept."""
import json
import pathlib
import shutil
import tempfile

from plan import ACTIVATIONS, MODEL, QUANTIZE, ROOT, TOP, TUNED, Estimates, Files, Kept, Mix, Scores, Speed
from timing import made_on, timed


def run(name, cell, tool, keep_in):
    """Quantize and score one cell; its JSON. The quantized file goes to the folder keep_in, if there is one."""
    if isinstance(cell, Mix):
        return run_mix(name, cell, tool)
    if isinstance(cell, Estimates):
        return run_estimates(name, cell, tool)
    if isinstance(cell, Scores):
        return run_scores(name, cell, tool)
    if isinstance(cell, Kept):
        return run_kept(name, cell, tool)
    if isinstance(cell, Files):
        import files  # needs numpy
        return files.run(name, cell, tool, keep_in)
    if isinstance(cell, Speed):
        return run_speed(name, cell, tool)
    with tempfile.TemporaryDirectory() as folder:
        file, inside, asked = pathlib.Path(folder) / "model.jack", pathlib.Path(folder) / "inside.jack", cell.arguments
        before = {"minutes": 0.0, "cpu_minutes": 0.0}
        if cell.inside:
            _, before = timed(tool, *QUANTIZE, "-o", str(inside), *cell.inside, "--json", "--quiet")
            asked = (*asked, "--inside", str(inside))
        made, minutes = timed(tool, *QUANTIZE, "-o", str(file), *asked, "--json", "--quiet")
        minutes = {key: round(value + before[key], 2) for key, value in minutes.items()}
        rows = scored(tool, file, "--bits", ",".join(["fp32", *map(str, cell.widths)]))
        if keep_in is not None:
            shutil.copyfile(file, pathlib.Path(keep_in) / f"{name}.jack")
    out = {"cell": name, "command": ["jackplane", *QUANTIZE, *cell.arguments], **minutes,
           **made_on(), "peak_mb": round(made["peak_bytes"] / 1e6), "rows": rows,
           "curves": curves_of(made), "moved": round(moved_by(made), 4)}
    if cell.inside:
        out["inside"] = ["jackplane", *QUANTIZE, *cell.inside]
    if "sparse" in made:
        out["sparse"] = made["sparse"]
    return out


def run_speed(name, cell, tool):
    beside, asked = (), ()
    if cell.beside:
        import files  # needs numpy
        beside, asked = ("--against", files.libraries()), ("--against", "FOLDER")
    found, minutes = timed(tool, "bench-decode", *cell.arguments, *beside, "--json")
    return {"cell": name, "command": ["jackplane", "bench-decode", *cell.arguments, *asked], **minutes, **made_on(),
            "report": found}


def run_scores(name, cell, tool):
    minutes, rows = {"minutes": 0.0, "cpu_minutes": 0.0}, []
    with tempfile.TemporaryDirectory() as folder:
        file = TUNED
        if cell.arguments:
            file = pathlib.Path(folder) / "model.jack"
            _, minutes = timed(tool, *QUANTIZE, "-o", str(file), *cell.arguments, "--json", "--quiet")
        for activation in ACTIVATIONS:
            rows += [{"activation": activation, **row}
                     for row in scored(tool, file, "--bits", "8,4,3,2", "--activation", activation)]
    made_by = ["jackplane", *QUANTIZE, *cell.arguments] if cell.arguments else ["jackplane", "eval", TUNED]
    return {"cell": name, "command": made_by, **minutes, **made_on(), "rows": rows}


def run_kept(name, cell, tool):
    with tempfile.TemporaryDirectory() as folder:
        model, file = MODEL, pathlib.Path(folder) / "model.jack"
        if cell.stretch:
            model = stretched(cell, pathlib.Path(folder) / "model")
        _, minutes = timed(tool, "quantize", str(model), *QUANTIZE[2:], "--method", "rtn", "-o", str(file), "--json",
                           "--quiet")
        asked = ("--context", str(cell.context), "--activation", "limbs3")
        rows = [{"kv_bits": bits, **scored(tool, file, "--bits", "8", *asked, "--kv-bits", str(bits),
                                           reference=str(model))[0]} for bits in cell.kv_bits]
    return {"cell": name, "command": ["jackplane", "eval", "--bits", "8", *asked, "--kv-bits", "..."], **minutes,
            **made_on(), **({"yarn": cell.stretch} if cell.stretch else {}), "rows": rows}


def stretched(cell, folder):
    """The model with positions that YaRN interpolates, for texts longer than those it learned from."""
    shutil.copytree(ROOT / MODEL, folder)
    file = folder / "config.json"
    sizes = json.loads(file.read_text())
    sizes["rope_scaling"] = {"rope_type": "yarn", "factor": cell.stretch,
                             "original_max_position_embeddings": sizes["max_position_embeddings"]}
    sizes["max_position_embeddings"] *= cell.stretch
    file.write_text(json.dumps(sizes))
    return folder


def run_estimates(name, cell, tool):
    commands, found = [], []
    used = {"minutes": 0.0, "cpu_minutes": 0.0}
    with tempfile.TemporaryDirectory() as folder:
        file, maps = pathlib.Path(folder) / "model.jack", pathlib.Path(folder) / "maps"
        timed(tool, *QUANTIZE, "-o", str(file), "--bits", str(cell.bits), "--json", "--quiet")
        for arguments in cell.asked:
            commands.append(["jackplane", "sensitivity", MODEL, *arguments])
            more = ("--maps", str(maps)) if cell.maps else ()
            report, minutes = timed(tool, "sensitivity", MODEL, "--quantized", str(file), *arguments, *more, "--json",
                                    "--quiet", "--no-resume")
            used = {key: round(value + minutes[key], 2) for key, value in used.items()}
            found.append(report)
        out = {"cell": name, "commands": commands, **used, **made_on(), "reports": found}
        if cell.maps:
            out["spread"] = spread_of(maps)
    return out


def spread_of(maps):
    """Mean magnitude of the changes of each matrix, and the part of all magnitudes that the largest have."""
    import numpy as np
    changes = {path.stem: np.abs(np.load(path).astype(np.float64).ravel()) for path in sorted(maps.glob("*.npy"))}
    every = np.sort(np.concatenate(list(changes.values())))[::-1]
    parts = {str(top): float(every[:round(top / 100 * every.size)].sum() / every.sum()) for top in TOP}
    return {"mean": {name: float(f"{change.mean():.4g}") for name, change in changes.items()}, "top": parts}


def run_mix(name, mix, tool):
    if mix.allocate:
        command = ["allocate", *mix.allocate]
        found, minutes = timed(tool, "allocate", "--model", TUNED, *mix.allocate, "--json", "--quiet")
        widths = found["mix"]
    else:
        command = ["eval", "--mix", ",".join(map(str, mix.widths))]
        widths, minutes = mix.widths, {"minutes": 0.0, "cpu_minutes": 0.0}
    rows = scored(tool, TUNED, "--bits", "fp32", "--mix", ",".join(map(str, widths)))
    return {"cell": name, "command": ["jackplane", *command], **minutes, **made_on(),
            "mix": list(widths), "rows": rows}


def scored(tool, file, *asked, reference=MODEL):
    """Rows of `jackplane eval` on the test books."""
    found, _ = timed(tool, "eval", "--model", str(file), *asked, "--reference", reference, "--text",
                     "examples/data/test.txt", "--json")
    keep = ("bits", "perplexity", "mean_nll", "bits_per_byte", "kl_divergence", "top1_agreement", "effective_bits",
            "window_nll")
    rows = [{key: row[key] for key in keep} for row in found["rows"]]
    for row in rows:
        row["window_nll"] = [round(x, 4) for x in row["window_nll"]]
    return rows


def curves_of(report):
    """Width -> loss of each step's batch, over that of the first step, the mean of all layers."""
    by_width = {}
    for tuned in report.get("losses", ()):
        if tuned["steps"]:
            by_width.setdefault(tuned["bits"], []).append([loss / tuned["steps"][0] for loss in tuned["steps"]])
    return {bits: [round(sum(step) / len(step), 4) for step in zip(*layers)] for bits, layers in by_width.items()}


def moved_by(report):
    """Part of the codes that offsets moved in the last stage that says so, the mean of all layers."""
    moved = [tuned["moved"] for tuned in report.get("losses", ()) if tuned.get("moved", 0) > 0]
    return sum(moved) / len(moved) if moved else 0
