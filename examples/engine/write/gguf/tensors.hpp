// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <jackplane/store/gguf/write.hpp>
#include "../../describe/gguf/description.hpp"
#include "../../read/gguf/block_matrix.hpp"
#include "../../read/source.hpp"
#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

namespace engine
{
    // What a model's parameters become in a GGUF file: the reverse of read/gguf/tensors.hpp. Reads every dense tensor
    // once to see what it is stored as, and again when it is written.
    class gguf_items
    {
    public:
        // All of these outlive it.
        gguf_items(model_source const& source, std::span<block_matrix const> matrices, gguf_description const& about);

        std::vector<jackplane::gguf::item> items() const; // which look into this
        std::uint32_t commonest_type() const;             // of the matrices, by their weights

    private:
        // One tensor there, and the parameters that lie in it one behind the other.
        struct whole
        {
            std::uint32_t type = 0;
            std::vector<std::size_t> parts{};
        };
        block_matrix const* matrix(std::size_t i) const;
        bool is_matrix(std::size_t i) const; // else a vector or a router
        double factor(parameter const& p) const;
        std::uint32_t type_of(std::size_t i) const;
        jackplane::gguf::extents shape_of(whole const& t) const;
        std::vector<float> values(std::size_t i) const; // in the order of the file
        // Row i there is row order[i] here; empty: all stay.
        std::vector<std::size_t> order(parameter const& p) const;
        void fill(whole const& t, jackplane::gguf::sink const& out) const;

        model_source const& _source;
        std::span<block_matrix const> _matrices;
        gguf_description const& _about;
        std::vector<std::string> _names; // in the order of the file
        std::map<std::string, whole> _tensors;
    };
}
