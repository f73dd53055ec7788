# SPDX-License-Identifier: BSD-3-Clause
"""The tables of files that other engines read."""
from compare import header, load, ratio, row_of, tokens
from plan import METHODS, OURS, THEIRS

LABELS = {"rtn": "nearest", "mse": "searched scales", "gptq": "GPTQ", "signround": "SignRound"}
LESS = "less KL than llama.cpp's, %"
COLUMNS = ("bits/weight", "perplexity", "KL, nats", "top-1, %")
PARENT = "parent-staged"
WIDTHS = (8, 6, 5, 4, 3, 2)


def line(first, row, *more):
    kl = f"{row['kl_divergence']:.5f}"
    if "window_kl" in row:
        kl += f" ± {ratio(row['window_kl'], tokens(row))[1]:.5f}"
    return " | ".join((f"| {first}", f"{row['effective_bits']:.3f}", f"{row['perplexity']:.3f}", kl,
                       f"{100 * row['top1_agreement']:.2f}", *more)) + " |"


def by_method(kind, ending):
    """The rows of ours in a type that are there."""
    for method in METHODS if kind in OURS else ():
        if (cell := load(f"{kind}-{method}{ending}")) is not None:
            yield method, row_of(cell, kind)


def table_of_types(ending):
    if (cell := load(f"llama-cpp{ending}")) is None:
        return []
    ours = {kind: list(by_method(kind, ending)) for kind in THEIRS}
    less, none = ((LESS,), ("",)) if any(ours.values()) else ((), ())
    lines = ["", *header("type", ("by", *COLUMNS, *less))]
    for kind in sorted(THEIRS, key=lambda kind: row_of(cell, kind)["effective_bits"]):
        base = row_of(cell, kind)
        lines.append(line(f"{kind.upper()} | llama.cpp", base, *none))
        for method, row in ours[kind]:
            apart = [b - a for a, b in zip(row["window_kl"], base["window_kl"], strict=True)]
            mean, error = ratio(apart, base["window_kl"])
            lines.append(line(f" | {LABELS[method]}", row, f"{100 * mean:.1f} ± {100 * error:.1f}"))
    return lines


def table_of_widths():
    """The tuned parent's, as our own eval finds them."""
    cell = load(PARENT)
    return ["", *header("bits", COLUMNS), *(line(bits, row_of(cell, bits)) for bits in WIDTHS)] if cell else []


TABLES = {"types, rows of 768": lambda: table_of_types("-padded"), "widths of one parent": table_of_widths,
          "types, rows of 704": lambda: table_of_types("")}
