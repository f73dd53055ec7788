# SPDX-License-Identifier: BSD-3-Clause
"""The tables of tuned rounding."""
import math

import compare
from compare import apart, closed, cpu_minutes, gap, load, over, paired, row_of
from measure import REACHES, SHORT

GPTQ = ("gptq", "gptq-plain", "nested-gptq", "nested-gptq-own")
SEEDS = ("", "-seed1", "-seed2")
JOINT = {"parent-joint-small": "joint, 0.1, 0.1, 1", "parent-joint-refined": "inside the 2 bits of joint",
         "parent-joint-omniquant": "joint over OmniQuant", "parent-joint-qat": "joint over QAT",
         "parent-matgptq-842": "MatGPTQ {8,4,2}"}


def gptq_cells(bits):
    found = {name: load(f"{name}-w{bits}-g64") for name in GPTQ}
    return {name: cell for name, cell in found.items() if cell is not None}


def table_of_widths():
    """Methods for one width alone."""
    names = {"rtn": "nearest (RTN)", "nested-rtn": "nearest, on the parent's grid", "mse": "searched scales",
             "gptq-plain": "GPTQ", "gptq": "GPTQ, searched scales, act-order",
             "nested-gptq": "GPTQ, searched scales, on the parent's grid",
             "nested-gptq-own": "the same from the range of the width",
             "squeezellm": "SqueezeLLM (2^bits values a row, no groups)", "awq": "AWQ",
             "gptq-balanced": "GPTQ after AWQ's scales", "omniquant": "OmniQuant clipping",
             "qat": "QAT", "efficientqat": "EfficientQAT",
             "efficientqat-blocks": "EfficientQAT without its end-to-end phase", "layer-wise": "SignRound, layer-wise",
             "layer-wise-from-gptq": "SignRound, layer-wise, from GPTQ", "signround": "SignRound, block-wise"}
    lines = []
    for bits in (4, 3, 2):
        for group in (64, 128):
            base = load(f"rtn-w{bits}-g{group}")
            if base is None:
                continue
            lines += ["", f"**{bits} bits, groups of {group}**", "",
                      "| method | perplexity | over fp32 | gap, nats | gap closed | KL nats | top-1 % | bits/weight "
                      "| CPU minutes |",
                      "|---|---|---|---|---|---|---|---|---|"]
            for method, label in names.items():
                cell = load(f"{method}-w{bits}" if method == "squeezellm" and group == 64 else
                            f"{method}-w{bits}-g{group}")
                if cell is None:
                    continue
                row, whole = row_of(cell, bits), row_of(cell, "fp32")
                mean, error = paired(row, whole)
                lines.append(f"| {label} | {row['perplexity']:.3f} | "
                             f"{over(cell, bits):+.2f} % | "
                             f"{mean:.4f} ± {error:.4f} | {closed(cell, bits, base):.0f} % | "
                             f"{row['kl_divergence']:.4f} | {100 * row['top1_agreement']:.2f} | "
                             f"{row['effective_bits']:.3f} | {cpu_minutes(cell)} |")
    return lines


