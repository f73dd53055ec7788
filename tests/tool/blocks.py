# SPDX-License-Identifier: BSD-3-Clause
"""blocks.py JACKPLANE FOLDER: quantize --format gguf makes files of the types asked for, by each method, whose scales
are those of the search and whose codes the method chose."""
import json
import os
import pathlib
import resource
import subprocess
import sys

import numpy as np

from harness import child, ended, expect, expect_taken_up, fail, folder, killed_behind, refused, run, store_model

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "clients"))
import architectures  # noqa: E402
import gguf_read  # noqa: E402

CONFIG = {**architectures.LLAMA, "hidden_size": 256, "intermediate_size": 288, "num_hidden_layers": 2, "head_dim": 64,
          "vocab_size": 96, "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 64}
# What rows of 256 and of 288 take.
TYPES = {"q8_0": ("q8_0", "q8_0"), "q4_0": ("q4_0", "q4_0"), "q4_1": ("q4_1", "q4_1"), "q5_0": ("q5_0", "q5_0"),
         "q5_1": ("q5_1", "q5_1"), "iq4_nl": ("iq4_nl", "iq4_nl"), "q2_k": ("q2_k", "q4_0"), "q3_k": ("q3_k", "q4_0"),
         "q4_k": ("q4_k", "q5_0"), "Q5_K": ("q5_k", "q5_1"), "q6_k": ("q6_k", "q8_0"), "iq4_xs": ("iq4_xs", "iq4_nl")}
BITS = {name: 8 * size / values for name, values, size in gguf_read.TYPES.values()}
SCALES = {"q4_0": (18, [(0, 2)]), "q2_k": (84, [(0, 16), (80, 84)])}  # bytes of a block, and where its scales stand

model, tokens, dense = folder / "model", folder / "tokens.npy", folder / "dense.gguf"
rng = np.random.default_rng(8)
weights = {name: value.astype("<f2").astype("<f4") for name, value in architectures.tensors_of(CONFIG).items()}
store_model(model, CONFIG, weights)
np.save(tokens, rng.integers(0, CONFIG["vocab_size"], 640).astype("<u2"))
look = ["--calibration", tokens, "--nsamples", "8", "--seqlen", "48"]


def nats(file):
    done = run("eval", "--model", file, "--tokens", tokens, "--context", "64", "--json")
    return json.loads(expect(0, done).stdout)["rows"][0]["mean_nll"]


def made(name, *arguments, of=model):
    """The report, and the bytes of the tensors."""
    file = folder / f"{name}.gguf"
    done = expect(0, run("quantize", of, "-o", file, "--format", "gguf", *arguments, "--quiet", "--json"))
    report = json.loads(done.stdout)
    types, bits = gguf_read.layers_of(file)
    if abs(report["bits_per_weight"] - bits) > 1e-9 or len(report["tensors"]) != sum(types.values()):
        fail(f"{name}: reports {report['bits_per_weight']} bits a weight, the file has {bits} in {types}")
    return report, gguf_read.data_of(file)


def gguf_types(file):
    return {name: kind for name, (kind, _, _) in gguf_read.table(file).items()}


def split(data, kind):
    """The scales of blocks, and the rest of them."""
    size, places = SCALES[kind]
    blocks = np.frombuffer(data, np.uint8).reshape(-1, size)
    scales = np.zeros(size, bool)
    for first, end in places:
        scales[first:end] = True
    return blocks[:, scales], blocks[:, ~scales]


whole = nats(model)
made("dense", "--type", "f16", "--method", "rtn", "--dense-head")
if abs(nats(dense) - whole) > 2e-5:
    fail(f"{nats(dense)} nats in F16, {whole} before")

for kind, (of_256, of_288) in TYPES.items():
    _, tensors = made("rtn", "--type", kind, "--method", "rtn")
    held = gguf_read.table(folder / "rtn.gguf")
    for name, (found, shape, _) in held.items():
        wanted = "f32" if len(shape) == 1 else of_288 if shape[-1] == 288 else of_256
        if name.startswith("blk.") and found != wanted or name in ("token_embd.weight", "output.weight") and \
                found != "q8_0":
            fail(f"--type {kind}: {name} {shape} is {found}")
    other, _ = made("mse", "--type", kind, "--method", "mse", *look)
    loss = nats(folder / "mse.gguf") - whole
    print(f"{kind:7} {BITS[of_256]:.3f} bits  rtn {nats(folder / 'rtn.gguf') - whole:+.4f}  mse {loss:+.4f} nats")
    if abs(loss) > 2.0 ** (3 - BITS[of_256]):
        fail(f"--type {kind} costs {loss} nats")

# A file is the same model to quantize as its folder.
for kind in ("q4_0", "q2_k"):
    _, of_folder = made("folder", "--type", kind, "--method", "mse", *look)
    _, of_file = made("file", "--type", kind, "--method", "mse", *look, of=dense)
    if of_folder != of_file:
        fail(f"--type {kind}: other blocks from a GGUF file")

# An importance matrix is what the calibration text says.
expect(0, run("imatrix", model, *look, "-o", folder / "imatrix.gguf", "--quiet"))
_, searched = made("mse", "--type", "q2_k", "--method", "mse", *look)
_, by_file = made("file", "--type", "q2_k", "--method", "mse", "--imatrix", folder / "imatrix.gguf")
if searched != by_file:
    fail("an importance matrix from a file gives other blocks")

# Scales stay, codes are the method's, and what is learned is better.
held = gguf_read.table(folder / "mse.gguf")
for method, more in {"gptq": [], "signround": ["--iters", "40", "--batch", "4"]}.items():
    report, tensors = made(method, "--type", "q2_k", "--method", method, *more, *look)
    for name, (kind, shape, _) in held.items():
        if not name.startswith("blk.") or len(shape) == 1:
            if tensors[name] != searched[name]:
                fail(f"{method}: {name} is not as it was")
            continue
        scales, codes = split(tensors[name], kind)
        scales_before, codes_before = split(searched[name], kind)
        if not np.array_equal(scales, scales_before) or np.array_equal(codes, codes_before):
            fail(f"{method}: {name} has other scales, or the same codes")
    for layer in report["losses"]:
        if not layer["after"] < 0.9 * layer["before"] or not 0 < layer["moved"] < 0.6:
            fail(f"{method}: {layer['before']} -> {layer['after']}, {layer['moved']} of the codes moved")
    # the same once more, by the scales of a file
    _, again = made("again", "--scales-of", folder / "mse.gguf", "--method", method, *more, *look)
    if again != tensors:
        fail(f"{method} --scales-of: other blocks")
# types without codes in order have nothing of that file but the type; files of other models are refused
store_model(folder / "other", CONFIG, {name: value[::-1] for name, value in weights.items()})
made("other", "--type", "f16", "--method", "rtn", of=folder / "other")
_, of_model = made("f16", "--type", "f16", "--method", "rtn")
_, by_other = made("again", "--scales-of", folder / "other.gguf", "--method", "gptq", *look)
if by_other != of_model:
    fail("--scales-of a file of F16: not the weights of the model")
store_model(folder / "other", {**CONFIG, "rope_theta": 5e5}, weights)
made("other", "--type", "q2_k", "--method", "rtn", of=folder / "other")
refused(1, "quantize", model, "-o", folder / "refused.gguf", "--format", "gguf", "--scales-of", folder / "other.gguf",
        "--method", "gptq", *look, words=("other.gguf", "another model", "rope_theta"))
if len(report["losses"]) != CONFIG["num_hidden_layers"]:
    fail(f"{len(report['losses'])} layers learned")

made("six", "--type", "q4_0", "--head-type", "q6_k", "--method", "mse", *look)
made("again", "--scales-of", folder / "six.gguf", "--method", "gptq", *look)
if gguf_types(folder / "again.gguf") != gguf_types(folder / "six.gguf"):
    fail(f"--scales-of: other types, {gguf_types(folder / 'again.gguf')}")

# A run that learns, killed and started again; with other settings or importances it begins anew.
deep = {**CONFIG, "num_hidden_layers": 3}
store_model(folder / "deep", deep, architectures.tensors_of(deep))
begin = ["quantize", folder / "deep", "--format", "gguf", "--quiet"]
expect(0, run(*begin, "--type", "q2_k", "--method", "rtn", "-o", folder / "scales.gguf"))
expect(0, run("imatrix", folder / "deep", *look[:2], "--nsamples", "2", "-o", folder / "few.gguf", "--quiet"))
begin += ["--method", "signround", "--iters", "30", "--batch", "4", *look]
learn = [*begin, "--type", "q2_k"]
whole, output = folder / "whole.gguf", folder / "killed.gguf"
expect(0, run(*learn, "-o", whole))
expect_taken_up(".safetensors", whole, output, *learn)
# a layer that is damaged may be somebody's own, and is not removed; without it the run goes on
output.unlink()
killed_behind("layer.1.safetensors", output, *learn)
layer = folder / "killed.gguf.layers" / "layer.1.safetensors"
for size in (layer.stat().st_size // 2, 0):
    os.truncate(layer, size)
    expect(1, run(*learn, "-o", output), "killed.gguf.layers", "layer.1.safetensors, which is damaged, or not written",
           "remove it", "--no-resume")
    if layer.stat().st_size != size:
        fail("a damaged layer is not as it was")
layer.unlink()
expect(0, run(*learn, "-o", output))
if output.read_bytes() != whole.read_bytes():
    fail("another file after a damaged layer was removed")
for other in ([*learn, "--imatrix", folder / "few.gguf"], [*learn, "--seed", "1"], [*learn, "--dense-inputs"],
              [*begin, "--type", "q3_k"], [*begin, "--scales-of", folder / "scales.gguf"]):
    output.unlink()
    killed_behind("layer.0.safetensors", output, *learn)
    expect(0, run(*other, "-o", output))
    expect(0, run(*other, "-o", folder / "other.gguf"))
    if output.read_bytes() != (folder / "other.gguf").read_bytes() or output.read_bytes() == whole.read_bytes():
        fail(f"{other}: from layers that another run kept, or the same file")

# A mixture, and types under a size.
made("mixture", "--recipe", "q4_k_m", "--method", "rtn")
kinds = gguf_types(folder / "mixture.gguf")
wanted = {"token_embd.weight": "q4_k", "output.weight": "q6_k",
          "blk.0.attn_v.weight": "q4_k", "blk.1.attn_v.weight": "q6_k",
          "blk.1.ffn_down.weight": "q8_0", "blk.0.ffn_down.weight": "q5_0", "blk.1.attn_q.weight": "q4_k"}
if any(kinds[name] != kind for name, kind in wanted.items()):
    fail(f"q4_k_m is {kinds}")
sizes = []
for average in (3, 4, 6):
    report, _ = made("chosen", "--types", "q2_k,q4_k,q6_k", "--average", average, "--method", "mse", *look)
    sizes.append((report["bits_per_weight"], nats(folder / "chosen.gguf")))
    kinds = {t["type"] for t in report["tensors"]}
    if report["bits_per_weight"] > average or not kinds <= {"Q2_K", "Q4_K", "Q6_K", "Q4_0", "Q5_0", "Q8_0"}:
        fail(f"--average {average}: {report['bits_per_weight']} bits a weight of {kinds}")
if not sizes[0][0] < sizes[1][0] <= sizes[2][0]:
    fail(f"types under a size: {sizes}")

ask = ["quantize", model, "-o", folder / "refused.gguf", "--format", "gguf"]
for words, more in {("--type",): ["--method", "rtn"],
                    ("q4_7", "Q4_K"): ["--method", "rtn", "--type", "q4_7"],
                    ("--type", "''", "Q4_K"): ["--method", "rtn", "--type", ""],
                    ("--types", "''", "Q4_K"): ["--method", "rtn", "--types", "", "--average", "4", *look],
                    ("--types", "no type ''"): ["--method", "rtn", "--types", ",", "--average", "4", *look],
                    ("--head-type", "''", "Q4_K"): ["--method", "rtn", "--type", "q4_k", "--head-type", ""],
                    ("--recipe", "''", "Q4_K_M"): ["--method", "rtn", "--recipe", ""],
                    ("q4_k_x", "Q4_K_M"): ["--method", "rtn", "--recipe", "q4_k_x"],
                    ("--group-size",): ["--method", "rtn", "--type", "q4_0", "--group-size", "32"],
                    ("--bits",): ["--method", "rtn", "--type", "q4_0", "--bits", "4"],
                    ("--widths",): ["--method", "signround", "--type", "q4_0", "--widths", "4", *look],
                    ("--mse",): ["--method", "gptq", "--type", "q4_0", "--mse", *look],
                    ("awq", "signround"): ["--method", "awq", "--type", "q4_0", *look],
                    ("--calibration",): ["--method", "gptq", "--type", "q4_0"],
                    ("--imatrix or --calibration",): ["--method", "mse", "--type", "q4_0"],
                    ("--calibration", "weights alone"): ["--method", "rtn", "--type", "q4_0", *look],
                    ("--average",): ["--method", "rtn", "--types", "q4_0,q8_0", *look],
                    ("at most 2 bits", "need 4.5"): ["--method", "rtn", "--types", "q4_0,q8_0", "--average", "2",
                                                       *look],
                    ("--imatrix", "rtn looks at weights"): ["--method", "rtn", "--types", "q4_0,q8_0", "--average", "8",
                                                            "--imatrix", folder / "imatrix.gguf", *look],
                    ("--calibration", "--imatrix says"): ["--method", "mse", "--type", "q4_0", "--imatrix",
                                                          folder / "imatrix.gguf", *look],
                    ("--nsamples", "no --calibration"): ["--method", "rtn", "--type", "q4_0", "--nsamples", "4"],
                    ("--seed", "no --calibration"): ["--method", "mse", "--type", "q4_0", "--imatrix",
                                                     folder / "imatrix.gguf", "--seed", "4"],
                    ("--type", "mxfp4", "signround"): ["--method", "signround", "--type", "mxfp4", *look],
                    ("--scales-of",): ["--method", "mse", "--scales-of", folder / "mse.gguf", *look],
                    ("--dense-head",): ["--method", "rtn", "--type", "q4_0", "--head-type", "q8_0", "--dense-head"],
                    ("in_sum2",): ["--method", "mse", "--type", "q4_0", "--imatrix", dense]}.items():
    refused(1 if words[0] in ("in_sum2", "at most 2 bits") else 2, *ask, *more, words=words)
refused(2, "quantize", model, "-o", folder / "refused.jack", "--type", "q4_0", words=("--format gguf",))
for kind, said in (("q4_0", ("row 3, column 5 is 3.0", "2^30")), ("f16", ("row 3, column 5", "F16"))):
    large = {name: value.copy() for name, value in weights.items()}
    large["model.layers.1.self_attn.k_proj.weight"][3, 5] = 3e38
    store_model(folder / "other", CONFIG, large)
    refused(1, "quantize", folder / "other", "-o", folder / "refused.gguf", "--format", "gguf", "--type", kind,
            "--method", "rtn", "--quiet", words=("model.layers.1.self_attn.k_proj.weight", *said))
# What no file can say is told before any work: here before the calibration text is opened.
store_model(folder / "other", {**CONFIG, "rope_scaling": {**architectures.YARN, "truncate": False}}, weights)
(folder / "text.txt").write_text("a text, and no tokenizer to read it with")
refused(1, "quantize", folder / "other", "-o", folder / "refused.gguf", "--format", "gguf", "--type", "q4_0",
        "--method", "gptq", "--calibration", folder / "text.txt", words=("truncate",))
# The same of scales that are no numbers,
bad, unread = folder / "bad.gguf", ["--calibration", folder / "text.txt"]
data = bytearray((folder / "mse.gguf").read_bytes())
at = data.index(gguf_read.data_of(folder / "mse.gguf")["blk.1.attn_output.weight"]) + SCALES["q2_k"][0] * 5
data[at + 80 : at + 82] = b"\x00\x7e"
bad.write_bytes(data)
refused(1, "quantize", model, "-o", folder / "refused.gguf", "--format", "gguf", "--scales-of", bad, "--method",
        "signround", *unread, words=("bad.gguf", "blk.1.attn_output.weight", "row 5"))
# and of room for the file, and for the layers beside it.
by_types = {"q4_0": ["--type", "q4_0", "--method", "signround"], "given": ["--scales-of", folder / "mse.gguf",
                                                                          "--method", "gptq"],
            "chosen": ["--types", "q4_0,q8_0", "--average", "6", "--method", "rtn"]}
full = folder / "full"
full.mkdir(exist_ok=True)
asked = ["quantize", model, "--format", "gguf", *unread, "-o", full / "o.gguf"]
for more in by_types.values():
    code, _, err = ended(child(*asked, *more,
                               preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (90_000, 90_000))))
    if code != 1 or "o.gguf: cannot hold" not in err or len(err.splitlines()) != 1 or any(full.iterdir()):
        fail(f"{more} beyond the size of a file: exit {code}, {err!r}, {list(full.iterdir())}")
if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=88k", "tmpfs", full], capture_output=True).returncode == 0:
    try:
        for more in by_types.values():
            refused(1, *asked, *more, words=("o.gguf: cannot hold", "No space left on device"))
        expect(0, run(*asked[:4], "--type", "q4_0", "--method", "rtn", "-o", folder / "o.gguf"))
        room = (folder / "o.gguf").stat().st_size // 4096 + 8
        subprocess.run(["mount", "-o", f"remount,size={4 * room}k", full], check=True)
        refused(1, *asked, *by_types["q4_0"], words=("o.gguf.layers", "bytes are left", "--no-resume"))
    finally:
        subprocess.run(["umount", full], check=True)
else:
    print("skipped: a device without room: no right to mount one")
