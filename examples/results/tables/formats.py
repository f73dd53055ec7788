# SPDX-License-Identifier: BSD-3-Clause
"""The tables of files that other engines read."""
from compare import header, load, ratio, row_of, tokens
from plan import METHODS, OURS, THEIRS

LABELS = {"rtn": "nearest", "gptq": "GPTQ", "signround": "SignRound"}
LESS = "less KL than llama.cpp's, %"
COLUMNS = ("bits/weight", "perplexity", "KL, nats", "top-1, %")
PARENT = "parent-overlap"
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


def parents():
    """Files of ours, by what made them, as our own eval finds them: the widths of one tuned parent, and files of one
    width in groups of 64."""
    if (cell := load(PARENT)) is not None:
        yield "one parent", [row_of(cell, bits) for bits in WIDTHS]
    for method, label in LABELS.items():
        found = ((bits, load(f"{method}-w{bits}-g64")) for bits in (4, 3, 2))
        if rows := [row_of(cell, bits) for bits, cell in found if cell is not None]:
            yield f"{label}, one width", rows


def table_of_parents():
    return ["", *header("file", ("bits", *COLUMNS)),
            *(line(f"{label if row is rows[0] else ''} | {row['bits']}", row) for label, rows in parents()
              for row in rows)]


TABLES = {"types, rows of 768": lambda: table_of_types("-padded"), "files of ours": table_of_parents,
          "types, rows of 704": lambda: table_of_types("")}
