# SPDX-License-Identifier: BSD-3-Clause
"""scoring.py JACKPLANE FOLDER: what eval says of a text: bits for each byte of it, how sure a mean over windows is,
what x as bytes costs, what generate counts.
"""
import json
import math

import numpy as np

from harness import expect, fail, folder, make_model, run, store_model, tokenizer


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
for said in (letters, "caf\u00e9 na\u00efve \u03a9\u03a9 \u6f22\u5b57 x", "a   b\tc  \u00e9  d\n\n",
             "\u6f22" * 30 + " end"):
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
            near(row["bits_per_byte"], sum(row["window_nll"]) / math.log(2) / (size - unscored), "no start")

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

# as decoding reads x: fp32 is the batch evaluation but for rounding, coarser x are further away
(model / "tokenizer.model").write_bytes(tokenizer(True))
np.save(tokens, rng.integers(0, 40, 300).astype("<u2"))
file = folder / "model.jack"
for options in (["--slice", "round_clamp"], ["--dense-head"], []):
    expect(0, run("quantize", model, "-o", file, "--quiet", "--group-size", "32", *options))
    some = ["eval", "--model", file, "--tokens", tokens, "--reference", model, "--bits", "7,4,2", "--json"]
    plain = json.loads(expect(0, run(*some)).stdout)
    if plain["activation"] != "fp32":
        fail(f"without --activation x is {plain['activation']}")
    apart = {}
    for activation in ("exact", "limbs3", "limbs2", "limbs1", "bf16"):
        report = json.loads(expect(0, run(*some, "--activation", activation)).stdout)
        if report["activation"] != activation or not report["kernels"]:
            fail(f"eval --activation {activation}: {report['activation']}, {report['kernels']}")
        rows = list(zip(report["rows"], plain["rows"], strict=True))
        for row, other in rows:
            for key in ("bits", "head_bits", "effective_bits", "bytes_per_token", "window_tokens"):
                if row[key] != other[key]:
                    fail(f"eval --activation {activation}: {key} {row[key]}, not {other[key]}")
        apart[activation] = max(np.abs(np.array(row["window_nll"]) - other["window_nll"]).max() for row, other in rows)
        if "tokens/s" not in expect(0, run(*some[:-1], "--activation", activation)).stdout:
            fail(f"eval --activation {activation} prints no table")
    if max(apart["exact"], apart["limbs3"]) > 1e-3 or apart["bf16"] < 10 * apart["exact"]:
        fail(f"losses of windows apart from the batch evaluation by {apart}")
    if report["kernels"] != "generic" and not apart["limbs3"] < apart["limbs2"] < apart["limbs1"]:
        fail(f"losses of windows apart from the batch evaluation by {apart}")
# keys and values of fewer bits: the fewer, the farther from those of fp32
apart = {}
for kv_bits in (32, 16, 8, 4, 2):
    report = json.loads(expect(0, run(*some, "--activation", "exact", "--kv-bits", kv_bits)).stdout)
    if report["kv_bits"] != kv_bits:
        fail(f"eval --kv-bits {kv_bits}: {report['kv_bits']}")
    apart[kv_bits] = max(np.abs(np.array(row["window_nll"]) - other["window_nll"]).max()
                         for row, other in zip(report["rows"], plain["rows"], strict=True))
if not apart[32] < apart[8] < apart[4] < apart[2] or not apart[16] < apart[8]:
    fail(f"keys and values of fewer bits: losses of windows apart by {apart}")
if "keys and values of 4 bits" not in expect(0, run(*some[:-1], "--activation", "limbs2", "--kv-bits", 4)).stdout:
    fail("eval --kv-bits says nothing of it")
expect(2, run(*some, "--kv-bits", 4), "--kv-bits", "--activation")
for number in (0, 9, 15, 33):
    expect(2, run(*some, "--activation", "exact", "--kv-bits", number), "--kv-bits")

some = ["eval", "--model", file, "--tokens", tokens, "--bits", "3", "--mix", "3", "--json", "--activation"]
row, mixed = json.loads(expect(0, run(*some, "limbs1")).stdout)["rows"]
if row["window_nll"] != mixed["window_nll"]:
    fail("a mix of one width is another model with --activation")
expect(2, run(*some, "int8"))
expect(1, run("eval", "--model", model, "--tokens", tokens, "--activation", "exact"), "--activation", "quantize")
expect(0, run("quantize", model, "-o", file, "--quiet", "--slice", "round_clamp"))
row, mixed = json.loads(expect(0, run(*some, "exact")).stdout)["rows"]
if row["window_nll"] != mixed["window_nll"]:
    fail("a mix of one width of a round_clamp file is another model")