def table_of_parents():
    """One file, read at every width."""
    names = {"parent-rtn": "nearest", "parent-rtn-round_clamp": "nearest, `round_clamp` (reads r + 1)",
             "parent-rtn-extra_precision": "nearest, `extra_precision` (keeps r + 1)",
             "parent-w8": "tuned at 8 bits, cut", "parent-w2-nearest": "tuned at 2 bits, the rest nearest",
             "parent-joint-small": "joint {8,4,2}, lambda 0.1, 0.1, 1", "parent-joint-even": "joint {8,4,2}, 1, 1, 1",
             "parent-joint-single": "codes of 8 bits, 2 bits counted alone (Single-Precision)",
             "parent-joint-round_clamp": "joint {8,4,2}, 0.1, 0.1, 1, `round_clamp` (reads r + 1)",
             "parent-joint-extra_precision": "joint {8,4,2}, 0.1, 0.1, 1, `extra_precision` (keeps r + 1)",
             "parent-joint-omniquant": "joint {8,4,2} over OmniQuant, 0.1, 0.1, 1",
             "parent-joint-qat": "joint {8,4,2} over QAT, 0.1, 0.1, 1",
             "parent-matgptq-842": "MatGPTQ {8,4,2}", "parent-matgptq-843": "MatGPTQ {8,4,3}",
             "parent-nested-gptq": "GPTQ coarse to fine 2, 3, 4, 6, 8",
             "parent-staged-248": "coarse to fine 2, 4, 8", "parent-staged": "**coarse to fine 2, 3, 4, 6, 8**",
             "parent-staged-joint": "coarse to fine 2, 4, 8, then joint 1, 1, 1",
             "parent-joint-refined": "joint {8,4,2}, 0.1, 0.1, 1, then coarse to fine `--inside` its 2 bits",
             "parent-staged-scales": "coarse to fine 2, 3, 4, 6, 8, then scales of its own for each of these"}
    widths = (8, 7, 6, 5, 4, 3, 2, 1)
    lines = ["", "| parent | " + " | ".join(map(str, widths)) + " | CPU minutes | peak MB |", "|---" * 11 + "|"]
    found = {name: cell for name in names if (cell := load(name)) is not None}
    for name, cell in found.items():
        values = " | ".join(f"{row_of(cell, bits)['perplexity']:.3f}" for bits in widths)
        lines.append(f"| {names[name]} | {values} | {cpu_minutes(cell)} | {cell['peak_mb']} |")
    parent = found.pop("parent-staged", None)
    lines += ["", "The others against coarse to fine at each width: difference of the loss in nats a token, paired, "
              "and its standard error.", "", "| parent | 8 | 4 | 2 |", "|---|---|---|---|"]
    for name, cell in found.items() if parent is not None else ():
        lines.append(f"| {names[name]} | {apart(cell, parent, (8, 4, 2))} |")
    lines += ["", "Each width of the coarse-to-fine parent against the model that was tuned for that width alone: "
              "difference of the loss in nats a token, paired.", "", "| width | parent - alone | standard error |",
              "|---|---|---|"]
    for bits in (4, 3, 2):
        alone = load(f"signround-w{bits}-g64")
        if parent is not None and alone is not None:
            row = row_of(parent, bits)
            mean, error = paired(row, row_of(alone, bits))
            lines.append(f"| {bits} | {mean:+.5f} | {error:.5f} |")
    return lines


def table_of_ablations():
    names = {"signround-w2-g64": "default: 200 steps, asymmetric", "steps-50": "50 steps", "steps-1000": "1000 steps",
             "own-range": "ranges start at those of 2 bits, not of 8", "no-clipping": "ranges stay (no clipping)",
             "keep-best": "the best of every 20 steps, not the last", "dense-inputs": "inputs of the dense model",
             "layer-wise-w2-g64": "layer-wise", "qat-w2-g64": "QAT, 40 steps", "qat-200": "QAT, 200 steps"}
    short = {"steps-50": "50 steps, asymmetric", "searched-scale": "scale searched first, then a factor learned",
             "suppressed-outliers": "largest thousandth of the differences left out",
             "symmetric": "symmetric (GPTQ's)", "full-range": "full-range symmetric (signed scales)",
             "balanced": "AWQ's scales first", "own-scales": "then 60 steps of the scales, end to end"}
    base = load("rtn-w2-g64")

    def rows(names):
        found = {name: cell for name in names if (cell := load(name)) is not None}
        yield from ("| 2 bits, groups of 64 | perplexity | gap closed | KL nats | CPU minutes |", "|---" * 5 + "|")
        for name, cell in found.items():
            row = row_of(cell, 2)
            yield (f"| {names[name]} | {row['perplexity']:.3f} | {closed(cell, 2, base):.0f} % | "
                   f"{row['kl_divergence']:.4f} | {cpu_minutes(cell)} |")

    lines = ["", *rows(names)]
    if any(load(name) for name in SHORT):
        lines += ["", "Options, each with 50 steps:", "", *rows(short)]
    reaches = {reach: cell for reach in REACHES if (cell := load(f"reach-{reach}")) is not None}
    if (taught := load("joint-taught")) is not None:
        reaches["32, and 2 bits are taught by 8 (co-distillation)"] = taught
    if reaches:
        lines += ["", "How far an offset may go when {8,4,2} are learned at once (lambda 0.1, 0.1, 1, 60 steps), in "
                  "steps of 8 bits, and how many of the 2-bit codes are not the nearest ones.", "",
                  "| reach | 8 | 4 | 2 | codes moved |", "|---|---|---|---|---|"]
    for reach, cell in reaches.items():
        values = " | ".join(f"{row_of(cell, bits)['perplexity']:.3f}" for bits in (8, 4, 2))
        lines.append(f"| {reach} | {values} | {100 * cell['moved']:.1f} % |")
    return lines


