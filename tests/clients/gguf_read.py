# SPDX-License-Identifier: BSD-3-Clause
"""What a GGUF v3 file says and holds."""
import math
import struct

import numpy as np

from gguf import ARRAY, BOOL, F32, I32, STRING, U32, padded

PLAIN = {0: "B", 1: "b", 2: "H", 3: "h", U32: "I", I32: "i", F32: "f", BOOL: "?", 10: "Q", 11: "q", 12: "d"}
DENSE = {0: "<f4", 1: "<f2", 30: "<u2"}  # numbers of F32, F16 and BF16, the last as the upper half of an F32
# Name, values and bytes of a block of each type of tensor.
TYPES = {0: ("f32", 1, 4), 1: ("f16", 1, 2), 2: ("q4_0", 32, 18), 3: ("q4_1", 32, 20), 6: ("q5_0", 32, 22),
         7: ("q5_1", 32, 24), 8: ("q8_0", 32, 34), 10: ("q2_k", 256, 84), 11: ("q3_k", 256, 110),
         12: ("q4_k", 256, 144), 13: ("q5_k", 256, 176), 14: ("q6_k", 256, 210), 16: ("iq2_xxs", 256, 66),
         17: ("iq2_xs", 256, 74), 18: ("iq3_xxs", 256, 98), 20: ("iq4_nl", 32, 18), 21: ("iq3_s", 256, 110),
         22: ("iq2_s", 256, 82), 23: ("iq4_xs", 256, 136), 30: ("bf16", 1, 2)}


class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def plain(self, code):
        value, = struct.unpack_from("<" + code, self.data, self.at)
        self.at += struct.calcsize(code)
        return value

    def text(self):
        size = self.plain("Q")
        self.at += size
        return self.data[self.at - size : self.at].decode()

    def value(self, kind):
        if kind == STRING:
            return self.text()
        if kind == ARRAY:
            of, count = self.plain("I"), self.plain("Q")
            return [self.value(of) for _ in range(count)]
        return self.plain(PLAIN[kind])


def opened(path):
    """Metadata; name, shape (rows first), type and place of each tensor; the bytes."""
    r = Reader(path.read_bytes())
    assert r.data[:8] == b"GGUF\3\0\0\0"
    r.at = 8
    tensors, keys = r.plain("Q"), r.plain("Q")
    metadata = {r.text(): r.value(r.plain("I")) for _ in range(keys)}
    found = [(r.text(), [r.plain("Q") for _ in range(r.plain("I"))][::-1], r.plain("I"), r.plain("Q"))
             for _ in range(tensors)]
    start = len(padded(r.data[: r.at]))
    return metadata, [(*tensor, start + offset) for *tensor, offset in found], r.data


def read(path):
    """Metadata, and tensors in fp32 by name; of types that are not dense the number."""
    metadata, tensors, data = opened(path)
    out = {}
    for name, shape, kind, place in tensors:
        if kind not in DENSE:
            out[name] = kind
            continue
        values = np.frombuffer(data, DENSE[kind], math.prod(shape), place).reshape(shape)
        out[name] = (values.astype("<u4") << 16).view("<f4") if kind == 30 else values.astype("<f4")
    return metadata, out


def table(path):
    """Type, shape and bytes of the tensors by name."""
    out = {}
    for name, shape, kind, _ in opened(path)[1]:
        of, values, size = TYPES[kind]
        out[name] = of, shape, math.prod(shape) // values * size
    return out


def data_of(path):
    """The bytes of the tensors by name."""
    _, tensors, data = opened(path)
    sizes = table(path)
    return {name: data[place : place + sizes[name][2]] for name, _, _, place in tensors}


def layers_of(path):
    """How many matrices of the layers are of each type, and the bits of one of their weights."""
    types, size, weights = {}, 0, 0
    for name, (kind, shape, bytes_) in table(path).items():
        if name.startswith("blk.") and len(shape) == 2:
            types[kind] = types.get(kind, 0) + 1
            size, weights = size + bytes_, weights + math.prod(shape)
    return types, 8 * size / weights
