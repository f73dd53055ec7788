# SPDX-License-Identifier: BSD-3-Clause
"""A reader of nested files, written from the page on their format alone: include/jackplane/store/README.md.

    file = File("model.jack");  file.weights("model.layers.0.mlp.up_proj.weight", 4);  config, tensors = file.model(4)
"""
import json
import struct

import numpy as np

TYPES = {"U8": "u1", "U16": "<u2", "U32": "<u4", "F16": "<f2", "BF16": "<u2", "F32": "<f4"}
VALUES = {"nf4": [-1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635,
                  -0.18477343022823334, -0.09105003625154495, 0.0, 0.07958029955625534, 0.16093020141124725,
                  0.24611230194568634, 0.33791524171829224, 0.44070982933044434, 0.5626170039176941,
                  0.7229568362236023, 1.0],
          "fp4": [-6, -4, -3, -2, -1.5, -1, -0.5, 0, 0.5, 1, 1.5, 2, 3, 4, 6, 6]}

LEVELS = {3: [0, 5, 9, 13, 17, 21, 25, 30], 4: [0, 3, 5, 7, 8, 10, 11, 13, 14, 16, 17, 19, 20, 22, 24, 27]}
SHARES, STEPS = {5: 7, 6: 6, 7: 5, 8: 5}, {3: 7.75, 4: 10, 5: 1.4375, 6: 1.6875, 7: 2, 8: 2}


def overlapping(codes, bits):
    """What codes of 3 bits and more of an overlapping parent stand for; the middle of all lies at 127.5."""
    rest = max(bits - 4, 0)
    level = np.array(LEVELS[min(bits, 4)])[codes >> rest] * SHARES.get(bits, 1)
    level += (codes & (1 << rest) - 1) << 4 - rest
    last = LEVELS[min(bits, 4)][-1] * SHARES.get(bits, 1) + ((1 << rest) - 1 << 4 - rest)
    return STEPS[bits] * level + (255 - STEPS[bits] * last) / 2


def place(width, step):
    """The vector of 64 bytes, and the lowest bit in its bytes, of the field of columns 4 step to 4 step + 3."""
    half, i = divmod(step, 4)
    return {1: (0, 7 - 2 * i - half), 2: (half, 6 - 2 * i), 4: (2 * half + i % 2, 4 * (i < 2)), 8: (step, 0)}[width]


class File:
    def __init__(self, path):
        self.data = np.memmap(path, mode="r")
        (size,) = struct.unpack("<Q", self.data[:8])
        self.start, header = 8 + size, json.loads(self.data[8 : 8 + size].tobytes())
        self.metadata = header.pop("__metadata__")
        self.settings, self.tensors = json.loads(self.metadata["nested"]), header
        self.layers = self.settings["layers"]
        ends = {level["end"]: level["bits"] for level in self.settings["levels"]}
        if self.metadata["format_version"] not in ("1", "2") or len(self.data) not in ends:
            raise ValueError(f"version {self.metadata['format_version']}, {len(self.data)} bytes, not one of {ends}")
        self.bits = ends[len(self.data)]  # of the planes that are here

    def tensor(self, name):
        """As it is stored; BF16 as F32."""
        t = self.tensors[name]
        begin, end = (self.start + x for x in t["data_offsets"])
        x = self.data[begin:end].view(TYPES[t["dtype"]]).reshape(t["shape"])
        return (x.astype("<u4") << 16).view("<f4") if t["dtype"] == "BF16" else x

    def codes(self, name, bits):
        """The leading bits of all codes [rows, cols]; planes have to end there."""
        layer, codes, have = self.layers[name], 0, 0
        if bits > (layer.get("common") or self.bits):
            raise ValueError(f"{name}: {bits} bits are not in this file")
        for number, width in enumerate(layer["planes"]):
            if have == bits:
                break
            plane = self.tensor(f"{name}.plane.{number}")
            panels, blocks, _ = plane.shape
            vectors = plane.reshape(panels, blocks, width, 16, 4)  # the last two: row, column of a step
            fields = np.stack([vectors[:, :, v] >> bit & (1 << width) - 1
                               for v, bit in (place(width, step) for step in range(8))], 3)
            codes = codes << width | fields.transpose(0, 2, 1, 3, 4).reshape(16 * panels, 32 * blocks).astype(int)
            have += width
        if have != bits:
            raise ValueError(f"{name}: planes of {layer['planes']} bits give no {bits}")
        return codes[: layer["rows"], : layer["cols"]]

    def weights(self, name, bits):
        """A matrix [rows, cols] in float, as it is read at a width: w = scale * (value - zero)."""
        layer = self.layers[name]
        dropped, rounds = layer["bits"] - bits, self.settings["slice"] != "truncate_centred"
        if layer["codebook"] == "overlapping" and rounds and dropped > 0:
            raise ValueError(f"{name}: codes that overlap have no slice that rounds")
        codes = self.codes(name, bits + (rounds and dropped > 0))
        own = f".{bits}" if bits in layer["own"] else ""
        parts = [self.tensor(f"{name}.{what}{own}") for what in ("scale", "zero")[: 1 + (layer["zero"] != "none")]]
        parts = [x.swapaxes(1, 2).reshape(-1, x.shape[1])[: layer["rows"]].astype("<f4") for x in parts]
        if layer["codebook"] == "row_table":
            w = np.take_along_axis(parts[0], codes, 1)
        else:
            if layer["codebook"] == "overlapping" and bits > 2:
                values = overlapping(codes, bits)
            elif layer["codebook"] not in ("uniform", "overlapping"):
                values = np.array(VALUES[layer["codebook"]])[codes]
            elif rounds and dropped > 0:
                codes = codes + 1 >> 1
                codes = np.minimum(codes, 2**bits - 1) if self.settings["slice"] == "round_clamp" else codes
                values = codes << dropped
            else:
                values = codes * 2**dropped + (2**dropped - 1) / 2
            scale, *zero = (x[:, np.arange(layer["cols"]) // layer["group"]] for x in parts)
            centre = 0 if layer["codebook"] in VALUES else 2 ** (layer["bits"] - 1)
            zero = zero[0] if zero else np.float32(centre)
            values = values.astype("<f4")
            w = scale * values + zero if layer["zero"].startswith("offset") else scale * (values - zero)
        if "sparse" in layer:
            rows = np.repeat(np.arange(layer["rows"]), np.diff(self.tensor(f"{name}.sparse.row").astype(int)))
            w[rows, self.tensor(f"{name}.sparse.column")] = self.tensor(f"{name}.sparse.value")
        return w

    def model(self, bits, head_bits=8):
        """The config.json and the tensors of a language model, common layers at a width of their own."""
        parts = tuple(f"{layer}." for layer in self.layers) + ("__pad__.",)
        tensors = {name: self.tensor(name) for name in self.tensors if not name.startswith(parts)}
        config = json.loads(tensors.pop("config.json").tobytes())
        for name, layer in self.layers.items():
            tensors[name] = self.weights(name, head_bits if "common" in layer else bits)
        return config, tensors
