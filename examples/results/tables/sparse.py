# SPDX-License-Identifier: BSD-3-Clause
"""The tables of sparse parts: a few weights beside the planes."""
from compare import SEEDS, apart, closed, cpu_minutes, header, load, paired, row_of

BASES = {"rtn": "RTN", "gptq": "GPTQ", "awq": "AWQ", "squeezellm": "SqueezeLLM", "signround": "SignRound"}
SPARSE = ("perplexity", "bits/weight", "gap recovered", "over the base, nats", "CPU minutes")
SHARED = (("nearest, by the integral at 2 bits", "sparse-parent-rtn", "parent-rtn"),
          ("nearest, outliers first", "sparse-parent-rtn-outliers", "parent-rtn"),
          ("divided parent, ReQuant at 2 bits", "sparse-parent-staged", "parent-staged"),
          ("divided parent, outliers first", "sparse-parent-staged-outliers", "parent-staged"),
          ("divided parent, by the integral, before", "sparse-parent-staged-before", "parent-staged"))
# Made for the table "sparse".
RTN_AT_2 = {"outliers": "sparse-outliers-adaptive", "pqi": "sparse-pqi", "fisher": "sparse-fisher",
            "each-sample": "sparse-each-sample", "rise": "sparse-rise", "both": "sparse-both"}


def sparse_row(label, name, bits, base):
    cell = load(name)
    if cell is None:
        return []
    row, plain = row_of(cell, bits), row_of(base, bits)
    mean, error = paired(row, plain)
    gap_of_base, its_error = paired(plain, row_of(base, "fp32"))
    recovered = f"{closed(cell, bits, base):.1f} %" if gap_of_base > its_error else "no gap"
    return [f"| {label} | {row['perplexity']:.3f} | {row['effective_bits']:.3f} | {recovered} | "
            f"{mean:+.4f} ± {error:.4f} | {cpu_minutes(cell)} |"]


def table_of_sparse():
    """Half a percent of the weights beside 2-bit RTN: which."""
    base = load("rtn-w2-g64")
    names = {"sparse-random": "random", "sparse-magnitude": "largest magnitude", "sparse-fisher": "Fisher",
             "sparse-pqi": "integral, 2 steps", "sparse-steps-1": "integral, 1 step",
             "sparse-steps-4": "integral, 4 steps", "sparse-each-sample": "integral, magnitudes of each window",
             "sparse-fisher-80": "Fisher, 80 windows", "sparse-pqi-80": "integral, 2 steps, 80 windows",
             "sparse-each-sample-80": "integral, magnitudes of each window, 80 windows",
             "sparse-rise": "integral, only what makes the loss larger",
             "sparse-outliers-even": "outliers first, the same part of each matrix",
             "sparse-outliers-interquartile": "outliers first, SqueezeLLM's rule",
             "sparse-outliers-adaptive": "outliers first, shared out by sensitivity (Fisher's)",
             "sparse-both": "0.45 % adaptive outliers, 0.05 % integral (ReQuant)",
             "sparse-rtn-w2-pursuit": "fitted: pursuit", "sparse-rtn-w2-fit": "fitted: Fisher's places"}
    lines = ["", *header("0.5 % beside RTN, 2 bits", SPARSE)]
    for name, label in names.items():
        lines += sparse_row(label, name, 2, base)
    return lines + sparse_row("none, groups of 32", "sparse-rtn-g32", 2, base)


