# SPDX-License-Identifier: BSD-3-Clause
"""damaged.py JACKPLANE FOLDER: bad weights, shapes and tokens are named in one line, with the tensor and the numbers;
numbers beyond float; 400 damaged files, each refused with such a line; every reader of planes looks at their digests.
"""
import json
import random
import struct

import numpy as np

from harness import expect, fail, folder, make_model, run, store_model, tokenizer

model, file, tokens = folder / "model", folder / "model.jack", folder / "tokens.npy"
deep, text, even = folder / "deep", folder / "text.txt", folder / "even.npy"
config, weights = make_model()
store_model(model, config, weights)
np.save(tokens, np.arange(35, dtype="<u2"))
np.save(even, np.arange(32, dtype="<u2"))
expect(0, run("quantize", model, "-o", file, "--quiet"))
turned = {name.replace("layers.0", "layers.1"): value[::-1].copy() for name, value in weights.items()}
store_model(deep, {**config, "num_hidden_layers": 2}, {**turned, **weights})
(deep / "tokenizer.model").write_bytes(tokenizer(True))  # <s> stands before a text
text.write_text("and it came to pass in those days " * 20)
expect(0, run("quantize", deep, "-o", folder / "deep.jack", "--quiet"))

# every reader of planes looks at their digests
data = bytearray((folder / "deep.jack").read_bytes())
data[-1] ^= 1
(folder / "damaged.jack").write_bytes(data)
for command in (["allocate", "--text", text, "--widths", "3,8", "--quiet", "--model"],
                ["sensitivity", deep, "--bits", "8", "--calibration", text, "--quiet", "--quantized"],
                ["quantize", deep, "-o", folder / "x.jack", "--method", "signround", "--calibration", text, "--quiet",
                 "--inside"], ["eval", "--text", text, "--bits", "8", "--model"],
                ["generate", "--bits", "8", "--model"]):
    expect(1, run(*command, folder / "damaged.jack"), "damaged.jack")

# every width reads the head, and none the last plane of the layers but 8
expect(0, run("quantize", model, "-o", folder / "head.jack", "--quiet"))
common = min(level["end"] for level in json.loads(run("inspect", folder / "head.jack", "--json").stdout)["levels"])
some_of_head = ["eval", "--model", folder / "damaged.jack", "--tokens", tokens, "--bits"]
whole = (folder / "head.jack").read_bytes()
header = 8 + struct.unpack("<Q", whole[:8])[0]
place = json.loads(whole[8:header])["lm_head.weight.plane.7"]["data_offsets"]
for at, refused in ((header + place[0], ("2", "8")), (len(whole) - 1, ("8",))):
    data = bytearray(whole)
    data[at] ^= 1
    (folder / "damaged.jack").write_bytes(data)
    for bits in ("2", "8"):
        for mix in ([], ["--mix", bits]):
            expect(*((1, run(*some_of_head, bits, *mix), "damaged.jack", "digest") if bits in refused else
                     (0, run(*some_of_head, bits, *mix))))
if header + place[0] > common:
    fail("the head's planes are not in what all widths need")

# numbers beyond float: the right value where there is one, else an error
loss = []
for factor in (1e10, 1e19):
    grown = {name: value * np.float32(factor) if "embed" in name or "o_proj" in name or "down" in name else value
             for name, value in weights.items()}
    store_model(folder / "grown", config, grown)
    loss.append(json.loads(expect(0, run("eval", "--model", folder / "grown", "--tokens", even, "--json")).stdout))
if not np.isclose(loss[0]["rows"][0]["mean_nll"], loss[1]["rows"][0]["mean_nll"], rtol=1e-5):
    fail(f"a large residual stream is another model: {loss}")
huge = {**weights, "lm_head.weight": np.sign(weights["lm_head.weight"]) * np.float32(3e38),
        "model.norm.weight": np.full(16, 10, "<f4")}
store_model(folder / "grown", config, huge)
(folder / "grown" / "tokenizer.model").write_bytes(tokenizer(True))
expect(1, run("eval", "--model", folder / "grown", "--tokens", even, "--json"), "grown: ", "not finite")
expect(0, run("quantize", folder / "grown", "-o", folder / "grown.jack", "--quiet"))
expect(1, run("generate", "--model", folder / "grown.jack", "--prompt", "a", "--json"), "grown.jack: ", "not finite")
store_model(folder / "two\nlines", config, {k: v for k, v in weights.items() if "v_proj" not in k})
expect(1, run("eval", "--model", folder / "two\nlines", "--tokens", even), "v_proj", "two?lines")

