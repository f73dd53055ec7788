# SPDX-License-Identifier: BSD-3-Clause
"""stored.py JACKPLANE FOLDER: `quantize --method stored` keeps the codes, scales and zeros of a checkpoint.

Exported and taken in again a nested file has the planes that it had, byte for byte, in every format of the GPTQ family;
blocks of a GGUF file become planes of the same codes. What planes do not hold is refused with its name and type.
"""
import json
import pathlib
import shutil
import sys

import numpy as np

from harness import expect, fail, folder, refused, run, store_model

sys.path[:0] = [str(pathlib.Path(__file__).resolve().parents[1] / name) for name in ("clients", "files")]
import architectures  # noqa: E402
import gguf_read  # noqa: E402
import reader  # noqa: E402
import safetensors  # noqa: E402

FORMATS = {"gptq": (2, 3, 4, 8), "gptq_v2": (2, 3, 4, 8), "gptq_p": (2, 3, 4, 8), "auto_round": (2, 3, 4, 8),
           "auto_round:auto_gptq": (2, 3, 4, 8), "awq": (4,), "compressed-tensors": (2, 3, 4, 8)}
SHAPE = {"hidden_size": 64, "intermediate_size": 96, "num_attention_heads": 2, "num_key_value_heads": 2,
         "head_dim": 32}
Q = "model.layers.0.self_attn.q_proj"
model, out, tokens, blocks = folder / "model", folder / "out", folder / "tokens.npy", folder / "blocks.gguf"
back = folder / "back"
first, again = folder / "first.jack", folder / "again.jack"
rng = np.random.default_rng(23)
np.save(tokens, rng.integers(0, 120, 300).astype("<u2"))


def make(config, weights=None):
    store_model(model, config, weights or architectures.tensors_of(config))


def sized(family):
    config = {**architectures.CASES[family], **SHAPE}
    return config | ({"moe_intermediate_size": 32} if "moe" in family else {})


def quantized(source, to, *options):
    return expect(0, run("quantize", source, "-o", to, "--quiet", "--dense-head", *options)).stdout


def nats(of, *options):
    done = run("eval", "--model", of, "--tokens", tokens, "--context", "100", "--json", *options)
    return json.loads(expect(0, done).stdout)["rows"][0]["mean_nll"]


def exported(bits, kind, of=first, to=out):
    shutil.rmtree(to, ignore_errors=True)
    expect(0, run("export", of, "--bits", bits, "--format", kind, "-o", to))


def layers_of(file):
    """What is said of the layers, and the bytes of their planes, scales and zeros."""
    found = reader.File(file)
    return found.layers, {name: (t["dtype"], t["shape"], found.tensor(name).tobytes())
                          for name, t in found.tensors.items()
                          if any(name.startswith(layer + ".") for layer in found.layers)}


def same_layers(title):
    (said, was), (told, now) = layers_of(first), layers_of(again)
    changed = {name for name in was.keys() | now.keys() if was.get(name) != now.get(name)}
    if said != told or changed or not was:
        fail(f"{title}: {sorted(changed)[:4]} are not what they were; {said[Q + '.weight']}, {told[Q + '.weight']}")


# Exported and taken in again: one width, 8 bits, symmetric codes, whole rows, scales that half does not hold.
llama = sized("llama")
make(llama)
for options in ("--bits 4 --group-size 32", "--bits 4 --group-size 32 --scheme full-range", "--bits 3 --group-size 16",
                "--bits 2 --group-size -1", "--bits 2 --group-size 32 --scheme gptq-sym", "--bits 8 --group-size 32",
                "--bits 8 --group-size 32 --scheme sym"):
    quantized(model, first, *options.split())
    bits = int(options.split()[1])
    for kind in (kind for kind, widths in FORMATS.items() if bits in widths):
        if kind == "compressed-tensors" and "-1" in options:
            continue  # rows of 64 and 96 columns are groups of two sizes
        exported(bits, kind)
        said = quantized(out, again, "--method", "stored")
        same_layers(f"{options}, {kind}")
        if f"at {bits} bits" not in said or "0.00000" not in said:
            fail(f"{options}, {kind}: said {said}")
        exported(bits, kind, again, back)
        names = "config.json", "model.safetensors"
        if any((out / name).read_bytes() != (back / name).read_bytes() for name in names):
            fail(f"{options}, {kind}: exported once more it is another checkpoint")
        found = nats(first, "--bits", bits), nats(again, "--bits", bits), nats(out)
        if found[0] != found[1] or abs(found[0] - found[2]) > 1e-6:
            fail(f"{options}, {kind}: {found} nats of the file, of what came back, of the folder")
