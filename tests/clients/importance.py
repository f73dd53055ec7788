# SPDX-License-Identifier: BSD-3-Clause
"""The importance matrix of a model, in numpy: of each input of each matrix the sum of its squares over the tokens of a
calibration text, as llama.cpp's quantizer takes it."""
import numpy as np

import architectures
import gguf
import reference


class Recorder(reference.Model):
    """A model that adds up the squares of what goes into its matrices."""

    def __init__(self, config, tensors):
        super().__init__(config, tensors)
        self.sums, self.tokens = {}, 0

    def linear(self, x, name):
        self.sums[name + ".weight"] = self.sums.get(name + ".weight", 0) + (x * x).sum(0)
        return super().linear(x, name)


def sums_of(c, tensors, windows):
    """By the name of the matrix in a GGUF file, and the number of tokens."""
    model = Recorder(c, tensors)
    for window in windows:
        model.logits(window)
    named = {name: architectures.gguf_name(c, name) for name in model.sums}
    return {named[name]: value for name, value in model.sums.items()}, sum(map(len, windows))


def write(path, sums, tokens, dataset, window):
    """As a GGUF file."""
    out = {}
    for name, value in sums.items():
        out[f"{name}.in_sum2"] = value[None]
        out[f"{name}.counts"] = np.full((1, 1), tokens)
    gguf.write(path, {"general.type": "imatrix", "imatrix.datasets": [dataset],
                      "imatrix.chunk_count": tokens // window, "imatrix.chunk_size": window}, out)