def table_of_mixes():
    """One parent, a width for each layer."""
    lines = ["", "| layers | bits of each layer | bits/weight | perplexity | gap, nats | over 3 bits everywhere |",
             "|---|---|---|---|---|---|"]
    names = {"mix-uniform": "the same for all", "mix-pyramid": "MatQuant's pyramid", "mix-hand": "the other way round",
             "mix-allocate-2.5": "`allocate --average 2.5`", "mix-allocate-3": "`allocate --average 3`",
             "mix-allocate-3.5": "`allocate --average 3.5`", "mix-integral-2.5": "by the integral, 2.5",
             "mix-integral-3": "by the integral, 3", "mix-integral-3.5": "by the integral, 3.5"}
    base = load("mix-uniform")
    for name, label in names.items():
        cell = load(name)
        if cell is not None and base is not None:
            row = row_of(cell, "mix")
            mean, error = paired(row, row_of(base, "mix"))
            lines.append(f"| {label} | {', '.join(map(str, cell['mix']))} | {row['effective_bits']:.3f} | "
                         f"{row['perplexity']:.3f} | {gap(cell, 'mix'):.4f} | {mean:+.4f} ± {error:.4f} |")
    return lines


def table_of_seeds():
    """What the seed changes: batches and calibration windows."""
    lines = ["", "| 2 bits, groups of 64 | seeds 0, 1, 2 | mean | standard deviation |", "|---|---|---|---|"]
    names = {"gptq": "GPTQ, searched scales, act-order", "omniquant": "OmniQuant clipping", "qat": "QAT",
             "efficientqat": "EfficientQAT", "layer-wise": "SignRound, layer-wise",
             "signround": "SignRound, block-wise"}
    several = {label: ([load(f"{method}-w2-g64{suffix}") for suffix in SEEDS], 2)
               for method, label in names.items()}
    for name, label in {"parent-staged": "coarse to fine", **JOINT}.items():
        for bits in (8, 4, 2):
            several[f"{label}, {bits} bits"] = ([load(f"{name}{suffix}") for suffix in SEEDS], bits)
    for label, (found, bits) in several.items():
        if None not in found:
            values = [row_of(cell, bits)["perplexity"] for cell in found]
            mean = sum(values) / 3
            deviation = math.sqrt(sum((v - mean) ** 2 for v in values) / 2)
            lines.append(f"| {label} | {', '.join(f'{v:.3f}' for v in values)} | {mean:.3f} | {deviation:.3f} |")
    lines += ["", "Against coarse to fine with the same seed (at 2 bits that is the model tuned for 2 bits alone): "
              "nats a token, paired.", "", "| seed | parent | 8 | 4 | 2 |", "|---|---|---|---|---|"]
    for name, label in JOINT.items():
        for suffix in SEEDS:
            cell, parent = load(name + suffix), load("parent-staged" + suffix)
            if cell is not None and parent is not None:
                lines.append(f"| {suffix[-1:] or 0} | {label} | {apart(cell, parent, (8, 4, 2))} |")
    return lines


