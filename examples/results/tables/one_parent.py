# SPDX-License-Identifier: BSD-3-Clause
"""The tables of one file that is read at every width."""
from compare import SEEDS, apart, cpu_minutes, gap, header, load, paired, row_of, seed_row
from plan import REACHES

JOINT = {"parent-joint-small": "joint, 0.1, 0.1, 1", "parent-joint-refined": "inside the 2 bits of joint",
         "parent-joint-omniquant": "joint over OmniQuant", "parent-joint-qat": "joint over QAT",
         "parent-matgptq-842": "MatGPTQ {8,4,2}"}

# What the names of the first table leave out.
LEGEND = """\
- `round_clamp` reads r + 1 bits for a width of r; `extra_precision` keeps r + 1.
- Joint: {8,4,2} at once, with weights 0.1, 0.1, 1 unless others are named. 2 bits alone: in codes of 8 bits
  (Single-Precision).
- Coarse to fine: 2, then 3, 4, 5, 6 and 8 bits, whose codes reach beyond the cells of 2 bits. Divided (`--no-overlap`):
  2, 3, 4, 6, 8 unless others are named, each inside the cells of the width before. Then joint: 2, 4, 8, and after them
  all at once with weights 1, 1, 1. Own scales: after that, each width learns scales of its own.
- Joint, then `--inside`: divided, inside the 2 bits of the joint parent.""".splitlines()


PARENTS = {"parent-rtn": "nearest", "parent-rtn-round_clamp": "nearest, `round_clamp`",
           "parent-rtn-extra_precision": "nearest, `extra_precision`",
           "parent-w8": "tuned at 8 bits, cut", "parent-w2-nearest": "tuned at 2 bits, rest nearest",
           "parent-joint-small": "joint", "parent-joint-even": "joint, 1, 1, 1",
           "parent-joint-single": "joint, 2 bits alone", "parent-joint-round_clamp": "joint, `round_clamp`",
           "parent-joint-extra_precision": "joint, `extra_precision`",
           "parent-joint-omniquant": "joint over OmniQuant", "parent-joint-qat": "joint over QAT",
           "parent-matgptq-842": "MatGPTQ {8,4,2}", "parent-matgptq-843": "MatGPTQ {8,4,3}",
           "parent-nested-gptq": "GPTQ coarse to fine", "parent-overlap": "**coarse to fine**",
           "parent-staged-248": "divided 2, 4, 8", "parent-staged": "divided",
           "parent-staged-joint": "divided, then joint", "parent-joint-refined": "joint, then `--inside`",
           "parent-staged-scales": "divided, own scales"}
EVERY = (8, 7, 6, 5, 4, 3, 2, 1)
TUNED = (8, 6, 5, 4, 3, 2)
ALONE = {"rtn": "nearest", "mse": "least squared error", "gptq-plain": "GPTQ", "gptq": "GPTQ, searched scales",
         "signround": "SignRound"}


def made_parents():
    return {name: cell for name in PARENTS if (cell := load(name)) is not None}


def table_of_parents():
    """One file, read at every width."""
    lines = ["", *header("parent", (*EVERY, "CPU minutes", "peak MB"))]
    found = made_parents()
    for name, cell in found.items():
        values = " | ".join(f"{row_of(cell, bits)['perplexity']:.3f}" for bits in EVERY)
        lines.append(f"| {PARENTS[name]} | {values} | {cpu_minutes(cell)} | {cell['peak_mb']} |")
    lines += ["", *LEGEND]
    one_file = found.get("parent-overlap")
    parent = found.pop("parent-staged", None)
    lines += ["", "The others against the divided one: difference of the loss in nats a token, paired, and its "
              "standard error.", "", "| parent | 8 | 4 | 2 |", "|---|---|---|---|"]
    for name, cell in found.items() if parent is not None else ():
        lines.append(f"| {PARENTS[name]} | {apart(cell, parent, (8, 4, 2))} |")
    lines += ["", "Each width of the coarse-to-fine parent against the model that was tuned for that width alone: "
              "difference of", "the loss in nats a token, paired.", "", "| width | parent - alone | standard error |",
              "|---|---|---|"]
    for bits in (4, 3, 2):
        alone = load(f"signround-w{bits}-g64")
        if one_file is not None and alone is not None:
            row = row_of(one_file, bits)
            mean, error = paired(row, row_of(alone, bits))
            lines.append(f"| {bits} | {mean:+.5f} | {error:.5f} |")
    return lines


