# SPDX-License-Identifier: BSD-3-Clause
"""words.py READER FOLDER: random layers in the words of the GPTQ family, packed here bit by bit.

READER decodes them and writes them again: every weight must be equal, and every tensor the same bytes.
"""
import json
import pathlib
import subprocess
import sys

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "files"))
import safetensors


def words_of(bits):
    """[lines, bits of a line], lowest first -> int32 [lines, words]"""
    padded = np.pad(bits, ((0, 0), (0, -bits.shape[1] % 32))).astype(np.uint64)
    words = padded.reshape(len(bits), -1, 32) << np.arange(32, dtype=np.uint64)
    return words.sum(2).astype(np.uint32).view(np.int32)


def stream(codes, width):
    """Codes [lines, n], one behind the other."""
    return words_of((codes[..., None] >> np.arange(width) & 1).reshape(len(codes), -1))


def planes(codes, width):
    """Each 32 codes: a plane of their lowest bits, as many as the largest power of two in the width, and so on."""
    blocks, up = [], 0
    for plane in (8, 4, 2, 1):
        if width & plane:
            part = codes.reshape(len(codes), -1, 32) >> up & (2 ** plane - 1)
            blocks.append((part[..., None] >> np.arange(plane) & 1).reshape(*part.shape[:2], -1))
            up += plane
    return words_of(np.concatenate(blocks, 2).reshape(len(codes), -1))


def interleaved(codes, width):
    """Eight codes of 4 bits: 0 2 4 6 1 3 5 7 from the lowest nibble up."""
    assert width == 4
    return stream(codes.reshape(len(codes), -1, 8)[..., [0, 2, 4, 6, 1, 3, 5, 7]].reshape(len(codes), -1), 4)


def layer(rng, rows, cols, group, bits, symmetric, ordered, least=0, scale="float16"):
    """Codes [rows, cols] in the file's order of columns, scales and zeros [rows, groups], the group of each column."""
    groups = -(-cols // group)
    codes = rng.integers(0, 2 ** bits, (rows, cols))
    scales = (rng.normal(size=(rows, groups)) * .01).astype(scale)
    zeros = rng.integers(least, 2 ** bits, (rows, groups))
    if symmetric:
        zeros[:] = 2 ** (bits - 1)
    index = np.arange(cols) // group
    if ordered:
        rng.shuffle(index)
    return codes, scales, zeros, index.astype(np.int32)


def expected(codes, scales, zeros, index, ordered):
    """The weights, columns of a group side by side, and where each column was."""
    w = scales[:, index].astype(np.float32) * (codes - zeros[:, index]).astype(np.float32)
    order = np.argsort(index, kind="stable").astype(np.int32)
    moved = ordered and not np.array_equal(order, np.arange(len(order)))
    return w[:, order], order if moved else np.zeros(0, np.int32)


def gptq(pack, codes, scales, zeros, index, bits, less, with_index):
    tensors = {"qweight": pack(codes, bits).T, "qzeros": pack((zeros.T - less) % 2 ** bits, bits), "scales": scales.T}
    return {**tensors, "g_idx": index} if with_index else tensors


def main(reader, folder):
    rng = np.random.default_rng(21)
    folder.mkdir(parents=True, exist_ok=True)
    tensors, configs, weights = {}, {}, 0

    def add(config, parts, facts, ordered):
        nonlocal weights
        name = f"layers.{len(configs)}"
        configs[name] = json.dumps(config)
        for part, value in parts.items():
            tensors[f"{name}.{part}"] = value
        w, tensors[f"{name}.order"] = expected(*facts, ordered)
        tensors[f"{name}.expected"] = w
        weights += w.size

    for method, pack, less, widths in (("gptq", stream, 1, (2, 3, 4, 8)), ("gptq_v2", stream, 0, (2, 3, 4, 8)),
                                       ("gptq_p", planes, 0, range(2, 9)), ("auto_round", stream, 0, (2, 3, 4, 8)),
                                       ("auto_round:auto_gptq", stream, 1, (2, 4))):
        for bits in widths:
            for rows, cols, group, symmetric in ((32, 64, 32, True), (160, 224, 48, False), (64, 256, 256, False)):
                for ordered in (False, True):
                    native = method.startswith("auto")
                    if ordered and native:
                        continue
                    facts = layer(rng, rows, cols, group, bits, symmetric, ordered, less)
                    config = {"bits": bits, "group_size": -1 if group == cols else group, "sym": symmetric}
                    config |= ({"quant_method": "auto-round", "packing_format": method} if native else
                               {"quant_method": "gptq", "checkpoint_format": method, "desc_act": ordered})
                    add(config, gptq(pack, *facts, bits, less, method != "auto_round"), facts, ordered)
    for rows, cols, group, symmetric in ((8, 32, 32, True), (168, 231, 33, False), (64, 256, 256, False)):
        facts = codes, scales, zeros, _ = layer(rng, rows, cols, group, 4, symmetric, False)
        parts = {"qweight": interleaved(codes.T, 4), "qzeros": interleaved(zeros.T, 4), "scales": scales.T}
        add({"quant_method": "awq", "bits": 4, "group_size": -1 if group == cols else group, "version": "gemm",
             "zero_point": not symmetric}, parts, facts, False)
    for bits in range(1, 9):
        for rows, cols, group, symmetric, scale in ((7, 32, 32, True, "float16"), (165, 231, 33, False, "float32"),
                                                    (63, 127, 127, False, "float16")):
            for ordered in (False, True):
                facts = codes, scales, zeros, index = layer(rng, rows, cols, group, bits, symmetric, ordered, 0, scale)
                parts = {"weight_packed": stream(codes, bits), "weight_scale": scales,
                         "weight_shape": np.array(codes.shape)}
                if not symmetric:
                    parts["weight_zero_point"] = stream(zeros.T, bits).T
                if ordered and group != cols:
                    parts["weight_g_idx"] = index
                add({"quant_method": "compressed-tensors", "format": "pack-quantized", "config_groups": {"group_0": {
                    "targets": ["Linear"], "weights": {
                        "num_bits": bits, "type": "int", "symmetric": symmetric,
                        "strategy": "channel" if group == cols else "group", "group_size": group,
                        "actorder": "group" if ordered else None}}}}, parts, facts, ordered)

    safetensors.save(folder / "packed.safetensors", tensors, configs)
    run = subprocess.run([reader, folder / "packed.safetensors", folder / "again.safetensors"], text=True,
                         stdout=subprocess.PIPE)
    if run.returncode != 0:
        sys.exit(f"{run.stdout}FAILED: {run.returncode}")
    again, _ = safetensors.load(folder / "again.safetensors")
    given = {name: value for name, value in tensors.items() if not name.endswith((".order", ".expected"))}
    differ = sorted(name for name in given.keys() | again.keys() if name not in given or name not in again or
                    given[name].tobytes() != again[name].tobytes() or given[name].shape != again[name].shape)
    if differ:
        sys.exit(f"FAILED: not the same bytes: {differ[:10]} of {len(differ)}")
    print(f"{len(configs)} layers, {weights} weights: all equal, {len(given)} tensors the same again")


if __name__ == "__main__":
    main(sys.argv[1], pathlib.Path(sys.argv[2]))
