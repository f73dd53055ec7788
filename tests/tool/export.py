# SPDX-License-Identifier: BSD-3-Clause
"""export.py JACKPLANE FOLDER: nested files as checkpoints of the GPTQ family. What numpy decodes of them is what the
nested file gives at that width, and what the tool reads of them; what a format does not hold is refused with the
numbers, and with the formats that hold it.
"""
import json
import pathlib
import shutil
import sys

import numpy as np

from harness import expect, fail, folder, make_folder, refused, run, store_model

sys.path[:0] = [str(pathlib.Path(__file__).resolve().parents[1] / name) for name in ("clients", "files")]
import architectures  # noqa: E402
import safetensors  # noqa: E402

WIDTHS = {"gptq": (2, 3, 4, 8), "gptq_v2": (2, 3, 4, 8), "gptq_p": range(2, 9), "auto_round": (2, 3, 4, 8),
          "auto_round:auto_gptq": (2, 3, 4, 8), "awq": (4,), "compressed-tensors": range(1, 9)}
LESS = {"gptq": 1, "auto_round:auto_gptq": 1}  # what a stored zero is less than the zero
SHAPE = {"hidden_size": 64, "intermediate_size": 96, "num_attention_heads": 2, "num_key_value_heads": 1,
         "head_dim": 32}
BF16 = safetensors.TYPES["BF16"]
model, file, out, tokens = folder / "model", folder / "model.jack", folder / "out", folder / "tokens.npy"
plain = folder / "plain"
np.save(tokens, np.random.default_rng(9).integers(0, 120, 300).astype("<u2"))


def nats(of, *options):
    done = expect(0, run("eval", "--model", of, "--tokens", tokens, "--context", "100", "--json", *options))
    return json.loads(done.stdout)["rows"][0]["mean_nll"]


def quantized(*options, to=file):
    expect(0, run("quantize", model, "-o", to, "--quiet", *options))


def export(bits, kind, *options):
    for path in out.glob("*"):
        path.unlink()
    return expect(0, run("export", file, "--bits", bits, "--format", kind, "-o", out, *options)).stdout


# A reader of these formats by their description alone.
def stream(packed, bits, count):
    """Words [lines, n] -> codes [lines, count], lowest bit first, one behind the other."""
    bytes_of = np.ascontiguousarray(packed).view(np.uint8).reshape(len(packed), -1)
    all_bits = np.unpackbits(bytes_of, axis=1, bitorder="little")[:, :count * bits].reshape(len(packed), count, bits)
    return all_bits.astype(np.int64) @ (1 << np.arange(bits))


