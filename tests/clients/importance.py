# SPDX-License-Identifier: BSD-3-Clause
"""The importance matrix of a model, in numpy: of each input of each matrix the sum of its squares over the tokens of a
calibration text, as llama.cpp's quantizer takes it."""
import numpy as np

import architectures
import gguf
import reference


class Recorder(reference.Model):
    """A model that adds up the squares of what its linear layers read, of an expert over its tokens alone, by the names
    of a GGUF file; with_head: and of what makes the logits."""

    def __init__(self, config, tensors, with_head=False):
        super().__init__(config, tensors)
        self.with_head, self.squares, self.counts = with_head, {}, {}  # of each name, by the number of the expert or 0

    def add(self, name, x, expert=0):
        for of, value in ((self.squares, (x * x).sum(0)), (self.counts, len(x))):
            parts = of.setdefault(name, {})
            parts[expert] = parts.get(expert, 0) + value

    def linear(self, x, name):
        y = super().linear(x, name)
        stem = name.split(".", 3)[3]
        if stem.endswith("mlp.gate") or stem.endswith("block_sparse_moe.gate"):  # the router
            self.chosen = y >= np.sort(y, -1)[:, -self.c["num_experts_per_tok"], None]
        elif ".experts." in name:
            number, matrix = int(stem.split(".")[2]), stem.split(".")[3]
            part, = (part for part, of in reference.EXPERT[self.c["model_type"]].items() if of == matrix)
            self.add(f"blk.{name.split('.')[2]}.ffn_{part}_exps.weight", x[self.chosen[:, number]], number)
        else:
            self.add(architectures.gguf_name(self.c, f"{name}.weight"), x)
        return y

    def norm(self, x, name):
        y = super().norm(x, name)
        if self.with_head and name == "model.norm":
            self.add("output.weight" if "lm_head.weight" in self.t else "token_embd.weight", y)
        return y


def sums_of(c, tensors, windows):
    """By the name of the matrix in a GGUF file, and the number of tokens; of a model without experts, but its head."""
    model = Recorder(c, tensors)
    for window in windows:
        model.logits(window)
    return {name: parts[0] for name, parts in model.squares.items()}, sum(map(len, windows))


def write(path, sums, tokens, dataset, window):
    """As a GGUF file."""
    out = {}
    for name, value in sums.items():
        out[f"{name}.in_sum2"] = value[None]
        out[f"{name}.counts"] = np.full((1, 1), tokens)
    gguf.write(path, {"general.type": "imatrix", "imatrix.datasets": [dataset],
                      "imatrix.chunk_count": tokens // window, "imatrix.chunk_size": window}, out)
