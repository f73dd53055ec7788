// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <jackplane/store/gguf/file.hpp>
#include "../../describe/gguf/config.hpp"
#include "../checkpoint_files.hpp"
#include "../stored_codes.hpp"
#include "../table.hpp"
#include "block_matrix.hpp"
#include <cstddef>
#include <span>
#include <string>

namespace engine
{
    // The tensors of a GGUF file by Hugging Face's names of a model's parameters; describe/gguf/layout.hpp says in what
    // they differ.
    class gguf_tensors
    {
    public:
        gguf_tensors(jackplane::gguf::file const& file, config c);

        // Every parameter of the table is there, in its shape, and no other tensor that matters. Throws format_error,
        // shape_error.
        void check(parameter_table const& table) const;

        jackplane::gguf::type_facts const& type(parameter const& p) const { return find(p).tensor->type; }
        // w: p.size() values, all finite. Throws value_error, format_error.
        void read(parameter const& p, std::span<float> w) const;
        // The same as the blocks that the file holds, rows as here.
        block_matrix blocks(parameter const& p) const;
        // Of those the codes, where a block has one scale and a whole zero. Throws format_error for other types,
        // value_error for a scale that is not finite.
        stored_codes codes(parameter const& p) const;

    private:
        struct place
        {
            jackplane::gguf::tensor const* tensor;
            std::size_t first; // elements before the parameter
        };
        place find(parameter const& p) const;
        void expect_shape(jackplane::gguf::tensor const& t, safetensors::extents const& shape) const;
        // Parts the rotary pairs of rows that have them side by side; width: of a row.
        template <class T>
        void part_pairs(parameter const& p, std::span<T> w, std::size_t width) const;

        jackplane::gguf::file const& _file;
        config _config;
        bool _side_by_side;
    };
}
