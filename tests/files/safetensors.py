# SPDX-License-Identifier: BSD-3-Clause
"""safetensors with numpy: save, and a strict load. A tensor in bfloat16 is a `bfloat16` array: <u2 under a name."""
import json
import struct

import numpy as np

NAMES = {"bool": "BOOL", "int8": "I8", "uint8": "U8", "int16": "I16", "uint16": "U16", "int32": "I32", "uint32": "U32",
         "int64": "I64", "uint64": "U64", "float16": "F16", "float32": "F32", "float64": "F64"}
TYPES = {name: np.dtype(dtype) for dtype, name in NAMES.items()} | {"BF16": np.dtype([("bfloat16", "<u2")])}


def dtype_name(value):
    return "BF16" if value.dtype == TYPES["BF16"] else NAMES[str(value.dtype)]


def save(path, tensors, metadata={}, pad=0):
    """In the order given; `pad` spaces end the header."""
    header, data = {"__metadata__": metadata} if metadata else {}, b""
    for name, value in tensors.items():
        raw = np.ascontiguousarray(value).tobytes()
        header[name] = {"dtype": dtype_name(value), "shape": list(value.shape),
                        "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode() + b" " * pad
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def load(path):
    """Tensors and metadata; every byte belongs to one tensor."""
    raw = path.read_bytes()
    start = 8 + struct.unpack("<Q", raw[:8])[0]
    header = json.loads(raw[8:start])
    assert raw[8:9] == b"{" and all(type(value) is str for value in header.get("__metadata__", {}).values()), path
    metadata, at, tensors = header.pop("__metadata__", {}), 0, {}
    for name, t in sorted(header.items(), key=lambda item: item[1]["data_offsets"]):
        begin, end = t["data_offsets"]
        assert begin == at and set(t) == {"dtype", "shape", "data_offsets"}, (path, name, t)
        tensors[name], at = np.frombuffer(raw[start + begin : start + end], TYPES[t["dtype"]]).reshape(t["shape"]), end
    assert start + at == len(raw), (path, start + at, len(raw))
    return tensors, metadata
