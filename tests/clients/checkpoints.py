# SPDX-License-Identifier: BSD-3-Clause
"""Folders with config.json and model.safetensors, as Hugging Face lays them out."""
import json
import pathlib
import shutil
import sys

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "files"))
import safetensors  # noqa: E402


def store(path, c, tensors):
    path.mkdir(exist_ok=True)
    (path / "config.json").write_text(json.dumps(c))
    safetensors.save(path / "model.safetensors", tensors)


def load(path):
    """config.json and the tensors."""
    tensors, _ = safetensors.load(path / "model.safetensors")
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
