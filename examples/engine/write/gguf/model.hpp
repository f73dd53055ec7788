// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <jackplane/store/gguf/metadata.hpp>
#include <jackplane/store/write.hpp>
#include "../../read/gguf/block_matrix.hpp"
#include "../../read/source.hpp"
#include <filesystem>
#include <span>

namespace engine
{
    // Writes a model as a GGUF file that llama.cpp runs: what its configuration says, its tokenizer and its weights,
    // tensor by tensor. matrices[i] stands for parameter i of source.table(): those of layers, an untied lm_head, the
    // embedding. Where there is none (empty, or beyond the span) the weights are written dense: in half where that
    // holds them, else in BF16 or F32 (pack/format/storage.hpp); vectors and routers always in F32. `more`: further
    // metadata, as general.name, or other values under the same keys. A tokenizer that comes from a GGUF file stays as
    // it is. Commits.
    // Throws format_error for a model that such a file cannot hold: a rotation, windows, experts or a tokenizer that
    // llama.cpp has no words for, parts of one tensor in several types; shape_error for matrices of other shapes.
    void save_gguf(model_source const& source, std::span<block_matrix const> matrices,
                   jackplane::gguf::metadata const& more, jackplane::atomic_file& out);
    void save_gguf(model_source const& source, std::span<block_matrix const> matrices,
                   jackplane::gguf::metadata const& more, std::filesystem::path const& out);

    // Throws what save_gguf() would say of a model whose matrices are all in blocks, before any is made.
    void expect_gguf(model_source const& source);
}
