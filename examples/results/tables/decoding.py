# SPDX-License-Identifier: BSD-3-Clause
"""How fast a model is read beside llama.cpp."""
from compare import header, load

ACTIVATIONS = ("limbs1", "limbs3")
THREADS = (1, 2)
KEPT = {"kept-512": "windows of 512", "kept-4096-yarn": "of 4,096, YaRN", "kept-4096": "of 4,096, as trained"}


def beside(what):
    """The report of a run, and llama.cpp's rows in it by type; none where it was not measured."""
    if (cell := load(f"beside-llama-cpp-{what}")) is None:
        return None, {}
    return cell["report"], {row["type"]: row for row in cell["report"]["against"]["rows"]}


def rows_of(report, theirs, before):
    """Lines of a table; before: of each key, "" for tokens that are generated one by one, or "prompt_"."""
    rate = before + "tokens_per_second"
    for row in report["rows"]:
        kind = row[before + "against"]
        read = [] if before else [f"{100 * row['read_fraction']:.0f}"]
        yield "| " + " | ".join((f"{row['bits']} bits, `{row['activation']}`", f"{row[rate]:.1f}", *read,
                                 f"{theirs[kind][rate]:.1f} ({kind})", f"{row[before + 'ratio']:.2f}")) + " |"


def title(report):
    return (f"threads: {report['threads']}, kernels {report['kernels']}, llama.cpp's {report['against']['kernels']}, "
            f"READ {report['read_bytes_per_second'] / 1e9:.1f} GB/s")


def table_of_decoding():
    """Tokens a second; a ratio is that to the fastest of llama.cpp's types of the width."""
    lines = []
    for threads in THREADS:
        report, theirs = beside(f"threads-{threads}")
        if report is not None:
            lines += ["", *header(title(report), ("tokens/s", "of READ, %", "llama.cpp", "ratio")),
                      *rows_of(report, theirs, "")]
    return lines


def table_of_prompts():
    report, theirs = beside("prompt")
    if report is None:
        return []
    return ["", *header(f"prompts of 512, {title(report)}", ("tokens/s", "llama.cpp", "ratio")),
            *rows_of(report, theirs, "prompt_")]


def table_of_kept():
    """KL divergence and perplexity with keys and values of fewer bits."""
    found = [(label, {row["kv_bits"]: row for row in cell["rows"]})
             for name, label in KEPT.items() if (cell := load(name)) is not None]
    if not found:
        return []
    widths = sorted({bits for _, rows in found for bits in rows}, reverse=True)
    lines = ["", *header("keys and values: KL / top-1, % / perplexity", [label for label, _ in found])]
    for bits in widths:
        of = (rows.get(bits) for _, rows in found)
        said = " | ".join(f"{row['kl_divergence']:.5f} / {100 * row['top1_agreement']:.2f} / {row['perplexity']:.3f}"
                          if row else "" for row in of)
        lines.append(f"| {bits} bits{' (half)' if bits == 16 else ''} | {said} |")
    return lines


TABLES = {"decoding": table_of_decoding, "prompts": table_of_prompts,
          "keys and values": table_of_kept}