# what a quantized head costs: beside the layers of the reference, and beside those of each width; tied or not
for tied in (False, True):
    changed, tensors = make_model(tie_word_embeddings=tied)
    store_model(model, changed, {name: w for name, w in tensors.items() if not tied or name != "lm_head.weight"})
    expect(0, run("quantize", model, "-o", file, "--quiet", "--group-size", "8"))
    dense_file, narrow = folder / "dense.jack", folder / "narrow.jack"
    expect(0, run("quantize", model, "-o", dense_file, "--quiet", "--group-size", "8", "--dense-head"))
    expect(0, run("cut", file, "--bits", "4", "--head-bits", "3", "-o", narrow))

    def rows_of(of, *options):
        return scored_by("--model", of, "--tokens", tokens, "--reference", model, *options)

    def scored_by(*options):
        return json.loads(expect(0, run("eval", "--json", *options)).stdout)["rows"]

    by_default = rows_of(file)
    if [(row["bits"], row["head_bits"]) for row in by_default] != [("fp32", None), ("head", 8)] + [
            (bits, 8) for bits in range(8, 0, -1)]:
        fail(f"eval of a packed head: rows {[(row['bits'], row['head_bits']) for row in by_default]}")
    rows = rows_of(file, "--bits", "fp32,head,4", "--head-bits", "dense,8,3,1")
    found = {(row["bits"], row["head_bits"]): row for row in rows}
    wanted = [("fp32", None), ("head", 8), ("head", 3), ("head", 1), (4, "dense"), (4, 8), (4, 3), (4, 1)]
    if list(found) != wanted:
        fail(f"eval --head-bits: {list(found)}, not {wanted}")
    costs = [found["head", bits]["kl_divergence"] for bits in (8, 3, 1)]
    if not 0 < costs[0] < costs[1] < costs[2]:
        fail(f"a coarser head costs less: {costs}")
    # beside a dense head a row is that of a file with one, but for half precision there
    (plain,) = rows_of(dense_file, "--bits", "4")
    near_enough = abs(plain["mean_nll"] - found[4, "dense"]["mean_nll"]) < 1e-3
    if plain["head_bits"] != "dense" or not near_enough or any(
            plain[key] != found[4, "dense"][key] for key in ("effective_bits", "bytes_per_token")):
        fail(f"a dense head: {plain}, beside the planes of another file {found[4, 'dense']}")
    # a head of b bits: planes of 48 x 32 codes for 40 x 16 weights, and two groups with half scales and byte zeros
    planes, scales = 48 * 32 / 8, 48 * 2 * 3
    for bits in (8, 3, 1):
        more = found[4, bits]["bytes_per_token"] - plain["bytes_per_token"]
        if more != planes * bits + scales - 40 * 16 * 2:
            fail(f"a head of {bits} bits costs {more} bytes more than a dense one")
    (cut,) = rows_of(narrow, "--bits", "4")
    if cut["head_bits"] != 3 or cut["window_nll"] != found[4, 3]["window_nll"]:
        fail(f"a head cut to 3 bits is another one: {cut['head_bits']}, {cut['mean_nll']}")
    expect(1, run("eval", "--model", narrow, "--tokens", tokens, "--bits", "4", "--head-bits", "4"), "head", "4 bits",
           "1, 2, 3")
    for bits in ("8", "3"):  # the same losses whether tokens are decoded or evaluated in batches
        (row,) = rows_of(file, "--bits", "4", "--head-bits", bits, "--activation", "exact")
        if abs(row["mean_nll"] - found[4, int(bits)]["mean_nll"]) > 1e-5:
            fail(f"a head of {bits} bits: {row['mean_nll']} decoded, {found[4, int(bits)]['mean_nll']} in a batch")
    said = expect(0, run("eval", "--model", file, "--tokens", tokens, "--reference", model, "--bits", "head,4",
                         "--head-bits", "8,3")).stdout
    if [line.split("|")[0].strip() for line in said.splitlines()[4:]] != ["fp/8", "fp/3", "4/8", "4/3"]:
        fail(f"rows by the widths of layers and head: {said}")
    some_of_head = ["eval", "--tokens", tokens, "--model"]
    expect(2, run(*some_of_head, file, "--head-bits", "dense"), "--head-bits", "--reference")
    expect(2, run(*some_of_head, file, "--bits", "head"), "--bits", "--reference")
    expect(2, run(*some_of_head, file, "--head-bits", "9"), "--head-bits", "9")
    expect(1, run(*some_of_head, dense_file, "--bits", "4", "--head-bits", "4"), "dense.jack", "is dense")
    expect(1, run(*some_of_head, dense_file, "--reference", model, "--bits", "head"), "dense.jack", "is dense")
    expect(1, run(*some_of_head, model, "--head-bits", "4"), "quantize it first")
(model / "tokenizer.model").write_bytes(tokenizer(True))

# what was read and what was written count apart
prompt, context = "the quick", 16
some = ["generate", "--model", file, "--temperature", "0", "--threads", "1", "--prompt"]
for count in (1, 4, 50):
    for activation in ("exact", "bf16", "limbs3"):
        report = json.loads(expect(0, run(*some, prompt, "--tokens", count, "--activation", activation,
                                          "--json")).stdout)
        read, told = 1 + len(prompt), min(count, context - len(prompt))  # the last one told is not read
        if ((report["prompt_tokens"], report["tokens"]) != (read, told) or report["prompt_tokens_per_second"] <= 0
                or (report["tokens_per_second"] is None) != (told == 1)):
            fail(f"generate --tokens {count}: {report}")
said = run(*some, prompt, "--tokens", 4).stderr
if "prompt: 10 tokens" not in said or "generated: 4 tokens" not in said:
    fail(f"generate says {said!r}")
expect(0, run(*some, "abcdefghijklmno", "--json"))
for kv_bits in (32, 16, 8, 2):
    report = json.loads(expect(0, run(*some, prompt, "--tokens", 4, "--kv-bits", kv_bits, "--json")).stdout)
    if report["kv_bits"] != kv_bits or report["tokens"] != 4:
        fail(f"generate --kv-bits {kv_bits}: {report}")
expect(2, run(*some, prompt, "--kv-bits", 12), "--kv-bits")
# tokens without a text, <s> or </s>, whichever row x agrees with: the prompt is told once
config, weights = make_model()
weights["lm_head.weight"][:] = 0
weights["lm_head.weight"][1] = 1
weights["lm_head.weight"][2] = -1
store_model(model, config, weights)
expect(0, run("quantize", model, "-o", file, "--quiet"))
if (told := expect(0, run(*some, prompt, "--tokens", 4)).stdout) != prompt + "\n" * told.count("\n"):
    fail(f"generate tells its prompt as {told!r}")
expect(1, run(*some, "abcdefghijklmnop", "--json"), "17", "16", "prompt")
print("scoring: ok")
