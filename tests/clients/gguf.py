# SPDX-License-Identifier: BSD-3-Clause
"""A GGUF v3 file of F32 tensors, and a SentencePiece model as its metadata: what llama.cpp needs to load a model."""
import struct

import numpy as np

ALIGNMENT = 32
U32, I32, F32, BOOL, STRING, ARRAY = 4, 5, 6, 7, 8, 9


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