def best_alone(bits):
    """The least KL of the models made for one width in groups of 64, and by which method."""
    found = [(row_of(cell, bits)["kl_divergence"], label) for method, label in ALONE.items()
             if (cell := load(f"{method}-w{bits}-g64")) is not None]
    return min(found) if found else None


def table_of_divergence():
    """How far each width of a parent is from the model, and what one file costs there."""
    lines = ["", *header("parent", (*TUNED, *(f"top-1, {bits}" for bits in (8, 4, 2))))]
    for name, cell in made_parents().items():
        values = [f"{row_of(cell, bits)['kl_divergence']:.5f}" for bits in TUNED]
        values += [f"{100 * row_of(cell, bits)['top1_agreement']:.2f}" for bits in (8, 4, 2)]
        lines.append(f"| {PARENTS[name]} | {' | '.join(values)} |")
    lines += ["", "Coarse to fine against the best model that was made for that width alone, of as many bits a weight:",
              "", *header("width", ("one file", "alone", "by", "ratio"))]
    parent = load("parent-overlap")
    for bits in TUNED if parent is not None else ():
        if (best := best_alone(bits)) is not None:
            kl, (least, by) = row_of(parent, bits)["kl_divergence"], best
            lines.append(f"| {bits} | {kl:.5f} | {least:.5f} | {by} | {kl / least:.2f} |")
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


def table_of_parent_seeds():
    """What the seed changes: batches and calibration windows."""
    lines = ["", *header("groups of 64", ("seeds 0, 1, 2", "mean", "standard deviation"))]
    for name, label in {"parent-overlap": "coarse to fine", "parent-staged": "divided", **JOINT}.items():
        for bits in (8, 4, 2):
            lines += seed_row(f"{label}, {bits} bits", [name + suffix for suffix in SEEDS], bits)
    found = [load("parent-overlap" + suffix) for suffix in SEEDS]
    if all(cell is not None for cell in found):
        lines += ["", "KL divergence of coarse to fine, nats a token:", "",
                  *header("bits", ("seeds 0, 1, 2", "mean"))]
        for bits in TUNED:
            values = [row_of(cell, bits)["kl_divergence"] for cell in found]
            lines.append(f"| {bits} | {', '.join(f'{x:.5f}' for x in values)} | {sum(values) / len(values):.5f} |")
    lines += ["", "Against the divided one with the same seed (at 2 bits that is the model tuned for 2 bits alone): "
              "nats a token, paired.", "", "| seed | parent | 8 | 4 | 2 |", "|---|---|---|---|---|"]
    for name, label in JOINT.items():
        for suffix in SEEDS:
            cell, parent = load(name + suffix), load("parent-staged" + suffix)
            if cell is not None and parent is not None:
                lines.append(f"| {suffix[-1:] or 0} | {label} | {apart(cell, parent, (8, 4, 2))} |")
    return lines


def table_of_reaches():
    """How far an offset may go, and how many codes it moves."""
    lines = ["", *header("reach", ("8", "4", "2", "codes moved"))]
    reaches = {reach: cell for reach in REACHES if (cell := load(f"reach-{reach}")) is not None}
    if (taught := load("joint-taught")) is not None:
        reaches["32, and 2 bits distilled from 8 (co-distillation)"] = taught
    for reach, cell in reaches.items():
        values = " | ".join(f"{row_of(cell, bits)['perplexity']:.3f}" for bits in (8, 4, 2))
        lines.append(f"| {reach} | {values} | {100 * cell['moved']:.1f} % |")
    return lines


TABLES = {"parents": table_of_parents, "parents, KL": table_of_divergence, "parent seeds": table_of_parent_seeds,
          "reaches": table_of_reaches, "mixes": table_of_mixes}
