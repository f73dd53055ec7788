# SPDX-License-Identifier: BSD-3-Clause
"""A GGUF v3 file of F32 tensors, and a SentencePiece model as its metadata: what llama.cpp needs to load a model. And
which types a file holds."""
import math
import pathlib
import struct

import numpy as np

ALIGNMENT = 32
U32, I32, F32, BOOL, STRING, ARRAY = 4, 5, 6, 7, 8, 9
SIZES = {0: 1, 1: 1, 2: 2, 3: 2, U32: 4, I32: 4, F32: 4, BOOL: 1, 10: 8, 11: 8, 12: 8}  # bytes of plain values
# Name, values and bytes of a block of each type of tensor.
TYPES = {0: ("f32", 1, 4), 1: ("f16", 1, 2), 2: ("q4_0", 32, 18), 3: ("q4_1", 32, 20), 6: ("q5_0", 32, 22),
         7: ("q5_1", 32, 24), 8: ("q8_0", 32, 34), 10: ("q2_k", 256, 84), 11: ("q3_k", 256, 110),
         12: ("q4_k", 256, 144), 13: ("q5_k", 256, 176), 14: ("q6_k", 256, 210), 16: ("iq2_xxs", 256, 66),
         17: ("iq2_xs", 256, 74), 18: ("iq3_xxs", 256, 98), 20: ("iq4_nl", 32, 18), 21: ("iq3_s", 256, 110),
         22: ("iq2_s", 256, 82), 23: ("iq4_xs", 256, 136), 30: ("bf16", 1, 2)}


def text(value):
    data = value.encode()
    return struct.pack("<Q", len(data)) + data


def kind_of(value):
    return {bool: BOOL, int: U32, float: F32, str: STRING, list: ARRAY}[type(value)]


def plain(kind, value):
    if kind == STRING:
        return text(value)
    return struct.pack({U32: "<I", I32: "<i", F32: "<f", BOOL: "<?"}[kind], value)


def typed(value):
    """A value after its type; a list is an array whose integers are signed."""
    kind = kind_of(value)
    if kind != ARRAY:
        return struct.pack("<I", kind) + plain(kind, value)
    of = kind_of(value[0])
    of = I32 if of == U32 else of
    return struct.pack("<IIQ", ARRAY, of, len(value)) + b"".join(plain(of, v) for v in value)


def padded(data):
    return data + bytes(-len(data) % ALIGNMENT)


def write(path, metadata, tensors):
    """metadata: str, int, float, bool or lists of them by key; tensors: arrays by name, rows first as in numpy."""
    out = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(metadata))
    out += b"".join(text(key) + typed(value) for key, value in metadata.items())
    at, blocks = 0, []
    for name, value in tensors.items():
        blocks.append(padded(np.ascontiguousarray(value, "<f4").tobytes()))
        out += text(name) + struct.pack("<I", value.ndim) + struct.pack(f"<{value.ndim}Q", *value.shape[::-1])
        out += struct.pack("<IQ", 0, at)
        at += len(blocks[-1])
    with open(path, "wb") as file:
        file.write(padded(out))
        file.writelines(blocks)


def taken(file, form):
    values = struct.unpack("<" + form, file.read(struct.calcsize("<" + form)))
    return values[0] if len(values) == 1 else values


def skip(file, kind):
    """Past a value of the metadata."""
    if kind == STRING:
        file.seek(taken(file, "Q"), 1)
    elif kind == ARRAY:
        of, count = taken(file, "IQ")
        if of != STRING:
            file.seek(count * SIZES[of], 1)
        for _ in range(count if of == STRING else 0):
            skip(file, of)
    else:
        file.seek(SIZES[kind], 1)


def table(path):
    """Type, shape (rows first) and bytes of the tensors of a file by name."""
    out = {}
    with open(path, "rb") as file:
        _, _, tensors, pairs = taken(file, "4sIQQ")
        for _ in range(pairs):
            skip(file, STRING)
            skip(file, taken(file, "I"))
        for _ in range(tensors):
            name = file.read(taken(file, "Q")).decode()
            shape = [taken(file, "Q") for _ in range(taken(file, "I"))][::-1]
            kind, _ = taken(file, "IQ")
            of, values, size = TYPES[kind]
            out[name] = of, shape, math.prod(shape) // values * size
    return out


def data_of(path):
    """The bytes of the tensors of a file by name."""
    sizes, out, end = table(path), {}, pathlib.Path(path).stat().st_size
    with open(path, "rb") as file:
        for name, (_, _, size) in reversed(sizes.items()):  # each is padded, the last one, too
            end -= size + -size % ALIGNMENT
            file.seek(end)
            out[name] = file.read(size)
    return out


def layers_of(path):
    """How many matrices of the layers are of each type, and the bits of one of their weights."""
    types, size, weights = {}, 0, 0
    for name, (kind, shape, bytes_) in table(path).items():
        if name.startswith("blk.") and len(shape) == 2:
            types[kind] = types.get(kind, 0) + 1
            size, weights = size + bytes_, weights + math.prod(shape)
    return types, 8 * size / weights


def varint(data, at):
    value = shift = 0
    while True:
        value, shift, at = value | (data[at] & 127) << shift, shift + 7, at + 1
        if data[at - 1] < 128:
            return value, at


def fields(data):
    """Number and value of each field of a protocol buffer."""
    at = 0
    while at < len(data):
        key, at = varint(data, at)
        if key & 7 == 0:
            value, at = varint(data, at)
        else:
            size, at = varint(data, at) if key & 7 == 2 else ({1: 8, 5: 4}[key & 7], at)
            value, at = data[at : at + size], at + size
        yield key >> 3, value


def vocabulary(path):
    """The metadata of a SentencePiece BPE model that adds no prefix and no BOS."""
    pieces = [dict(fields(value)) for number, value in fields(path.read_bytes()) if number == 1]
    return {"tokenizer.ggml.model": "llama", "tokenizer.ggml.tokens": [piece[1].decode() for piece in pieces],
            "tokenizer.ggml.scores": [struct.unpack("<f", piece[2])[0] for piece in pieces],
            "tokenizer.ggml.token_type": [piece.get(3, 1) for piece in pieces],
            "tokenizer.ggml.add_space_prefix": False, "tokenizer.ggml.add_bos_token": False,
            "tokenizer.ggml.unknown_token_id": 0}