for family in ("phi3", "qwen3_moe", "qwen2", "mixtral"):  # fused tensors, experts, biases
    make(sized(family))
    quantized(model, first, "--bits", "4", "--group-size", "32")
    for kind in ("gptq", "awq", "compressed-tensors"):
        exported(4, kind)
        quantized(out, again, "--method", "stored")
        same_layers(f"{family}, {kind}")
weights = architectures.tensors_of(llama)
weights[Q + ".weight"] = weights[Q + ".weight"] * 1e9
make(llama, weights)
quantized(model, first, "--bits", "4", "--group-size", "32")
exported(4, "compressed-tensors")
quantized(out, again, "--method", "stored")
same_layers("scales beyond half")
if layers_of(again)[0][Q + ".weight"]["scale"] != "BF16":
    fail("scales beyond half are not BF16")

# What comes of it is a file like others, with a head as others have it; 8 bits serve all widths, by any slice.
make(llama)
quantized(model, first, "--bits", "8", "--group-size", "32", "--scheme", "gptq-sym", "--slice", "round_clamp")
exported(8, "gptq")
quantized(out, again, "--method", "stored", "--slice", "round_clamp")
if [nats(first, "--bits", b) for b in (8, 4, 2)] != [nats(again, "--bits", b) for b in (8, 4, 2)]:
    fail("other widths of a parent that came back")
expect(0, run("quantize", out, "-o", again, "--quiet", "--method", "stored", "--slice", "round_clamp", "--scheme",
              "sym", "--group-size", "16"))
said = reader.File(again).layers
if said["lm_head.weight"]["group"] != 16 or said[Q + ".weight"]["group"] != 32:
    fail("a head without --group-size")
if "32" not in expect(0, run("inspect", again)).stdout:
    fail("inspect")
expect(0, run("export", again, "--bits", "4", "--format", "gptq", "-o", folder / "narrow"))
shutil.rmtree(folder / "narrow")


# Blocks of a GGUF file; what is in no block is in half on both sides.
def in_blocks(kind):
    expect(0, run("quantize", model, "-o", blocks, "--quiet", "--format", "gguf", "--type", kind, "--dense-head"))


def make_half(config):
    make(config, {name: value.astype("<f2").astype("<f4")
                  for name, value in architectures.tensors_of(config).items()})


for family in ("llama", "mixtral", "phi3", "qwen3"):
    make_half(sized(family))
    for kind, bits in (("q4_0", 4), ("q8_0", 8)):
        in_blocks(kind)
        quantized(blocks, again, "--method", "stored")
        found = nats(blocks), nats(again, "--bits", bits)
        if abs(found[0] - found[1]) > 1e-6:
            fail(f"{family}, {kind}: {found} nats of the blocks, of the planes")
        name, there = "model.layers.0.self_attn.o_proj.weight", reader.File(again)
        raw = np.frombuffer(gguf_read.data_of(blocks)["blk.0.attn_output.weight"], "u1")
        raw = raw.reshape(-1, 18 if bits == 4 else 34)
        q = np.hstack([raw[:, 2:] & 15, raw[:, 2:] >> 4]) if bits == 4 else raw[:, 2:] ^ 128
        if (there.codes(name, bits)[:64, :64] != q.reshape(64, 64)).any():
            fail(f"{family}, {kind}: other codes")
        scales = there.tensor(name + ".scale").transpose(0, 2, 1).reshape(64, -1)
        if scales.tobytes() != raw[:, :2].tobytes() or there.layers[name]["zero"] != "none":
            fail(f"{family}, {kind}: other scales, zero {there.layers[name]['zero']}")
wide = {**llama, "hidden_size": 256, "intermediate_size": 256, "head_dim": 128}
make_half(wide)
for kind in ("q2_0", "tq1_0", "tq2_0"):
    in_blocks(kind)
    quantized(blocks, again, "--method", "stored")
    if abs(nats(blocks) - nats(again, "--bits", "2")) > 1e-6:
        fail(f"{kind}: other numbers")


# What is not kept.
def turned_away(source, *wanted, options=(), code=1):
    refused(code, "quantize", source, "-o", folder / "x.jack", "--quiet", "--method", "stored", *options, words=wanted)


for kind in ("q4_1", "q5_0", "q5_1", "iq4_nl", "q4_k", "q6_k", "mxfp4", "q1_0"):
    in_blocks(kind)
    turned_away(blocks, "blocks.gguf", "blk.0.attn_q.weight", kind.upper(), "Q4_0, Q8_0")
