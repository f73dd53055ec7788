# SPDX-License-Identifier: BSD-3-Clause
"""The tables of methods that make a file for one width."""
from compare import SEEDS, closed, cpu_minutes, header, load, over, paired, row_of, seed_row
from plan import SHORT


def table_of_widths():
    """Methods for one width alone."""
    names = {"rtn": "nearest (RTN)", "nested-rtn": "nearest, on the parent's grid", "mse": "searched scales",
             "gptq-plain": "GPTQ", "gptq": "GPTQ, searched scales, act-order",
             "nested-gptq": "GPTQ, searched scales, parent's grid",
             "nested-gptq-own": "the same from the range of the width",
             "squeezellm": "SqueezeLLM (2^bits values a row)", "awq": "AWQ",
             "gptq-balanced": "GPTQ after AWQ's scales", "omniquant": "OmniQuant clipping",
             "qat": "QAT", "efficientqat": "EfficientQAT",
             "efficientqat-blocks": "EfficientQAT without its last phase", "layer-wise": "SignRound, layer-wise",
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


def table_of_ablations():
    """What each part of SignRound at 2 bits is worth."""
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
    return lines


def table_of_seeds():
    """What the seed changes: batches and calibration windows."""
    names = {"gptq": "GPTQ, searched scales, act-order", "omniquant": "OmniQuant clipping", "qat": "QAT",
             "efficientqat": "EfficientQAT", "layer-wise": "SignRound, layer-wise",
             "signround": "SignRound, block-wise"}
    lines = ["", *header("2 bits, groups of 64", ("seeds 0, 1, 2", "mean", "standard deviation"))]
    for method, label in names.items():
        lines += seed_row(label, [f"{method}-w2-g64{suffix}" for suffix in SEEDS], 2)
    return lines


TABLES = {"widths": table_of_widths, "seeds": table_of_seeds, "ablations": table_of_ablations}
