# SPDX-License-Identifier: BSD-3-Clause
"""What int8 and bfloat16 x cost and buy."""
from compare import header, load
from plan import ACTIVATIONS

WIDTHS = (8, 4, 3, 2)
COLUMNS = [f"{bits} bits" for bits in WIDTHS]


def table_of_activations():
    lines = []
    for label, name in (("tuned.jack", "activations-tuned"), ("nearest codes", "activations-nearest")):
        if (cell := load(name)) is None:
            continue
        lines += ["", *header(f"{label}, x: KL / top-1, % / perplexity", COLUMNS)]
        rows = {(row["activation"], row["bits"]): row for row in cell["rows"]}
        for activation in ACTIVATIONS:
            of = (rows[activation, bits] for bits in WIDTHS)
            said = " | ".join(f"{row['kl_divergence']:.5f} / {100 * row['top1_agreement']:.2f} / "
                              f"{row['perplexity']:.3f}" for row in of)
            lines.append(f"| `{activation}` | {said} |")
    return lines


def table_of_speed():
    lines = []
    for threads in (1, 2):
        if (cell := load(f"decode-1b-threads-{threads}")) is None:
            continue
        report = cell["report"]
        lines += ["", *header(f"x, threads: {threads}, kernels {report['kernels']}, READ "
                              f"{report['read_bytes_per_second'] / 1e9:.1f} GB/s: tokens/s (% of READ)", COLUMNS)]
        rows = {(row["activation"], row["bits"]): row for row in report["rows"]}
        for activation in ACTIVATIONS:
            of = (rows[activation, bits] for bits in WIDTHS)
            said = " | ".join(f"{row['tokens_per_second']:.1f} ({100 * row['read_fraction']:.0f} %)" for row in of)
            lines.append(f"| `{activation}` | {said} |")
    return lines


TABLES = {"activations": table_of_activations, "decoding speed": table_of_speed}
