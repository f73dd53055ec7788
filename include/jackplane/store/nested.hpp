// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>
#include "../quantize/slice.hpp"
#include "codebooks.hpp"
#include "digest.hpp"
#include "header.hpp"

// The nested file: one safetensors file that serves every width, because the bytes of fewer bits are its beginning.
//
//     header, padded with spaces to a multiple of 4096
//     what all widths need: plain tensors (config, tokenizer, norms, embeddings), <layer>.scale, <layer>.zero,
//                           <layer>.sparse.row, <layer>.sparse.column, <layer>.sparse.value where a layer has them;
//                           the planes of common layers
//     level 1: <layer>.scale.1, <layer>.zero.1 where a width has its own, then <layer>.plane.0 of every layer
//     level 2: the same for 2 bits and plane 1 ...                  (planes of W bits make levels of W bits)
//
// The bits of a level are those of its planes. A slice that rounds (round_clamp, extra_precision) reads one bit more
// than it gives, so up to the end of level 5 such a file can be read at 4 bits: settings::bits_given.
//
// A common layer is read at a width of its own, whatever that of the others (an output head, say): its planes stand in
// what all widths need. A cut may leave fewer of them.
//
//     <layer>.plane.<i>      U8 [panels, blocks, 64 * W]     bytes as pack/planes.hpp lays them
//     <layer>.scale          F16, BF16 or F32 [panels, groups, 16]; of a row_table [panels, 2^bits, 16]: its values
//     <layer>.zero           U8 or F16, the same shape; none for symmetric codes; of an offset F16, BF16 or F32
//     <layer>.sparse.row     U32 [rows + 1]           a sparse part (detach/csr.hpp) that serves every width: weights
//     <layer>.sparse.column  U16 or U32 [nonzeros]    that stand in the place of what the planes give there
//     <layer>.sparse.value   F16, BF16 or F32 [nonzeros]
//     __pad__.<n>            U8, zeros: tensors start at multiples of 64, levels at multiples of 4096, nowhere a hole;
//                            the first tensor of level n lies n * plane_stagger further, and so does plane n of a
//                            common layer: the planes of a layer are apart as in memory
//
// A file whose length is a level's end is a nested file of that many bits, although its header lists more: a download
// may stop there (`truncate -s END`). Readers of plain safetensors need the header that cut() writes.
//
// What is guaranteed about damage. header_digest covers the length and all of the header, itself as zeros: any one
// changed byte up to the data is rejected always, more with probability 1 - 2^-64. The length must be a level's end.
// Each level (and what stands before the first) has a digest of its own, which opening does not compute, because it
// would read the data: verify(bits) does, for the levels of those bits and no other. Bytes of planes, scales and pads
// are otherwise taken as they are, and cannot lead a reader out of bounds. A sparse part is checked when it is read,
// because its indices could.
namespace jackplane::inline v0::inline JACKPLANE_TARGET::nested
{
    using safetensors::extents;
    using safetensors::metadata_map;

    inline constexpr std::string_view format_name = "jackplane.nested"; // in the metadata
    // 1 reads no common layers: so that its readers say so, a file that has any is of version 2. tests/pack/planes.cpp
    // holds the bytes of 1.
    inline constexpr std::string_view format_versions[] = {"1", "2"};
    inline constexpr std::size_t page = 4096;               // where data and levels start
    inline constexpr std::size_t alignment = 64;            // where tensors start
    inline constexpr std::string_view pad_prefix = "__pad__."; // of the names of padding
    inline constexpr std::uint64_t largest_side = std::uint64_t{1} << 24; // rows, columns

    // The planes of one width in the file, up to where a shorter file may end.
    struct level
    {
        unsigned bits = 0;       // of the planes up to its end; 0: what all widths need
        std::uint64_t end = 0;   // length of the file that holds it and nothing more
        std::string digest = {}; // of the bytes from the end of the level before
    };

    // The sparse part of a packed matrix.
    struct sparse_part
    {
        dtype value = dtype::F16, column = dtype::U16; // column: U16 or U32
        std::uint64_t nonzeros = 0;

        friend bool operator==(sparse_part const&, sparse_part const&) = default;
    };

    // A packed matrix as the header describes it.
    struct layer
    {
        std::uint64_t rows = 0, cols = 0, group = 0; // group: columns that share a scale, 1 .. max(cols, 1)
        std::string codebook;                        // "uniform", "nf4" ...: codebooks.hpp
        unsigned bits = 0;                           // of a code; the sum of planes
        std::vector<unsigned> planes;                // bits in each, most significant first: 1, 2, 4 or 8
        dtype scale = dtype::F16;
        std::string zero = "none";  // or "U8", "F16"; "offset F16": in units of the weights, or BF16, F32
        std::vector<unsigned> own;  // widths with scales (and zeros) of their own, ascending
        std::optional<sparse_part> sparse = {};
        unsigned common = 0; // bits of its planes that stand in what all widths need; 0: its planes stand in levels