in_blocks("q4_0")
data = bytearray(blocks.read_bytes())
at = data.index(gguf_read.data_of(blocks)["blk.1.attn_q.weight"]) + 18 * 5
data[at : at + 2] = b"\x00\x7e"  # a scale that is no number
blocks.write_bytes(data)
turned_away(blocks, "blocks.gguf", "blk.1.attn_q.weight", "group 5 in row 0", "nan")
in_blocks("f16")
turned_away(blocks, "blocks.gguf", "blk.0.attn_q.weight", "F16", "Q4_0, Q8_0")
expect(0, run("quantize", model, "-o", blocks, "--quiet", "--format", "gguf", "--types", "q4_0,q8_0", "--average", "6",
              "--calibration", tokens, "--nsamples", "2", "--seqlen", "32"))
turned_away(blocks, "blocks.gguf", "Q8_0", "8 bits", "4", "one width")
turned_away(model, "model.safetensors", Q, "F32", "numbers", "GPTQ family", "Q4_0")
turned_away(folder / "nowhere", "nowhere")

make(llama)
quantized(model, first, "--bits", "8", "--group-size", "32", "--scheme", "gptq-sym", "--slice", "round_clamp")
exported(6, "gptq_p")
turned_away(out, Q, "gptq_p of 6 bits", "8, 4, 3 or 2")
quantized(model, first, "--bits", "4", "--group-size", "32")
exported(4, "compressed-tensors")
config = json.loads((out / "config.json").read_text())
tensors, _ = safetensors.load(out / "model.safetensors")


def changed(**changes):
    there = {**tensors, **{Q.replace("q_proj", layer) + "." + part: value
                           for (layer, part), value in changes.pop("of", {}).items()}}
    safetensors.save(out / "model.safetensors", {name: value for name, value in there.items() if value is not None})


def layer(name, part):
    return tensors[f"model.layers.0.self_attn.{name}.{part}"]


changed(of={("v_proj", "weight_scale"): layer("v_proj", "weight_scale").astype("<f4")})
turned_away(out, "v_proj", "scales of F32", "F16 or BF16")
changed(of={("k_proj", "weight_g_idx"): rng.permutation(np.arange(64, dtype="<i4") // 32)})
turned_away(out, "model.safetensors", "k_proj", "g_idx", "side by side")
changed(of={("k_proj", "weight_g_idx"): np.arange(64, dtype="<i4") // 32})
expect(0, run("quantize", out, "-o", again, "--quiet", "--method", "stored"))
changed(of={("k_proj", "weight_g_idx"): 1 - np.arange(64, dtype="<i4") // 32})  # whole groups, the second one first
expect(0, run("quantize", out, "-o", again, "--quiet", "--method", "stored", "--dense-head"))
if abs(nats(out) - nats(again, "--bits", 4)) > 1e-6 or nats(out) == nats(first, "--bits", 4):
    fail("whole groups in another order are other numbers")
changed(of={**{("v_proj", part): None for part in ("weight_packed", "weight_scale", "weight_zero_point",
                                                   "weight_shape")}, ("v_proj", "weight"): np.ones((64, 64), "<f2")})
turned_away(out, "model.safetensors", "v_proj.weight", "F16", "numbers")
changed(of={("k_proj", "weight_packed"): layer("k_proj", "weight_packed")[:32]})
turned_away(out, "k_proj.weight_packed", "[32, 8]", "64 x 64")
changed(of={("k_proj", "weight_scale"): layer("k_proj", "weight_scale")[:, :1]})
turned_away(out, "k_proj.weight_scale", "[64, 1]")
bad = layer("k_proj", "weight_scale").copy()
bad[3, 1] = np.nan
changed(of={("k_proj", "weight_scale"): bad})
turned_away(out, "k_proj", "row 3", "scale")
changed()

for options in (["--bits", "4"], ["--balance"], ["--outliers", "1"], ["--significant", "1"], ["--scale-iters", "2"],
                ["--calibration", tokens], ["--nsamples", "4"], ["--no-resume"], ["--seed", "3"], ["--iters", "3"],
                ["--widths", "4"], ["--act-order"], ["--slice", "round_clamp"],
                ["--group-size", "32", "--dense-head"], ["--scheme", "sym", "--dense-head"],
                ["--format", "gguf", "--type", "q4_0"]):
    turned_away(out, options[0] if options[0] != "--format" else "stored", options=options, code=2)
print("stored: ok")
