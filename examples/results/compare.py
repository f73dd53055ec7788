# SPDX-License-Identifier: BSD-3-Clause
"""Cells that were made, and how they compare."""
import json
import math

from plan import HERE

BLOCK = 2  # windows
WINDOW = 511  # scored tokens of each window but the last, which has what remains
SLOWER = 25  # cpu family: Zen 3; cells without one are of Zen 5
SEEDS = ("", "-seed1", "-seed2")  # ends of the names of a cell's three runs
WIDE = (6, 26)  # an Intel and a Zen 5, where OpenBLAS chose AVX-512 kernels, unless the cell names others


def load(name):
    path = HERE / "cells" / f"{name}.json"
    return json.loads(path.read_text()) if path.exists() else None


def row_of(cell, bits):
    return next(row for row in cell["rows"] if row["bits"] == bits)


def gap(cell, bits):
    """Loss above full precision, nats a token."""
    return row_of(cell, bits)["mean_nll"] - row_of(cell, "fp32")["mean_nll"]


def over(cell, bits):
    """Perplexity above that of full precision, percent."""
    return 100 * (row_of(cell, bits)["perplexity"] / row_of(cell, "fp32")["perplexity"] - 1)


def closed(cell, bits, base):
    """Part of the gap of another cell that this one takes away, percent."""
    return 100 * (1 - gap(cell, bits) / gap(base, bits))


def paired(one, other):
    """Mean difference of the loss per token, row one minus the other, and its standard error: of a ratio of sums over
    blocks, each of which counts by its tokens (examples/engine/measure/evaluate.hpp has the formula)."""
    apart = [a - b for a, b in zip(one["window_nll"], other["window_nll"], strict=True)]
    return ratio(apart, tokens(one))


def tokens(row):
    """Scored, of each window."""
    everything = round(sum(row["window_nll"]) / row["mean_nll"])
    return [min(WINDOW, everything - at) for at in range(0, everything, WINDOW)]


def ratio(values, of):
    """Sum of a list over windows over that of another, and its standard error from blocks of windows."""
    mean = sum(values) / sum(of)
    off = [sum(values[at:at + BLOCK]) - mean * sum(of[at:at + BLOCK]) for at in range(0, len(values), BLOCK)]
    return mean, math.sqrt(len(off) / (len(off) - 1) * sum(x * x for x in off)) / sum(of)


def apart(cell, base, widths):
    """A cell against another at each of these widths, as the columns of a table."""
    of = (paired(row_of(cell, bits), row_of(base, bits)) for bits in widths)
    return " | ".join(f"{mean:+.4f} ± {error:.4f}" for mean, error in of)


def header(first, names):
    names = list(names)
    return [f"| {first} | " + " | ".join(map(str, names)) + " |", "|---" * (len(names) + 1) + "|"]


def cpu_minutes(cell):
    if "cpu_minutes" not in cell:
        return ""
    family = cell.get("cpu_family")
    mark = " †" if family == SLOWER else " ‡" if family in WIDE and "blas" not in cell else ""
    return f"{cell['cpu_minutes']:.1f}{mark}"


def seed_row(label, names, bits):
    """Three seeds of a cell: its perplexities, their mean and standard deviation."""
    found = [load(name) for name in names]
    if None in found:
        return []
    values = [row_of(cell, bits)["perplexity"] for cell in found]
    mean = sum(values) / 3
    deviation = math.sqrt(sum((v - mean) ** 2 for v in values) / 2)
    return [f"| {label} | {', '.join(f'{v:.3f}' for v in values)} | {mean:.3f} | {deviation:.3f} |"]