def planes(packed, bits, count):
    """Blocks of 32 codes: a plane of 8, 4, 2 and 1 bits for each that adds to the width, the lowest bits first."""
    blocks, codes, up, word = packed.reshape(len(packed), count // 32, bits), 0, 0, 0
    for plane in (8, 4, 2, 1):
        if bits & plane:
            part = np.ascontiguousarray(blocks[:, :, word:word + plane]).reshape(-1, plane)
            codes = codes + (stream(part, plane, 32).reshape(len(packed), count) << up)
            up, word = up + plane, word + plane
    return codes


def nibbles(packed, bits, count):
    """Column j of eight is nibble 0 4 1 5 2 6 3 7 of a word."""
    eights = stream(packed, bits, count).reshape(len(packed), -1, 8)
    return eights[..., [0, 4, 1, 5, 2, 6, 3, 7]].reshape(len(packed), -1)


def floats(value):
    if value.dtype == BF16:
        return (value["bfloat16"].astype(np.uint32) << 16).view(np.float32)
    return value.astype(np.float32)


def decoded(kind, tensors, name, c):
    """The weights of a layer, and its codes."""
    bits = c["config_groups"]["group_0"]["weights"]["num_bits"] if "config_groups" in c else c["bits"]
    if kind == "compressed-tensors":
        rows, cols = tensors[name + ".weight_shape"]
        q, scales = stream(tensors[name + ".weight_packed"], bits, cols), floats(tensors[name + ".weight_scale"])
        stored = tensors.get(name + ".weight_zero_point")
        z = np.full(scales.shape, 2 ** (bits - 1)) if stored is None else stream(stored.T, bits, rows).T
        return scales, q, z
    scales = floats(tensors[name + ".scales"]).T
    unpack = {"gptq_p": planes, "awq": nibbles}.get(kind, stream)
    if kind == "awq":
        q = unpack(tensors[name + ".qweight"], bits, len(scales)).T
    else:
        packed = tensors[name + ".qweight"].T
        q = unpack(packed, bits, packed.shape[1] * 32 // bits)
    z = (unpack(tensors[name + ".qzeros"], bits, len(scales)).T + LESS.get(kind, 0)) % 2 ** bits
    return scales, q, z


def checkpoint(kind, group):
    """All weights of the folder as numbers, and the codes of its layers."""
    c = json.loads((out / "config.json").read_text())
    tensors, _ = safetensors.load(out / "model.safetensors")
    weights = {name: floats(value) for name, value in tensors.items()
               if name.endswith(".weight") or name.endswith(".bias")}
    codes = {}
    end = ".weight_packed" if kind == "compressed-tensors" else ".qweight"
    for name in (name.removesuffix(end) for name in tensors if name.endswith(end)):
        scales, q, z = decoded(kind, tensors, name, c["quantization_config"])
        of = np.arange(q.shape[1]) // group
        if name + ".g_idx" in tensors and (tensors[name + ".g_idx"] != of).any():
            fail(f"{kind}: g_idx {tensors[name + '.g_idx']} of {name}")
        weights[name + ".weight"] = scales[:, of] * (q - z[:, of]).astype(np.float32)
        codes[name] = q
    c.pop("quantization_config")
    return c, weights, codes


def same(title, kind, bits, group, *options):
    """The nested file, the folder and what numpy reads of that are one model; its codes."""
    said = export(bits, kind)
    c, weights, codes = checkpoint(kind, group)
    store_model(plain, c, weights)
    found = nats(file, "--bits", bits, *options), nats(out), nats(plain)
    if max(found) - min(found) > 1e-6:
        fail(f"{title}, {kind} at {bits} bits: {found} nats of the nested file, the folder, numpy's weights")
    if f"{bits} bits" not in said or kind not in said:
        fail(f"{title}: said {said}")
    return codes


# Every format at every width of a symmetric parent that rounds; of an asymmetric one at 8 bits; of files for one width.
llama = {**architectures.LLAMA, **SHAPE}
store_model(model, llama, architectures.tensors_of(llama))
parent = ["--slice", "round_clamp", "--dense-head"]
for title, options, group, exported in (
        ("symmetric", [*parent, "--scheme", "gptq-sym", "--group-size", "32"], 32, range(1, 9)),
        ("absmax, whole rows", [*parent, "--scheme", "sym", "--group-size", "100"], 100, (2, 4)),
        ("full range", [*parent, "--scheme", "full-range", "--group-size", "48"], 48, (4,)),
        ("asymmetric", ["--dense-head", "--group-size", "32"], 32, (8,)),
        ("4 bits alone", ["--dense-head", "--group-size", "32", "--bits", "4"], 32, (4,)),
        ("3 bits alone", ["--dense-head", "--group-size", "16", "--bits", "3"], 16, (3,)),
        ("2 bits alone", ["--dense-head", "--group-size", "32", "--bits", "2", "--scheme", "gptq-sym"], 32, (2,))):
    quantized(*options)
    for bits in exported:
        codes = {}
        for kind in (kind for kind, widths in WIDTHS.items() if bits in widths):
            if group == 48 and kind in ("awq", "compressed-tensors"):
                continue
            codes[kind] = same(title, kind, bits, group)
        for kind, of in codes.items():
            for name, q in of.items():
                if (q != codes["compressed-tensors" if group != 48 else "gptq"][name]).any():
                    fail(f"{title}: {kind} has other codes of {name} at {bits} bits")

# The linear layers of other families: fused, of experts, with biases; a tied head, which is decoded, and one that is
# not tied; a tokenizer comes along.
for family in ("phi3", "qwen3_moe", "qwen2", "llama, head_dim, tied"):
    config = {**architectures.CASES[family], **SHAPE, "num_key_value_heads": 2}
    config |= {"moe_intermediate_size": 32} if "moe" in family else {}
    store_model(model, config, architectures.tensors_of(config))
    quantized(*parent, "--scheme", "sym", "--group-size", "32")
    for kind in ("gptq", "compressed-tensors"):
        codes = same(family, kind, 4, 32)
        if ("phi3" in family) != ("model.layers.0.self_attn.qkv_proj" in codes):
            fail(f"{family}: layers {list(codes)}")
    ignored = json.loads((out / "config.json").read_text())["quantization_config"]["ignore"]
    if ignored != ["lm_head"] + (["model.layers.0.mlp.gate", "model.layers.1.mlp.gate"] if "moe" in family else []):
        fail(f"{family}: {ignored} are said to be left out")
narrow, model = model, folder / "worded"
shutil.rmtree(model, ignore_errors=True)
make_folder(model)
text = folder / "text.txt"
text.write_text("and it came to pass in those days " * 20)
for tied in (False, True):
    config = {**llama, "vocab_size": 4096, "tie_word_embeddings": tied}
    weights = architectures.tensors_of(config)
    store_model(model, config, weights)
    quantized("--slice", "round_clamp", "--scheme", "sym", "--group-size", "32")
    said = json.loads(export(4, "gptq", "--head-bits", "6", "--json"))
    name = "model.embed_tokens.weight" if tied else "lm_head.weight"
    if (said["head"], said["head_bits"], said["head_type"], said["layers"]) != (name, 6, "F16", 14):
        fail(f"{said} is said of the head")
    c, found, codes = checkpoint("gptq", 32)
    step = np.abs(weights[name].reshape(-1, 32)).max(1) / 127 * 4  # of 6 bits; the largest are clamped
    if not 0 < np.abs(found[name] - weights[name]).reshape(-1, 32).max(1).max() < 1.01 * step.max():
        fail(f"the head, tied {tied}, is not that of 6 bits")
    rows = [json.loads(expect(0, run("eval", "--model", of, "--text", text, "--context", "100", "--json",
                                     *(["--bits", "4", "--head-bits", "6"] if of == file else []))).stdout)["rows"][0]
            for of in (file, out)]
    if abs(rows[0]["mean_nll"] - rows[1]["mean_nll"]) > 2 ** -11 * rows[0]["mean_nll"]:  # the head in half
        fail(f"a head in half: {rows}")
    if (out / "tokenizer.model").read_bytes() != (model / "tokenizer.model").read_bytes():
        fail("another tokenizer")

# What no format holds, and what one does not.
model = narrow
store_model(model, llama, architectures.tensors_of(llama))


def turned_away(kind, bits, *wanted, to=out, code=1):
    for path in out.glob("*"):
        path.unlink()
    if out.exists():
        out.rmdir()
    refused(code, "export", file, "--bits", bits, "--format", kind, "-o", to, words=wanted)
    if out.exists():
        fail(f"{kind} at {bits} bits: refused, and a folder left")


first = "model.layers.0.self_attn.q_proj"
quantized("--group-size", "32", "--scheme", "sym")
turned_away("gptq", 4, first, "7.53", "group 0", "row 0", "round_clamp")
turned_away("gptq", 9, "--bits", code=2)
turned_away("gguf", 4, "--format", "gptq_v2", code=2)
turned_away("gptq", 8, "is there, and no folder", to=file)
turned_away("gptq", 8, "nowhere", to=folder / "nowhere" / "out")
(folder / "full").mkdir(exist_ok=True)
(folder / "full" / "mine.txt").write_text("mine")
turned_away("gptq", 8, "not empty", "mine.txt", to=folder / "full")
turned_away("gptq", 8, "model", "not empty", to=model)
quantized("--group-size", "32", "--scheme", "sym", "--slice", "extra_precision")
turned_away("gptq", 4, "extra_precision", "5 bits")
quantized("--group-size", "32", "--slice", "round_clamp")
turned_away("gptq_v2", 4, first, "the zero of group", "whole ones from 0 to 15")
quantized("--group-size", "32", "--scheme", "sym", "--slice", "round_clamp", "--outliers", "1",
          "--outlier-rule", "even", "--calibration", tokens, "--seqlen", "32", "--nsamples", "4")
turned_away("gptq", 4, "layers.0", "weights beside the codes", "--outliers")
quantized("--scheme", "gptq-sym", "--slice", "round_clamp", "--group-size", "48")
turned_away("compressed-tensors", 4, first, "64 columns in groups of 48", "held by gptq, gptq_v2")
turned_away("awq", 4, first, "64 x 64", "held by gptq, gptq_v2")
turned_away("awq", 8, first, "8 bits; it holds 4", "held by gptq, gptq_v2")
turned_away("gptq", 5, first, "5 bits; it holds 2, 3, 4, 8", "held by gptq_p")
quantized("--method", "squeezellm", "--bits", "4", "--calibration", tokens, "--seqlen", "32", "--nsamples", "4")
turned_away("gptq", 4, first, "row_table", "uniform")
cut = folder / "cut.jack"
quantized("--group-size", "32", "--scheme", "sym", "--slice", "round_clamp")
expect(0, run("cut", file, "--bits", "4", "-o", cut))
cut.replace(file)
turned_away("gptq", 6, "6 bits", "4")
data = bytearray(file.read_bytes())
data[-1] ^= 1
file.write_bytes(data)
turned_away("gptq", 4, "model.jack", "digest")

weights = architectures.tensors_of(llama)
weights[first + ".weight"][3, 32:] = np.abs(weights[first + ".weight"][3, 32:])
store_model(model, llama, weights)
for width in ("8", "4"):
    quantized("--group-size", "32", "--dense-head", "--bits", width)
    turned_away("gptq", width, first, "the zero of group 1 in row 3 is 0; it holds 1 to",
                "held by gptq_v2, gptq_p, auto_round")
    same("a zero of 0", "gptq_v2", int(width), 32)
weights[first + ".weight"][:] *= 1e9
weights["model.layers.0.self_attn.k_proj.weight"][:] *= 1e-9
store_model(model, llama, weights)
quantized(*parent, "--scheme", "gptq-sym", "--group-size", "32")
turned_away("gptq", 4, first, "the scale of group 0 in row 0", "no number of F16", "held by compressed-tensors")
same("scales beyond half", "compressed-tensors", 4, 32)
if safetensors.load(out / "model.safetensors")[0][first + ".weight_scale"].dtype != BF16:
    fail("scales beyond half are not BF16")
store_model(model, architectures.LLAMA, architectures.tensors_of(architectures.LLAMA))
quantized(*parent, "--scheme", "gptq-sym", "--group-size", "12")
turned_away("gptq", 4, first, "48 x 48", "rows in 32, columns in 32", "held by awq, compressed-tensors")
same("sizes that are no multiples of 32", "awq", 4, 12)
same("sizes that are no multiples of 32", "compressed-tensors", 3, 12)
print("export: ok")
