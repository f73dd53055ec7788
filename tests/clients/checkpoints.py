# SPDX-License-Identifier: BSD-3-Clause
"""Folders with config.json and model.safetensors, as Hugging Face lays them out."""
import json
import shutil
import struct

import numpy as np

DTYPES = {"F32": np.dtype("<f4"), "F16": np.dtype("<f2")}


def store(path, c, tensors):
    path.mkdir(exist_ok=True)
    header, data = {}, b""
    for name, value in tensors.items():
        dtype = next(key for key, of in DTYPES.items() if of == value.dtype)
        header[name] = {"dtype": dtype, "shape": value.shape, "data_offsets": [len(data), len(data) + value.nbytes]}
        data += value.tobytes()
    text = json.dumps(header).encode()
    (path / "config.json").write_text(json.dumps(c))
    (path / "model.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + data)


def load(path):
    """config.json and the tensors."""
    data = (path / "model.safetensors").read_bytes()
    size, = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + size])
    header.pop("__metadata__", None)
    tensors = {name: np.frombuffer(data[8 + size :][slice(*about["data_offsets"])],
                                   DTYPES[about["dtype"]]).reshape(about["shape"])
               for name, about in header.items()}
    return json.loads((path / "config.json").read_text()), tensors


def pad(source, target, intermediate):
    """The same function with more neurons between gate, up and down, whose weights are all zero."""
    c, tensors = load(source)
    more = intermediate - c["intermediate_size"]
    grown = {"gate_proj": ((0, more), (0, 0)), "up_proj": ((0, more), (0, 0)), "down_proj": ((0, 0), (0, more))}
    store(target, {**c, "intermediate_size": intermediate},
          {name: np.pad(value, grown[part]) if (part := name.split(".")[-2]) in grown else value
           for name, value in tensors.items()})
    for name in ("tokenizer.model", "tokenizer_config.json"):
        shutil.copyfile(source / name, target / name)
