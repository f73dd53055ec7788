# SPDX-License-Identifier: BSD-3-Clause
"""The tables of predicted changes and of weights beside the planes."""
import compare
from compare import apart, closed, cpu_minutes, gap, header, load, paired, row_of
from measure import PATHS, RULES, TOP

ESTIMATES = {"actual": "actual", "pqi": "integral", "first_order": "slope", "second_order_hessian": "true Hessian",
             "second_order_fisher_token": "Fisher, tokens", "second_order_fisher_sequence": "Fisher, sequences",
             "second_order_fisher_mean": "Fisher, means"}
BASES = {"rtn": "RTN", "gptq": "GPTQ", "awq": "AWQ", "squeezellm": "SqueezeLLM", "signround": "SignRound"}
KINDS = {"q": "self_attn.q_proj", "k": "self_attn.k_proj", "v": "self_attn.v_proj", "o": "self_attn.o_proj",
         "gate": "mlp.gate_proj", "up": "mlp.up_proj", "down": "mlp.down_proj"}


def totals(cell):
    return [report["total"] for report in cell["reports"]]


def line(first, numbers, form="{:.2e}"):
    return f"| {first} | " + " | ".join(form.format(x) for x in numbers) + " |"


def table_of_estimates():
    """What quantizing costs, predicted and measured: the paper's table 1."""
    lines = []
    for bits in (4, 3, 2):
        if (cell := load(f"estimates-w{bits}")) is not None:
            report = cell["reports"][0]
            lines += ["", f"**{bits} bits** ({cpu_minutes(cell)} CPU minutes)", "",
                      *header("layer quantized alone", ESTIMATES.values())]
            for block in report["blocks"]:
                lines.append(line(block["name"].rsplit(".", 1)[1], [block[key] for key in ESTIMATES]))
            lines.append(line("**all**", [report["total"][key] for key in ESTIMATES]))
    return lines


def table_of_paths():
    """So far towards the quantized weights: the paper's table 2."""
    whole, parts = load("estimates-w4"), load("paths-w4")
    if whole is None or parts is None:
        return []
    total = totals(whole)[0]
    slope, curve = total["first_order"], total["second_order_hessian"]
    lines = ["", *header("lambda", ("actual", "integral", "slope", "slope + true Hessian",
                                    "(actual - slope) / true Hessian"))]
    for path, found in [("1", total), *zip(PATHS, totals(parts))]:
        t = float(path)
        lines.append(f"| {path} | {found['actual']:.3e} | {found['pqi']:.3e} | {slope * t:.3e} | "
                     f"{slope * t + curve * t * t:.3e} | {(found['actual'] - slope * t) / (curve * t * t):.3f} |")
    return lines


def errors_of_rules(bits):
    """(rule, intervals) -> error of the prediction, percent of the actual change."""
    cell = load(f"rules-w{bits}")
    if cell is None:
        return {}
    asked = [(rule, n) for rule in RULES for n in (4, 8, 16, 32)]
    return {key: 100 * (total["pqi"] / total["actual"] - 1) for key, total in zip(asked, totals(cell))}


def table_of_rules():
    """The paper's table 3."""
    lines = []
    for bits in (4, 3, 2):
        errors = errors_of_rules(bits)
        if errors:
            lines += ["", f"**{bits} bits**", "", *header("intervals", (4, 8, 16, 32))]
            for rule in RULES:
                lines.append(line(f"`{rule}`", [errors[rule, n] for n in (4, 8, 16, 32)], "{:+.4f} %"))
        if (cell := load(f"paper-w{bits}")) is not None:
            total = totals(cell)[0]
            lines += ["", "The paper's setting, 100 windows and 32 intervals of the inclusive mean: "
                      f"{total['pqi']:.6f}, "
                      f"actual {total['actual']:.6f} ({100 * (total['pqi'] / total['actual'] - 1):+.3f} %), in "
                      f"{cpu_minutes(cell)} CPU minutes."]
    return lines


def table_of_spread():
    """The paper's tables 4 and 5."""
    lines = []
    for bits in (4, 2):
        if (cell := load(f"estimates-w{bits}")) is not None:
            mean = cell["spread"]["mean"]
            layers = 1 + max(int(name.split(".")[2]) for name in mean)
            lines += ["", f"**{bits} bits**: mean magnitude of the change of a weight, 1e-8 nats", "",
                      *header("layer", KINDS)]
            for layer in range(layers):
                of = [mean[f"model.layers.{layer}.{kind}.weight"] * 1e8 for kind in KINDS.values()]
                lines.append(line(layer, of, "{:.2f}"))
    lines += ["", *header("part of all magnitudes that the largest hold", [f"{top} %" for top in TOP])]
    for bits in (4, 3, 2):
        if (cell := load(f"estimates-w{bits}")) is not None:
            lines.append(line(f"{bits} bits", [100 * cell["spread"]["top"][str(top)] for top in TOP], "{:.1f} %"))
    return lines


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


SPARSE = ("perplexity", "bits/weight", "gap recovered", "over the base, nats", "CPU minutes")


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
    lines = ["", *header("0.5 % beside RTN, 2 bits, groups of 64", SPARSE)]
    for name, label in names.items():
        lines += sparse_row(label, name, 2, base)
    return lines + sparse_row("none, groups of 32", "sparse-rtn-g32", 2, base)


