# SPDX-License-Identifier: BSD-3-Clause
"""The tables of what quantizing costs, predicted and measured."""
from compare import cpu_minutes, header, load
from plan import PATHS, RULES, TOP

ESTIMATES = {"actual": "actual", "pqi": "integral", "first_order": "first order",
             "second_order_hessian": "true Hessian", "second_order_fisher_token": "Fisher, tokens",
             "second_order_fisher_sequence": "Fisher, sequences", "second_order_fisher_mean": "Fisher, means"}
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
                      *header("layer alone", ESTIMATES.values())]
            for block in report["blocks"]:
                lines.append(line(block["name"].rsplit(".", 1)[1], [block[key] for key in ESTIMATES]))
            lines.append(line("**all**", [report["total"][key] for key in ESTIMATES]))
    return lines


def table_of_paths():
    """Part of the way to the quantized weights: the paper's table 2."""
    whole, parts = load("estimates-w4"), load("paths-w4")
    if whole is None or parts is None:
        return []
    total = totals(whole)[0]
    first, second = total["first_order"], total["second_order_hessian"]
    lines = ["", *header("lambda", ("actual", "integral", "first order", "first + second order (true Hessian)",
                                    "(actual - first) / second"))]
    for path, found in [("1", total), *zip(PATHS, totals(parts))]:
        t = float(path)
        lines.append(f"| {path} | {found['actual']:.3e} | {found['pqi']:.3e} | {first * t:.3e} | "
                     f"{first * t + second * t * t:.3e} | {(found['actual'] - first * t) / (second * t * t):.3f} |")
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
                      f"{total['pqi']:.6f},",
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
    lines += ["", *header("share of all magnitudes in the largest", [f"{top} %" for top in TOP])]
    for bits in (4, 3, 2):
        if (cell := load(f"estimates-w{bits}")) is not None:
            lines.append(line(f"{bits} bits", [100 * cell["spread"]["top"][str(top)] for top in TOP], "{:.1f} %"))
    return lines


TABLES = {"estimates": table_of_estimates, "paths": table_of_paths, "rules": table_of_rules, "spread": table_of_spread}
