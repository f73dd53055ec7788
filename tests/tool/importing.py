# SPDX-License-Identifier: BSD-3-Clause
"""importing.py JACKPLANE FOLDER: checkpoints of the GPTQ family are models like others: every command reads the numbers
that their codes mean. What is not understood or damaged is named in one line.
"""
import json
import pathlib
import random
import shutil
import sys

import numpy as np

from harness import expect, fail, folder, run, store_model

sys.path[:0] = [str(pathlib.Path(__file__).resolve().parents[1] / name) for name in ("clients", "files", "words")]
import architectures  # noqa: E402
import safetensors  # noqa: E402
import words  # noqa: E402

SHAPE = {"hidden_size": 64, "intermediate_size": 96, "num_attention_heads": 2, "num_key_value_heads": 2,
         "head_dim": 32}
CASES = {  # format: how codes are packed, what zeros are less, whether g_idx is there, bits
    "gptq": (words.stream, 1, True, 4), "gptq, in order": (words.stream, 1, False, 3),
    "gptq_v2": (words.stream, 0, True, 2), "gptq_p": (words.planes, 0, True, 6),
    "auto_round": (words.stream, 0, False, 8), "awq": (words.interleaved, 0, False, 4),
    "pack-quantized": (words.stream, 0, True, 5)}
model, plain, file, tokens = folder / "model", folder / "plain", folder / "model.jack", folder / "tokens.npy"
rng = np.random.default_rng(17)
np.save(tokens, rng.integers(0, 120, 300).astype("<u2"))
scored = ["--tokens", tokens, "--context", "100", "--json"]


def rows(of, *options):
    return json.loads(expect(0, run("eval", "--model", of, *scored, *options)).stdout)["rows"]


def quantization(kind, bits, ordered, symmetric):
    kind = kind.split(",")[0]
    if kind == "pack-quantized":
        return {"quant_method": "compressed-tensors", "format": kind, "config_groups": {"group_0": {
            "targets": ["Linear"], "weights": {"num_bits": bits, "type": "int", "symmetric": symmetric, "strategy":
                                               "group", "group_size": 32, "actorder": "group" if ordered else None}}}}
    of = {"bits": bits, "group_size": 32}
    if kind == "awq":
        return {**of, "quant_method": "awq", "version": "gemm", "zero_point": not symmetric}
    if kind == "auto_round":
        return {**of, "quant_method": "auto-round", "packing_format": kind, "sym": symmetric}
    return {**of, "quant_method": "gptq", "checkpoint_format": kind, "desc_act": ordered, "sym": symmetric}


def make(kind, config, symmetric=False):
    """A checkpoint of random codes in `model`; the numbers that they mean in `plain`. Its tensors."""
    pack, less, with_index, bits = CASES[kind]
    ordered = with_index and kind != "gptq_v2"
    weights = architectures.tensors_of(config)
    tensors = {}
    for name, value in weights.items():
        layer = name.removesuffix(".weight")
        if "_proj.weight" not in name:
            tensors[name] = value
            continue
        facts = codes, scales, zeros, index = words.layer(rng, *value.shape, 32, bits, symmetric, ordered, less)
        weights[name] = scales[:, index].astype("<f4") * (codes - zeros[:, index]).astype("<f4")
        if kind == "awq":
            parts = {"qweight": pack(codes.T, 4), "qzeros": pack(zeros.T, 4), "scales": scales.T}
        elif kind == "pack-quantized":
            parts = {"weight_packed": pack(codes, bits), "weight_scale": scales, "weight_g_idx": index,
                     "weight_zero_point": pack(zeros.T, bits).T, "weight_shape": np.array(codes.shape)}
        else:
            parts = words.gptq(pack, *facts, bits, less, with_index)
        tensors |= {f"{layer}.{part}": of for part, of in parts.items()}
    store(config, tensors, quantization_config=quantization(kind, bits, ordered, symmetric))
    store_model(plain, config, weights)
    return tensors


def store(config, tensors, **more):
    shutil.rmtree(model, ignore_errors=True)
    model.mkdir()
    (model / "config.json").write_text(json.dumps({**config, **more}))
    safetensors.save(model / "model.safetensors", tensors, {"format": "pt"})


llama = {**architectures.LLAMA, **SHAPE}
for kind in CASES:
    for family in ("llama", "phi3", "qwen2", "mixtral"):
        config = {**architectures.CASES[family], **SHAPE}
        make(kind, config)
        if rows(model) != rows(plain) and [{**row, "tokens_per_second": 0} for row in rows(model)] != [
                {**row, "tokens_per_second": 0} for row in rows(plain)]:
            fail(f"{kind}, {family}: {rows(model)} of the codes, {rows(plain)} of the numbers")