# Made for the table above.
RTN_AT_2 = {"outliers": "sparse-outliers-adaptive", "pqi": "sparse-pqi", "fisher": "sparse-fisher",
            "each-sample": "sparse-each-sample", "rise": "sparse-rise", "both": "sparse-both"}


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
    lines = ["", *header("gap recovered, seeds 0, 1, 2", ("", "mean"))]
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


SHARED = (("nearest, 0.5 % by the integral at 2 bits", "sparse-parent-rtn", "parent-rtn"),
          ("nearest, 0.5 % outliers first", "sparse-parent-rtn-outliers", "parent-rtn"),
          ("coarse to fine, ReQuant at 2 bits", "sparse-parent-staged", "parent-staged"),
          ("coarse to fine, 0.5 % outliers first", "sparse-parent-staged-outliers", "parent-staged"),
          ("coarse to fine, 0.5 % by the integral at 2 bits, before", "sparse-parent-staged-before", "parent-staged"))


def table_of_shared():
    """One sparse part, all widths."""
    lines = ["", *header("one file, and its weights beside the planes", ("8", "4", "3", "2"))]
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


def table_of_bars():
    lines = ["", "| goal | measured | met |", "|---|---|---|"]

    def bar(*said):
        lines.append(compare.bar(*said))

    most = {("midpoint", 16): (0.1, 0.1, 0.1), ("trapezoid", 16): (0.1, 0.1, 0.1), ("trapezoid", 32): (0.03,) * 3,
            ("inclusive_mean", 32): (0.3, 0.5, 1), ("gauss", 16): (0.01, None, None)}
    for at, bits in enumerate((4, 3, 2)):
        errors = errors_of_rules(bits)
        for (rule, n), limits in most.items():
            if errors and limits[at] is not None:
                bar(f"{bits} bits: `{rule}`, {n} intervals, within {limits[at]} % of the actual change",
                    errors[rule, n], "{:+.4f} %", abs(errors[rule, n]) <= limits[at])
    whole, parts = load("estimates-w4"), load("paths-w4")
    if whole is not None and parts is not None:
        total = totals(whole)[0]
        for path, found in zip(PATHS, totals(parts)):
            limit = {"0.1": 10, "0.01": 2}.get(path)
            if limit is not None:
                t = float(path)
                off = 100 * ((found["actual"] - total["first_order"] * t) / (total["second_order_hessian"] * t * t) - 1)
                bar(f"true Hessian: the quadratic coefficient at lambda {path} within {limit} %", off, "{:+.2f} %",
                    abs(off) <= limit)
    base, random = load("rtn-w2-g64"), load("sparse-random")
    if (cell := load("sparse-pqi")) is not None and random is not None:
        share, chance = closed(cell, 2, base), closed(random, 2, base)
        bar("0.5 % restored by the integral on RTN, 2 bits: at least 5 % of the gap", share, "{:.1f} %", share >= 5)
        bar("and three times what random ones give", share / max(chance, 1e-9), "{:.1f}", share >= 3 * chance)
    for method, least in (("rtn", 20), ("gptq", 15)):
        plain = f"{method}-w2-g64"
        if (cell := load(f"sparse-{method}-w2-pursuit")) is not None:
            share = closed(cell, 2, load(plain))
            bar(f"0.5 % by pursuit, fitted ({plain[:-4]}): at least {least} % of the gap", share, "{:.1f} %",
                share >= least)
    if (cell := load("sparse-rtn-w2-pursuit")) is not None and (small := load("sparse-rtn-g32")) is not None:
        bar("RTN, 2 bits: fitted weights beat groups of 32 (part of their gap)", gap(cell, 2) / gap(small, 2), "{:.2f}",
            gap(cell, 2) < gap(small, 2))
    for label, name, base in SHARED:
        if (cell := load(name)) is not None:
            apart_by = {bits: paired(row_of(cell, bits), row_of(load(base), bits)) for bits in (8, 4, 3, 2)}
            worst = max(apart_by, key=lambda bits: apart_by[bits][0] / max(apart_by[bits][1], 1e-9))
            mean, error = apart_by[worst]
            bar(f"one sparse part ({label}): at or below the parent without it at 8, 4, 3 and 2 bits (the worst: "
                f"{worst} bits, nats a token; 2 standard errors)", mean, f"{{:+.4f}} ± {error:.4f}",
                all(m <= 2 * e for m, e in apart_by.values()))
    if (cell := load("paper-w4")) is not None:
        bar("a full pass (32 intervals, 100 windows): at most 20 minutes on 2 cores, of the clock", cell["minutes"],
            "{:.1f}", cell["minutes"] <= 20)
    return lines


TABLES = {"estimates": table_of_estimates, "paths": table_of_paths, "rules": table_of_rules,
          "spread": table_of_spread, "sparse": table_of_sparse, "bases": table_of_bases,
          "sparse seeds": table_of_sparse_seeds, "shared": table_of_shared, "faithful": table_of_faithful,
          "sparse bars": table_of_bars}