        friend bool operator==(layer const&, layer const&) = default;

        std::uint64_t panels() const noexcept { return (rows + 15) / 16; }
        std::uint64_t blocks() const noexcept { return (cols + 31) / 32; }
        std::uint64_t groups() const noexcept
        {
            return codebook_of(codebook).by_row ? std::uint64_t{1} << bits : cols / group + (cols % group != 0);
        }
        std::optional<dtype> zero_type() const // of the tensor, named by the last word; none: there is none
        {
            return find_dtype(std::string_view(zero).substr(zero.rfind(' ') + 1));
        }
        extents scale_shape() const { return {panels(), groups(), 16}; }
        extents plane_shape(std::size_t i) const { return {panels(), blocks(), 64ull * planes[i]}; }
        unsigned bits_through(std::size_t plane) const noexcept // bits in planes 0 .. plane
        {
            unsigned sum = 0;
            for (std::size_t i = 0; i <= plane; ++i)
                sum += planes[i];
            return sum;
        }
        unsigned planes_level(std::size_t plane) const noexcept // whose level holds it; 0: what all widths need
        {
            return common != 0 ? 0 : bits_through(plane);
        }
        std::size_t planes_in(unsigned most_bits) const noexcept // how many planes so many bits hold
        {
            std::size_t n = 0;
            while (n < planes.size() && bits_through(n) <= most_bits)
                ++n;
            return n;
        }
    };

    // What the metadata key "nested" says, as a JSON string.
    struct settings
    {
        std::string slice = "truncate_centred"; // how codes are meant at fewer bits: quantize/slice.hpp
        level common;                           // .bits == 0
        std::vector<level> levels;              // bits and ends ascend
        std::map<std::string, layer, std::less<>> layers;

        bool has_common_layers() const noexcept
        {
            return std::any_of(layers.begin(), layers.end(), [](auto const& l) { return l.second.common != 0; });
        }
        std::string_view format_version() const noexcept { return format_versions[has_common_layers() ? 1 : 0]; }
        // Leading bits of codes of `parent` bits that the slice reads.
        unsigned bits_read(unsigned bits, unsigned parent = 8) const noexcept
        {
            return slice == truncate_centred::name() ? truncate_centred::bits_read(parent, bits)
                                                     : round_clamp::bits_read(parent, bits);
        }
        // The widths of a common layer, narrowest first.
        std::vector<unsigned> common_widths(layer const& l) const
        {
            std::vector<unsigned> all;
            for (unsigned bits = codebook_of(l.codebook).is_nested ? 1 : l.bits; bits <= l.bits; ++bits)
            {
                unsigned const planes = bits_read(bits, l.bits);
                std::size_t const n = l.planes_in(planes);
                if (planes <= l.common && n != 0 && l.bits_through(n - 1) == planes)
                    all.push_back(bits);
            }
            return all;
        }
        // A layer whose codes cannot be read at fewer bits (of a row_table, say) and that so many bits do not hold.
        // Null: none.
        std::string const* cut_short(unsigned planes) const noexcept
        {
            for (auto const& [name, l] : layers)
                if (!codebook_of(l.codebook).is_nested && l.bits > (l.common != 0 ? l.common : planes))
                    return &name;
            return nullptr;
        }
        // The widest width that planes of so many bits give; 0: none.
        unsigned bits_given(unsigned planes, unsigned parent = 8) const noexcept
        {
            unsigned bits = cut_short(planes) ? 0 : parent;
            while (bits > 0 && bits_read(bits, parent) > planes)
                --bits;
            return bits;
        }
    };

    // Names of the tensors of a layer.
    inline std::string plane_name(std::string_view of, std::size_t i)
    {
        return text(of, ".plane.", i);
    }
    inline std::string scale_name(std::string_view of, unsigned bits = 0) // 0: the parent's
    {
        return bits == 0 ? text(of, ".scale") : text(of, ".scale.", bits);
    }
    inline std::string zero_name(std::string_view of, unsigned bits = 0)
    {
        return bits == 0 ? text(of, ".zero") : text(of, ".zero.", bits);
    }
    inline std::string sparse_name(std::string_view of, std::string_view what) // row, column, value
    {
        return text(of, ".sparse.", what);
    }
}