# bad weights and bad shapes are named
for name, change, words in (
        ("model.layers.0.mlp.up_proj.weight", lambda w: w.__setitem__((3, 7), np.nan), ["row 3", "column 7"]),
        ("model.layers.0.self_attn.q_proj.weight", lambda w: w.__setitem__((0, 1), np.inf), ["row 0", "column 1"]),
        ("model.layers.0.mlp.down_proj.weight", lambda w: w.__setitem__(2, 1e-40), ["row 2", "scale"])):
    bad = {key: value.copy() for key, value in weights.items()}
    change(bad[name])
    store_model(folder / "bad", config, bad)
    expect(1, run("quantize", folder / "bad", "-o", folder / "bad.jack", "--quiet"), name, *words)
store_model(folder / "bad", {**config, "intermediate_size": 25}, weights)
expect(1, run("quantize", folder / "bad", "-o", folder / "bad.jack", "--quiet"), "gate_proj", "24", "25")
store_model(folder / "bad", {**config, "hidden_size": -3}, weights)
expect(1, run("quantize", folder / "bad", "-o", folder / "bad.jack", "--quiet"), "hidden_size", "-3")
store_model(folder / "bad", config, {k: v for k, v in weights.items() if "v_proj" not in k})
expect(1, run("quantize", folder / "bad", "-o", folder / "bad.jack", "--quiet"), "v_proj")
if (folder / "bad.jack").exists() or list(folder.glob("bad.jack?*")):
    fail("a failed run left an output behind")
np.save(tokens, np.array([1, 2, 40, 3], "<u4"))
expect(1, run("eval", "--model", file, "--tokens", tokens), "40")
np.save(tokens, np.array([[1, 2], [3, 4]], "<u4"))
expect(1, run("eval", "--model", file, "--tokens", tokens))
np.save(tokens, np.array([1.0, 2.0]))
expect(1, run("eval", "--model", file, "--tokens", tokens))

# damaged files
rng = random.Random(7)
whole = file.read_bytes()
head = 8 + struct.unpack("<Q", whole[:8])[0]
ends = {level["end"] for level in json.loads(run("inspect", file, "--json").stdout)["levels"]}
damaged = folder / "damaged.jack"
for number in range(400):
    data = bytearray(whole)
    kind = number % 5
    if kind == 0:
        at = rng.randrange(head)
        data[at] ^= 1 << rng.randrange(8)
    elif kind == 1:
        length = rng.choice([n for n in (rng.randrange(len(whole)), rng.randrange(head)) if n not in ends])
        data = data[:length]
    elif kind == 2:
        data[:8] = struct.pack("<Q", rng.choice([0, 1, head, head - 9, 2**63, 2**64 - 1, rng.randrange(2**40)]))
    elif kind == 3:
        data += bytes(rng.randrange(1, 5000))
    else:
        at = rng.randrange(8, head - 20)
        other = bytes(rng.choice(b'0123456789"{}[],:ax\\') for _ in range(rng.randrange(1, 20)))
        data[at : at + rng.randrange(1, 20)] = other
    if bytes(data) == whole:
        continue
    damaged.write_bytes(data)
    expect(1, run("inspect", damaged), "damaged.jack")

# a slice that reads one more plane than its width checks that plane too
expect(0, run("quantize", model, "-o", file, "--slice", "round_clamp", "--quiet"))
ends = {level["bits"]: level["end"] for level in json.loads(run("inspect", file, "--json").stdout)["levels"]}
data = bytearray(file.read_bytes())
data[ends[5] - 1] ^= 1
damaged.write_bytes(data)
np.save(tokens, np.arange(35, dtype="<u2"))
expect(1, run("eval", "--model", damaged, "--tokens", tokens, "--bits", "4"), "damaged.jack")
expect(0, run("eval", "--model", damaged, "--tokens", tokens, "--bits", "3"))
print("damaged: ok")