def table_of_bases():
    """Each base with and without weights beside it."""
    kinds = {"outliers": "0.5 % outliers first, shared out by Fisher", "pqi": "0.5 % by the integral, restored",
             "before": "0.5 % by the integral, which leave before",
             "each-sample": "0.5 % by the integral, magnitudes of each window, restored",
             "fisher": "0.5 % by Fisher, restored", "rise": "0.5 %, only what makes the loss larger, restored",
             "both": "ReQuant: 0.45 % outliers, 0.05 % by the integral", "pursuit": "0.5 % by pursuit, fitted",
             "fit": "0.5 % by Fisher, fitted", "own": "its paper's: 0.45 % outliers, 0.05 % sensitive"}
    lines = []
    for bits in (4, 3, 2):
        rows = []
        for base, shown in BASES.items():
            plain = load(f"{base}-w{bits}" if base == "squeezellm" else f"{base}-w{bits}-g64")
            if plain is None:
                continue
            row = row_of(plain, bits)
            found = []
            for kind, label in kinds.items():
                name = RTN_AT_2.get(kind) if (base, bits) == ("rtn", 2) else None
                name = name or f"sparse-{base}-w{bits}-{kind}"
                found += sparse_row(f"{shown}: {label}", name, bits, plain)
            found += sparse_row(f"{shown}, groups of 40 and nothing beside", f"equal-{base}-w{bits}", bits, plain)
            if found:
                rows.append(f"| **{shown}** | {row['perplexity']:.3f} | {row['effective_bits']:.3f} | | | "
                            f"{cpu_minutes(plain)} |")
            rows += found
        if rows:
            lines += ["", *header(f"{bits} bits, groups of 64", SPARSE), *rows]
    return lines


def table_of_sparse_seeds():
    """Half a percent beside 2 bits, restored: what the seed changes, which draws the calibration windows."""
    lines = ["", *header("0.5 % at 2 bits", ("gap recovered, seeds 0, 1, 2", "mean"))]
    for label, name, plain in (("RTN: random", "sparse-random", "rtn"),
                               ("RTN: integral, 1 step", "sparse-steps-1", "rtn"),
                               ("RTN: integral, 2 steps", "sparse-pqi", "rtn"),
                               ("RTN: integral, 4 steps", "sparse-steps-4", "rtn"),
                               ("RTN: integral, magnitudes of each window", "sparse-each-sample", "rtn"),
                               ("RTN: Fisher", "sparse-fisher", "rtn"),
                               ("RTN: adaptive outliers", "sparse-outliers-adaptive", "rtn"),
                               ("RTN: ReQuant (both)", "sparse-both", "rtn"),
                               ("GPTQ: integral", "sparse-gptq-w2-pqi", "gptq"),
                               ("SignRound: integral", "sparse-signround-w2-pqi", "signround"),
                               ("SignRound: integral, before", "sparse-signround-w2-before", "signround")):
        suffixes = ("", "-seed1", "-seed2")
        found = [load(name + suffix) for suffix in suffixes]
        bases = [load(f"{plain}-w2-g64{'' if plain == 'rtn' else suffix}") for suffix in suffixes]
        if None not in found and None not in bases:
            shares = [closed(cell, 2, base) for cell, base in zip(found, bases)]
            lines.append(f"| {label} | {', '.join(f'{x:+.1f} %' for x in shares)} | {sum(shares) / 3:+.1f} % |")
    return lines


def table_of_shared():
    """One sparse part, all widths."""
    lines = ["", *header("one file, with and without 0.5 % beside it", ("8", "4", "3", "2"))]
    for label, name, base in SHARED:
        cell, plain = load(name), load(base)
        if cell is not None:
            lines.append(f"| {label} | {apart(cell, plain, (8, 4, 3, 2))} |")
    return lines


def table_of_faithful():
    """The same half a percent, by where it is taken: KL divergence from the dense model."""
    lines = ["", *header("KL divergence, 0.5 % significant weights", ("8", "4", "3", "2"))]
    for base, shown, plain in (("rtn", "nearest, by Fisher", "parent-rtn"),
                               ("nested-gptq", "nested GPTQ, by the integral", "parent-nested-gptq")):
        for kind, label in (("", "none"), ("before", "they leave before (the default)"), ("after", "restored after"),
                            ("pursuit", "fitted at 2 bits by pursuit")):
            if (cell := load(f"shared-{base}-{kind}" if kind else plain)) is not None:
                of = " | ".join(f"{row_of(cell, bits)['kl_divergence']:.5f}" for bits in (8, 4, 3, 2))
                lines.append(f"| {shown}: {label} | {of} |")
    return lines


TABLES = {"sparse": table_of_sparse, "bases": table_of_bases, "sparse seeds": table_of_sparse_seeds,
          "shared": table_of_shared, "faithful": table_of_faithful}
