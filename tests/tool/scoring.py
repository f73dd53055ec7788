# SPDX-License-Identifier: BSD-3-Clause
"""scoring.py JACKPLANE FOLDER: what eval says of a text: bits for each byte of it, and how sure a mean over windows is."""
import json
import math
import struct

import numpy as np

from harness import expect, fail, folder, make_model, run, store_model


def field(number, value):
    """One field of a protocol buffer."""
    if isinstance(value, bytes):
        return bytes([number << 3 | 2]) + varint(len(value)) + value
    if isinstance(value, float):
        return bytes([number << 3 | 5]) + struct.pack("<f", value)
    return varint(number << 3) + varint(value)


def varint(n):
    out = b""
    while n > 127:
        out, n = out + bytes([n & 127 | 128]), n >> 7
    return out + bytes([n])


def tokenizer(with_bos):
    """A SentencePiece model of single letters and a space; it drops what spaces follow a first one."""
    unknown, control, plain = 2, 3, 1
    pieces = [("<unk>", unknown), ("<s>", control if with_bos else plain), ("</s>", control)]
    pieces += [(letter, plain) for letter in "\u2581abcdefghijklmnopqrstuvwxyz"]
    out = b"".join(field(1, field(1, name.encode()) + field(2, -1.0) + field(3, kind)) for name, kind in pieces)
    out += field(2, field(3, 1))
    return out + field(3, field(1, b"identity") + field(3, 0) + field(4, 1) + field(5, 1))


def scored(*options):
    return json.loads(expect(0, run("eval", "--model", model, "--json", *options)).stdout)


def near(found, wanted, what):
    if found is None or abs(found - wanted) > 1e-9 * abs(wanted):
        fail(f"{what}: {found}, not {wanted}")


def spread(row):
    """Of the perplexity: windows are clusters, each counts by its tokens."""
    nll, tokens = np.array(row["window_nll"]), np.array(row["window_tokens"])
    off = nll - row["mean_nll"] * tokens
    return row["perplexity"] * math.sqrt(len(nll) / (len(nll) - 1) * (off**2).sum()) / tokens.sum()


model, text = folder / "model", folder / "text.txt"
store_model(model, *make_model())

# bits a byte: of the bytes of the text, be their characters unknown or their spaces dropped
letters = "the quick brown fox jumps over the lazy dog"
for said in (letters, "caf\u00e9 na\u00efve \u03a9\u03a9 \u6f22\u5b57 x", "a   b\tc  \u00e9  d\n\n", "\u6f22" * 30 + " end"):
    text.write_text(said, encoding="utf-8")
    size = text.stat().st_size
    (model / "tokenizer.model").write_bytes(tokenizer(True))
    for context in (16, 5):
        row = scored("--text", text, "--context", context)["rows"][0]
        near(row["bits_per_byte"], sum(row["window_nll"]) / math.log(2) / size, f"bits a byte of {said!r}")
    (model / "tokenizer.model").write_bytes(tokenizer(False))
    if said == letters:  # every byte is a token: those that no window scores do not count
        for context, unscored in ((16, 3), (6, 8)):
            report = scored("--text", text, "--context", context)
            row = report["rows"][0]
            if report["tokens"] != size - unscored:
                fail(f"{report['tokens']} tokens scored of {size}, not all but {unscored}")
            near(row["bits_per_byte"], sum(row["window_nll"]) / math.log(2) / (size - unscored), "bits a byte, no start")

# of tokens without their text: as they are spelled, and nothing where that is not known
tokens = folder / "tokens.npy"
for name, ids, size in (("spelled", [5, 6, 7, 3, 8], 4), ("unknown", [5, 6, 0, 3, 8], None),
                        ("beyond the tokenizer", [5, 6, 35, 3, 8], None)):
    np.save(tokens, np.array(ids, "<u2"))
    row = scored("--tokens", tokens)["rows"][0]
    if size is None and row["bits_per_byte"] is not None:
        fail(f"{name}: {row['bits_per_byte']} bits a byte of bytes that nobody knows")
    if size is not None:
        near(row["bits_per_byte"], row["mean_nll"] * 4 / math.log(2) / size, name)

# how sure: one window tells nothing, a short one little
rng = np.random.default_rng(3)
for count, context in ((16, 16), (35, 16), (35, 15), (18, 16), (160, 16)):
    np.save(tokens, rng.integers(0, 40, count).astype("<u2"))
    row = scored("--tokens", tokens, "--context", context)["rows"][0]
    wanted = [min(context, count - at) - 1 for at in range(0, count, context) if count - at > 1]
    if row["window_tokens"] != wanted or not np.isclose(sum(row["window_nll"]), row["mean_nll"] * sum(wanted)):
        fail(f"{count} tokens in windows of {context}: {row['window_tokens']} scored, not {wanted}")
    shown = run("eval", "--model", model, "--tokens", tokens, "--context", context).stdout.splitlines()[2].split("|")[1]
    if len(wanted) == 1:
        if row["perplexity_stderr"] is not None or shown.split("+-")[1].strip() != "-":
            fail(f"one window: +- {row['perplexity_stderr']}, shown as {shown}")
    else:
        near(row["perplexity_stderr"], spread(row), f"windows of {wanted} tokens")
        if shown.split() != [f"{row['perplexity']:.3f}", "+-", f"{row['perplexity_stderr']:.2f}"]:
            fail(f"the table shows {shown} for {row}")
print("scoring: ok")