def table_of_bars():
    """Goals, and what there is."""
    lines = ["", "| goal, groups of 64, test books | measured | met |", "|---|---|---|"]

    def bar(*said):
        lines.append(compare.bar(*said))

    def of_rtn(cell, bits):
        return closed(cell, bits, load(f"rtn-w{bits}-g64"))

    for bits, most, least in ((4, 0.4, 60), (3, 0.7, 75), (2, None, 80)):
        if (cell := load(f"signround-w{bits}-g64")) is not None:
            if most is not None:
                bar(f"SignRound, {bits} bits: perplexity within {most} % of fp32", over(cell, bits), "{:+.2f} %",
                    over(cell, bits) <= most)
            bar(f"SignRound, {bits} bits: at least {least} % of RTN's gap closed", of_rtn(cell, bits), "{:.0f} %",
                of_rtn(cell, bits) >= least)
    gptq = gptq_cells(2)
    if gptq and (cell := load("signround-w2-g64")) is not None:
        best = min(gptq, key=lambda name: gap(gptq[name], 2))
        part = gap(cell, 2) / gap(gptq[best], 2)
        bar(f"SignRound, 2 bits: gap at most 0.7 of GPTQ's (the best of them: {best})", part, "{:.2f}", part <= 0.7)
    for bits, most, least in ((4, 0.25, None), (2, None, 65)):
        if several := gptq_cells(bits):
            cell = min(several.values(), key=lambda c: gap(c, bits))
            if most is not None:
                bar(f"GPTQ, {bits} bits (the best row): within {most} % of fp32", over(cell, bits), "{:+.2f} %",
                    over(cell, bits) <= most)
            else:
                bar(f"GPTQ, {bits} bits (the best row): at least {least} % closed", of_rtn(cell, bits), "{:.0f} %",
                    of_rtn(cell, bits) >= least)
    if (cell := load("layer-wise-w2-g64")) is not None:
        bar("SignRound, layer-wise, 2 bits: at least 60 % closed", of_rtn(cell, 2), "{:.0f} %", of_rtn(cell, 2) >= 60)
    if (parent := load("parent-staged")) is not None:
        bar("one parent, 8 bits: within 0.3 % of fp32", over(parent, 8), "{:+.2f} %", over(parent, 8) <= 0.3)
        for bits, most in ((4, 0.3), (3, 0.5)):
            if (alone := load(f"signround-w{bits}-g64")) is not None:
                worse = 100 * (row_of(parent, bits)["perplexity"] / row_of(alone, bits)["perplexity"] - 1)
                bar(f"one parent, {bits} bits: within {most} % of the model tuned for {bits} bits alone", worse,
                    "{:+.2f} %", worse <= most)
        if (alone := load("signround-w2-g64")) is not None:
            row = row_of(parent, 2)
            mean, error = paired(row, row_of(alone, 2))
            bar("one parent, 2 bits: at or below the model tuned for 2 bits alone (nats a token; 2 standard errors)",
                mean, f"{{:+.5f}} +- {error:.5f}", mean <= 2 * error)
        bar("the default: at most 10 minutes on 2 cores", parent["minutes"], "{:.1f}", parent["minutes"] <= 10)
        bar("and 2 GB", parent["peak_mb"], "{} MB", parent["peak_mb"] <= 2000)
    rtn, alone = load("parent-rtn"), load("rtn-w2-g64")
    if rtn is not None and alone is not None:
        part = gap(rtn, 2) / gap(alone, 2)
        bar("parent to the nearest code, cut to 2 bits: better than 2 bits alone (part of its gap)", part, "{:.2f}",
            part < 1)
    return lines


TABLES = {"bars": table_of_bars, "widths": table_of_widths, "parents": table_of_parents,
          "mixes": table_of_mixes, "seeds": table_of_seeds, "ablations": table_of_ablations}
