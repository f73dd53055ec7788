# SPDX-License-Identifier: BSD-3-Clause
"""What a GGUF v3 file says and holds."""
import struct

import numpy as np

from gguf import ARRAY, BOOL, F32, I32, STRING, U32, padded

PLAIN = {0: "B", 1: "b", 2: "H", 3: "h", U32: "I", I32: "i", F32: "f", BOOL: "?", 10: "Q", 11: "q", 12: "d"}
DENSE = {0: "<f4", 1: "<f2", 30: "<u2"}  # numbers of F32, F16 and BF16, the last as the upper half of an F32


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


def read(path):
    """Metadata, and tensors in fp32 by name, rows first; of types that are not dense the number."""
    r = Reader(path.read_bytes())
    assert r.data[:8] == b"GGUF\3\0\0\0"
    r.at = 8
    tensors, keys = r.plain("Q"), r.plain("Q")
    metadata = {r.text(): r.value(r.plain("I")) for _ in range(keys)}
    found = [(r.text(), [r.plain("Q") for _ in range(r.plain("I"))][::-1], r.plain("I"), r.plain("Q"))
             for _ in range(tensors)]
    start, out = len(padded(r.data[: r.at])), {}
    for name, shape, kind, offset in found:
        if kind not in DENSE:
            out[name] = kind
            continue
        values = np.frombuffer(r.data, DENSE[kind], int(np.prod(shape)), start + offset).reshape(shape)
        out[name] = (values.astype("<u4") << 16).view("<f4") if kind == 30 else values.astype("<f4")
    return metadata, out
