// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <jackplane/core/view.hpp>
#include "../describe/gguf/layout.hpp"
#include "weights.hpp"
#include <algorithm>
#include <cstddef>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace engine
{
    // Where a parameter stands in a checkpoint: in a tensor, which may hold others, too.
    struct tensor_part
    {
        std::string tensor;
        std::vector<std::size_t> shape; // of all of it
        std::size_t first = 0;          // elements before this part
    };

    // One parameter, by Hugging Face's name, and its place in the one array of all parameters.
    struct parameter
    {
        std::string name;
        std::size_t rows, cols, offset;    // elements
        bool norm;                         // a vector: one row here, one dimension in the file
        std::vector<tensor_part> places{}; // in a checkpoint: one of these
        bool of_expert = false;            // which not every token reads

        std::size_t size() const noexcept { return rows * cols; }
        tensor_part alone() const
        {
            return {name, norm ? std::vector<std::size_t>{cols} : std::vector<std::size_t>{rows, cols}};
        }
        // Its part of that tensor; of one that is none of its places: all of it, as in the files that are written here.
        tensor_part part_of(std::string const& tensor) const
        {
            auto const found = std::find_if(places.begin(), places.end(),
                                            [&](tensor_part const& each) { return each.tensor == tensor; });
            return found == places.end() ? alone() : *found;
        }
    };

    // Where every parameter lies:
    //     q k v o gate up down of layer 0, of 1, ..., an untied lm_head | embedding, last norm, vectors of layer 0, ...
    //     '-------------------- the tuned weights ---------------------'
    // q, k, v are stacked as one matrix [qkv_width, hidden], gate and up as one [2 inner, hidden]. A layer of experts
    // has gate up down of the first, of the second, ...; its router is among the vectors.
    class parameter_table
    {
    public:
        explicit parameter_table(config const& c)
        {
            for (std::size_t i = 0; i < c.layers; ++i)
            {
                _first.push_back(_parameters.size());
                add_layer(c, i);
            }
            _first.push_back(_parameters.size());
            if (!c.tied)
                add("lm_head.weight", c.vocabulary, c.hidden);
            _tuned = _size;
            _tuned_parameters = _parameters.size();
            add("model.embed_tokens.weight", c.vocabulary, c.hidden);
            add("model.norm.weight", 1, c.hidden, true);
            for (std::size_t i = 0; i < c.layers; ++i)
                for (vector_of_layer<float> const& v : vectors_of_layer<float>(c, c.block.kind(i).experts))
                {
                    std::size_t const rows = std::max<std::size_t>(v.rows, 1);
                    add(name_of(i) + v.name, rows, v.size / rows, v.rows == 0);
                    if (std::string const moved = name_of(i) + "mlp.gate.weight"; v.rows != 0) // of stacked experts
                        or_in({moved, {rows, v.size / rows}});
                }
        }

        std::size_t size() const noexcept { return _size; }
        std::size_t tuned_size() const noexcept { return _tuned; }
        std::vector<parameter> const& parameters() const noexcept { return _parameters; }
        std::size_t tuned_parameters() const noexcept { return _tuned_parameters; } // the first so many

        // The matrices of all layers, which are the first parameters; of one; the number of the first of that, and of
        // the first behind the last layer.
        std::span<parameter const> of_layers() const noexcept { return std::span(_parameters).first(_first.back()); }
        std::span<parameter const> of_layer(std::size_t i) const noexcept
        {
            return std::span(_parameters).subspan(_first[i], _first[i + 1] - _first[i]);
        }
        std::size_t first_of_layer(std::size_t i) const noexcept { return _first[i]; }

    private:
        static std::string name_of(std::size_t layer) { return text("model.layers.", layer, "."); }

        void add(std::string name, std::size_t rows, std::size_t cols, bool norm = false)
        {
            _parameters.push_back({std::move(name), rows, cols, _size, norm});
            _parameters.back().places = {_parameters.back().alone()};
            _size += rows * cols;
        }
        // The last one stands there alone; or there, too.
        void in(tensor_part place) { _parameters.back().places = {std::move(place)}; }
        void or_in(tensor_part place)
        {
            if (_parameters.back().name != place.tensor)
                _parameters.back().places.push_back(std::move(place));
        }

        void add_layer(config const& c, std::size_t i)
        {
            std::size_t const q = c.query_width(), kv = c.kv_width();
            auto const attention = [&](char const* name, std::size_t rows, std::size_t first)
            {
                add(text(name_of(i), "self_attn.", name, ".weight"), rows, c.hidden);
                if (c.block.fused)
                    in({name_of(i) + "self_attn.qkv_proj.weight", {c.qkv_width(), c.hidden}, first * c.hidden});
            };
            attention("q_proj", q, 0);
            attention("k_proj", kv, q);
            attention("v_proj", kv, q + kv);
            add(name_of(i) + "self_attn.o_proj.weight", c.hidden, q);
            layer_kind const kind = c.block.kind(i);
            for (std::size_t e = 0; e < c.mlps(kind); ++e)
                kind.experts ? add_expert(c, i, e) : add_mlp(c, i);
            for (std::size_t n = 0; kind.experts && n < 3 * c.mlps(kind); ++n)
                _parameters[_parameters.size() - 1 - n].of_expert = true;
        }

        void add_mlp(config const& c, std::size_t i)
        {
            std::string const mlp = name_of(i) + "mlp.";
            for (bool const up : {false, true})
            {
                add(text(mlp, up ? "up" : "gate", "_proj.weight"), c.intermediate, c.hidden);
                if (c.block.fused)
                    in({mlp + "gate_up_proj.weight",
                        {2 * c.intermediate, c.hidden},
                        up ? c.intermediate * c.hidden : 0});
            }
            add(mlp + "down_proj.weight", c.hidden, c.intermediate);
        }

        // One tensor for each matrix, or (as version 5 of Hugging Face's transformers saves them) one for all experts.
        void add_expert(config const& c, std::size_t i, std::size_t e)
        {
            expert_description const& is = c.block.experts;
            std::size_t const size = is.inner * c.hidden;
            std::string const stacked = name_of(i) + "mlp.experts.";
            auto const name = [&](std::string_view matrix)
            { return text(name_of(i), is.place, "experts.", e, ".", matrix, ".weight"); };
            for (bool const up : {false, true})
            {
                add(name(up ? is.up : is.gate), is.inner, c.hidden);
                or_in({stacked + "gate_up_proj", {is.count, 2 * is.inner, c.hidden}, 2 * e * size + (up ? size : 0)});
            }
            add(name(is.down), c.hidden, is.inner);
            or_in({stacked + "down_proj", {is.count, c.hidden, is.inner}, e * size});
        }

        std::vector<parameter> _parameters;
        std::vector<std::size_t> _first; // of each layer, and behind the last
        std::size_t _size = 0, _tuned = 0, _tuned_parameters = 0;
    };

    // The tensor of a GGUF file that a parameter lies in.
    inline std::string gguf_name_of(config const& c, parameter const& p) { return gguf_name(c, p.places[0].tensor); }

    // Matrix i of a layer whose matrices `parts` lie one after the other from `first` on.
    template <class T>
    jackplane::matrix_view<T> matrix_of(T* first, std::span<parameter const> parts, std::size_t i)
    {
        return {first + (parts[i].offset - parts[0].offset), parts[i].rows, parts[i].cols};
    }
    inline std::size_t size_of(std::span<parameter const> parts) // of all, in one array
    {
        return parts.back().offset + parts.back().size() - parts[0].offset;
    }
}
