# SPDX-License-Identifier: BSD-3-Clause
"""arrays.py ARRAYS FOLDER: safetensors and .npy files that numpy writes, read by the library and written again
(arrays.cpp), come back the same: every element type, rank and alignment."""
import pathlib
import subprocess
import sys

import numpy as np

import safetensors

folder = pathlib.Path(sys.argv[2])
folder.mkdir(parents=True, exist_ok=True)

h = np.arange(4096, dtype="<u4") * np.uint32(2654435761) + np.uint32(0x9E3779B9)
h = (h ^ h >> 15) * np.uint32(2246822519)
x = (((h ^ h >> 13) & 0xFFFF).astype(int) - 32768).astype("<f4") / np.float32(16384)
assert x[:4].tolist() == [-0.227966308593750, -0.173645019531250, 1.16845703125, 1.16253662109375]

bits = x.view("<u4").astype(np.uint64)
tensors = {"x.F64": x.astype("<f8"), "x.F32": x, "x.F16": x.astype("<f2"),
           "x.BF16": ((bits + 0x7FFF + (bits >> 16 & 1)) >> 16).astype("<u2").view(safetensors.TYPES["BF16"]),
           "matrix": x[:12].reshape(3, 4), "of rank 4": x[:24].reshape(2, 3, 1, 4), "scalar": x[5].reshape(()),
           "none": x[:0].reshape(7, 0, 2), "a \"name\"\n of é": x[:1]}
for dtype, name in safetensors.NAMES.items():
    tensors[name] = np.frombuffer(x.tobytes(), dtype)[:35].reshape(5, 7) if dtype != "bool" else x[:35] > 0
metadata = {"format": "np", "a \"key\"\t": "é \U0001F600"}
wide_first = dict(sorted(tensors.items(), key=lambda item: (-item[1].dtype.itemsize, item[0])))
safetensors.save(folder / "numpy.wide_first", wide_first, metadata)
# bytes first, so that no wider number stands where it would by itself
unaligned = {"odd": np.zeros(3, "u1"), **dict(reversed(wide_first.items()))}
safetensors.save(folder / "numpy.unaligned", unaligned, metadata, pad=5)
np.save(folder / "numpy.x.npy", x)
arrays = {name: tensors[name] for name in safetensors.NAMES.values() if name != "BOOL"}
for name, value in arrays.items():
    np.save(folder / f"numpy.{name}.npy", value)

run = subprocess.run([sys.argv[1], folder])
if run.returncode != 0:
    sys.exit(f"FAILED: {run.returncode}")


def same(a, b):
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


for layout in ("wide_first", "unaligned"):
    (given, said), (found, told) = (safetensors.load(folder / f"{who}.{layout}") for who in ("numpy", "ours"))
    differ = [name for name in given.keys() | found.keys() if not same(given[name], found[name])]
    if differ or said != told or found.keys() != given.keys():
        sys.exit(f"FAILED: {layout}: {differ} or the metadata differ")
for name, value in arrays.items():
    if not same(np.load(folder / f"ours.{name}.npy"), value):
        sys.exit(f"FAILED: {name}.npy")
print(f"{len(tensors)} tensors in two orders, {len(arrays)} arrays: the same again")
