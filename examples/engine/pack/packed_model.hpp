// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <jackplane/pack/any_packed.hpp>
#include "any_csr.hpp"
#include "../read/model.hpp"
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace engine
{
    // What a code means at fewer bits than its file holds; chosen when the file is made.
    using slice_rule = std::variant<jackplane::truncate_centred, jackplane::round_clamp, jackplane::extra_precision>;

    char const* slice_name(slice_rule const& rule);
    // Throws value_error with the names there are.
    slice_rule slice_of(std::string_view name);

    // The planes that a matrix is read from at `bits` by that rule, and at which width they hold that.
    jackplane::any_packed sliced(jackplane::any_packed const& m, slice_rule const& slice, unsigned bits,
                                 unsigned& width);
    // w^ of one matrix, read at `bits` by that rule -> out. Throws width_error, shape_error.
    void dequantize(jackplane::any_packed const& m, slice_rule const& slice, unsigned bits,
                    jackplane::matrix_view<float> out);

    // A quantized model: packed linear weights, a few of them in a sparse part, everything else dense. The output head
    // (a tied embedding, or lm_head) is dense or packed, and read at a width of its own.
    struct packed_model
    {
        // In planes, or (a head that is not quantized) dense.
        struct matrix
        {
            jackplane::any_packed packed;
            bool is_packed = false;
            jackplane::aligned_vector<float> dense; // [rows, cols] when not packed
            any_csr sparse;                         // weights that replace what the planes give, at every width
        };

        config sizes;
        parameter_table table;
        std::vector<matrix> matrices; // the tuned parameters, as the table has them; then a tied embedding, if packed
        jackplane::aligned_vector<float> rest; // what the table has behind them: an embedding, norms, biases
        std::string tokenizer;                 // bytes of tokenizer.model or .json; may be empty
        std::string tokenizer_settings;        // bytes of tokenizer_config.json; may be empty
        slice_rule slice;
        bool head_is_layer = false; // an older file holds the head among the layers: it goes with their width

        explicit packed_model(config const& c) : sizes(c), table(c), matrices(table.tuned_parameters()) {}

        // The parameter whose product gives the logits: the embedding where they are tied, else lm_head.
        std::size_t head() const noexcept { return table.tuned_parameters() - (sizes.tied ? 0 : 1); }
        bool head_is_packed() const noexcept { return head() < matrices.size() && matrices[head()].is_packed; }

        // The widths that every packed matrix of the layers offers, narrowest first; those of a packed head.
        std::vector<unsigned> widths() const;
        std::vector<unsigned> widths_of_head() const;
        unsigned widest_head() const { return head_is_packed() ? widths_of_head().back() : 0; }
        // The width of the head where none is asked for, beside layers of so many bits; 0: dense.
        unsigned head_beside(unsigned bits) const { return head_is_layer ? bits : widest_head(); }

        // Throws width_error that lists the widths there are; `name` of the file.
        void expect_width(unsigned bits, std::string const& name) const;
        // Of the head; value_error where it is dense.
        void expect_width_of_head(unsigned bits, std::string const& name) const;

        // The same model, repacked at these widths where its slice rounds, so that no prefix of its planes gives them;
        // and the widths to read it at.
        std::pair<packed_model, std::vector<unsigned>> sliced(std::vector<unsigned> bits_of_matrices) const;
        // The same model with the head of another one, dense.
        packed_model with_head_of(model const& dense) const;
        // That model with this one's packed head, decoded.
        model with_head_in(model const& dense, unsigned bits) const;

        // Leading bits of an 8-bit parent that decide what its slice makes of it at `bits`.
        unsigned bits_read(unsigned bits) const
        {
            return std::visit([&](auto const& rule) { return rule.bits_read(8, bits); }, slice);
        }

        // Of a parameter that is not packed.
        jackplane::matrix_view<float const> dense_values(std::size_t parameter) const;

        // Dense, with every packed matrix decoded at `bits`, the head at head_beside(bits). Throws width_error.
        model decode(unsigned bits) const { return decode(mix(bits)); }

        // A width for each matrix (Mix'n'Match): from one for each decoder layer, and one for the head. Throws
        // shape_error.
        std::vector<unsigned> mix(std::span<unsigned const> bits_of_layers, unsigned bits_of_head) const;
        std::vector<unsigned> mix(unsigned bits, unsigned bits_of_head) const
        {
            return mix(std::vector<unsigned>(sizes.layers, bits), bits_of_head);
        }
        std::vector<unsigned> mix(unsigned bits) const { return mix(bits, head_beside(bits)); }
        model decode(std::span<unsigned const> bits_of_matrices) const;

        // Row `row` of a packed matrix -> out [cols].
        void decode_row(std::size_t i, unsigned bits, std::size_t row, std::span<float> out) const;

        struct cost
        {
            double effective_bits;       // 8 * packed_bytes / weights of the packed matrices
            std::size_t packed_bytes;    // of planes, scales, zeros and sparse parts
            std::size_t bytes_per_token; // what decoding one token reads: all matrices (of experts, which differ, their
                                         // mean), norms, one row of an embedding that is not the head; of a sparse part
                                         // fp32 residuals, not the weights of the file
        };
        cost cost_at(unsigned bits) const { return cost_at(mix(bits)); }
        cost cost_at(std::span<unsigned const> bits_of_matrices) const;
    };
}