# Commands that read a model read this one; what comes of it is a file like others.
tensors = make("gptq", llama)
text = ["--calibration", tokens, "--seqlen", "32", "--nsamples", "4", "--quiet"]
for method in ([], ["--method", "gptq"], ["--method", "signround", "--iters", "2", "--widths", "4"]):
    made = []
    for source in (model, plain):
        expect(0, run("quantize", source, "-o", file, *method, *(text if method else text[-1:])))
        made.append([row["mean_nll"] for row in rows(file, "--bits", "4", "--reference", source)])
    if made[0] != made[1]:
        fail(f"{method}: {made}")
expect(0, run("sensitivity", model, "--quantized", file, "--bits", "8", "--total-only", *text))

# AutoGPTQ's older files: settings in a file of their own without a method, a bias of zeros in every layer.
was, = rows(model)
biases = {name.replace("qweight", "bias"): np.zeros(value.shape[1], "<f2") for name, value in tensors.items()
          if name.endswith("qweight")}
store(llama, {**tensors, **biases})
settings = quantization("gptq", 4, True, False)
(model / "quantize_config.json").write_text(json.dumps(
    {key: value for key, value in settings.items() if key not in ("quant_method", "checkpoint_format")}))
if rows(model)[0]["mean_nll"] != was["mean_nll"]:
    fail("a quantize_config.json beside config.json gives another model")


# What is not understood, and what is damaged.
def refused(*wanted):
    for command in (["eval", "--model", model, "--tokens", tokens], ["quantize", model, "-o", folder / "x.jack",
                                                                      "--quiet"]):
        expect(1, run(*command), *wanted)


for change, wanted in (({"quant_method": "fp8"}, "fp8"), ({"checkpoint_format": "marlin"}, "marlin"),
                       ({"bits": 9}, "9"),
                       ({"group_size": 0}, "group_size"), ({"desc_act": "no"}, "desc_act"),
                       ({"dynamic": {"+:.*": {"bits": 8}}}, "dynamic"), ({"bits": 8}, "8 bits has"),
                       ({"group_size": 16}, "model.layers.0.self_attn.q_proj.scales")):
    store(llama, tensors, quantization_config={**settings, **change})
    refused(*([wanted] if "scales" in wanted or "has" in wanted else ["config.json", "quantization_config", wanted]))
first = "model.layers.0.self_attn.q_proj"
index = tensors[first + ".g_idx"]
bad = np.full_like(tensors[first + ".scales"], np.nan)
for changed, wanted in (({first + ".scales": None}, [first + ".scales"]),
                        ({first + ".qzeros": None}, [first + ".qzeros", "symmetric codes, too"]),
                        ({first + ".qweight": None}, [first + ".weight"]),
                        ({first + ".qweight": tensors[first + ".qweight"][:4]},
                         [first + ".qweight", "64 x 64", "[4, 64]"]),
                        ({first + ".qweight": tensors[first + ".qweight"].reshape(16, 32)}, [first]),
                        ({first + ".g_idx": index + 1}, [first + ".g_idx", "group 2 of 2"]),
                        ({first + ".g_idx": index * 0}, [first + ".g_idx", "64 columns, not 32"]),
                        ({first + ".scales": bad}, [first, "scale"]),
                        ({first + ".bias": np.ones(64, "<f2")}, [first + ".bias", "no place"]),
                        ({"model.layers.7.self_attn.q_proj.qweight": index}, ["model.layers.7", "no place"])):
    store(llama, {name: value for name, value in {**tensors, **changed}.items() if value is not None},
          quantization_config=settings)
    refused("model.safetensors", *wanted)
store(llama, tensors, quantization_config=settings)
whole = {name: (model / name).read_bytes() for name in ("config.json", "model.safetensors")}
random.seed(5)
for turn in range(120):
    name = "config.json" if turn % 3 == 0 else "model.safetensors"
    data = bytearray(whole[name])
    header = len(data) if turn % 3 == 0 else 8 + int.from_bytes(data[:8], "little")
    data[random.randrange(header)] = random.choice(b'0129azAZ"[]{},:\0\xff')
    (model / name).write_bytes(data)
    done = run("eval", "--model", model, "--tokens", tokens)
    (model / name).write_bytes(whole[name])
    if done.returncode != 0:
        expect(1, done)
print("importing: ok")
