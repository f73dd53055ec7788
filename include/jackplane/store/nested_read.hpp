// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>
#include "../detach/csr.hpp"
#include "../pack/any_packed.hpp"
#include "detail/nested_settings.hpp"
#include "file.hpp"
#include "nested.hpp"

namespace jackplane::inline v0::inline JACKPLANE_TARGET::nested
{
    // A nested file at as many bits as its length holds. A cheap handle; what it hands out stays readable as long as a
    // copy of it lives (matrices keep the bytes themselves). Opening reads the header and nothing else.
    class file
    {
    public:
        // Copies the bytes when they are not aligned to 64.
        file(std::string name, std::span<std::byte const> bytes, std::shared_ptr<void const> keep);

        std::string const& name() const& noexcept { return _all->name; } // for messages: its path
        std::string name() const&& { return _all->name; }
        std::size_t size() const noexcept { return _all->bytes.size(); }
        metadata_map const& metadata() const& noexcept { return _all->head.metadata; }
        metadata_map metadata() const&& { return _all->head.metadata; }
        settings const& described() const& noexcept { return _all->s; } // all levels, present or not
        settings described() const&& { return _all->s; }
        unsigned bits() const noexcept { return levels().back().bits; } // the widest level here

        std::span<level const> levels() const& noexcept { return std::span(_all->s.levels).first(_all->present); }
        void levels() const&& = delete; // these five would point into a temporary
        void order() const&& = delete;
        void plain() const&& = delete;
        void find(std::string_view) const&& = delete;
        void at(std::string_view) const&& = delete;
        std::vector<safetensors::tensor*> const& order() const& noexcept { return _all->head.order; }
        // Plain tensors: everything but matrices and pads, in the order of the file.
        std::vector<safetensors::tensor const*> const& plain() const& noexcept { return _all->plain; }
        safetensors::tensor const* find(std::string_view tensor) const& noexcept;
        safetensors::tensor const& at(std::string_view tensor) const&; // throws format_error

        // A matrix in place, with the planes of at most `most_bits` bits and no pointer to others. Throws format_error
        // when there is none of that name or its format is none of Any's, width_error when not one plane is that small.
        template <class Any = any_packed>
        Any matrix(std::string_view layer_name, unsigned most_bits = 8) const;

        // The sparse part of that matrix, in place; the same for every width. Checked here, once. Throws format_error
        // where the layer has none, has another value or column type, or is damaged.
        template <scale_number T = half, column_number I = std::uint16_t>
        csr<T, I> sparse(std::string_view layer_name) const;

        // The level of exactly that many bits, present here. Throws width_error with those there are.
        level const& at_bits(unsigned bits) const&;
        level at_bits(unsigned bits) const&& { return at_bits(bits); }

        // Reads the levels of the planes of at most `most_bits` bits and compares digests. Throws format_error.
        void verify(unsigned most_bits = 8) const;

    private:
        struct contents
        {
            std::string name;
            std::span<std::byte const> bytes;
            std::shared_ptr<void const> keep;
            safetensors::header head;
            settings s;
            std::size_t present = 0; // levels
            std::vector<safetensors::tensor const*> plain;
        };
        void check_digest() const;
        void check_length();
        void check_tensors();
        layer const& described(std::string_view layer_name) const;
        safetensors::tensor const& expect(std::string const& tensor, dtype type, extents const& shape,
                                          unsigned bits) const;
        template <class T>
        T const* data(std::string const& tensor) const;
        template <code_layout L, codebook C, scale_number S, zero_number Z>
        bool build(packed<L, C, S, Z> const*, std::string const& layer_name, layer const& l, unsigned most,
                   auto& out) const;

        std::shared_ptr<contents> _all;
    };

    // Of a path, or of bytes and a name for them (file.hpp).
    inline constexpr open_file<file> open{};
    inline constexpr parse_file<file> parse{};
    inline constexpr try_open_file<file> try_open{};
    inline constexpr try_parse_file<file> try_parse{};
}

#include "detail/nested_check.hpp"
#include "detail/nested_read.hpp"
