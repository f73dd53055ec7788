// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "../nested_read.hpp"

namespace jackplane::inline v0::inline JACKPLANE_TARGET::nested
{
    inline safetensors::tensor const* file::find(std::string_view tensor) const& noexcept
    {
        auto const found =
            std::find_if(plain().begin(), plain().end(), [&](auto const* t) { return t->name == tensor; });
        return found == plain().end() ? nullptr : *found;
    }
    inline safetensors::tensor const& file::at(std::string_view tensor) const&
    {
        auto const* const found = find(tensor);
        JACKPLANE_EXPECTS(found != nullptr, format_error, detail::one_line(name()), ": no tensor '",
                          detail::printable(tensor), "' among ", plain().size());
        return *found;
    }

    inline level const& file::at_bits(unsigned bits) const&
    {
        std::string there;
        for (level const& l : levels())
        {
            if (l.bits == bits)
                return l;
            there += text(there.empty() ? "" : ", ", l.bits);
        }
        fail<width_error>(text(detail::one_line(name()), ": no level of ", bits, " bits; there are ", there));
    }

    inline void file::verify(unsigned most_bits) const
    {
        std::uint64_t begin = _all->head.data_start;
        auto const check = [&](level const& l)
        {
            digest d;
            d.add(_all->bytes.subspan(static_cast<std::size_t>(begin), static_cast<std::size_t>(l.end - begin)));
            if (d.text() != l.digest)
                detail::reject({_all->name, "", begin},
                               text("bytes of digest ", detail::printable(l.digest), " up to ", l.end), d.text());
            begin = l.end;
        };
        check(_all->s.common);
        for (level const& l : levels())
            if (l.bits <= most_bits)
                check(l);
    }

    template <class T>
    T const* file::data(std::string const& tensor) const // aligned: check_tensors() saw a multiple of 64
    {
        return reinterpret_cast<T const*>(_all->head.tensors.find(tensor)->second.bytes.data());
    }

    template <code_layout L, codebook C, scale_number S, zero_number Z>
    bool file::build(packed<L, C, S, Z> const*, std::string const& layer_name, layer const& l, unsigned most,
                     auto& out) const
    {
        bool const is_this = l.codebook == C::name() && l.bits == C::bits &&
                             std::equal(l.planes.begin(), l.planes.end(), L::widths.begin(), L::widths.end()) &&
                             l.scale == dtype_of<S> && l.zero == detail::zero_text<Z>();
        if (!is_this)
            return false;
        auto const size = [](std::uint64_t n) { return static_cast<std::size_t>(n); };
        auto v = detail::view_of_shape<packed_view<L, C, S, Z>>(size(l.rows), size(l.cols),
                                                                {size(l.group), size(l.groups()), false});
        v.scales = data<S>(scale_name(layer_name));
        auto const zeros = [&](unsigned bits)
        { return std::same_as<Z, no_zero> ? nullptr : data<Z>(zero_name(layer_name, bits)); };
        v.zeros = zeros(0);
        unsigned there = 0;
        most = std::min(most, l.common != 0 ? l.common : bits());
        for (std::size_t i = 0; i < l.planes_in(most); ++i)
        {
            v.plane[i] = data<std::byte>(plane_name(layer_name, i));
            there = l.bits_through(i);
        }
        typename packed<L, C, S, Z>::width_scales own{};
        for (unsigned const width : l.own)
            if (width <= there)
                own[width] = {data<S>(scale_name(layer_name, width)), zeros(width)};
        JACKPLANE_EXPECTS(there == L::bits || (there != 0 && nested_codebook<C>), width_error,
                          detail::one_line(name()), ": layer '", detail::printable(layer_name),
                          "' has planes that give ", l.bits_through(0), " to ", l.bits, " bits, not ", most);
        v = detail::leading_planes(v, there);
        if (own[there].scales != nullptr) // the widest becomes the matrix's own; the others keep the parent's
        {
            for (auto& each : own)
                if (each.scales == nullptr)
                    each = {v.scales, v.zeros};
            v.scales = own[there].scales;
            v.zeros = own[there].zeros;
        }
        out = packed<L, C, S, Z>(v, _all->keep, own);
        return true;
    }

    inline layer const& file::described(std::string_view layer_name) const
    {
        auto const found = _all->s.layers.find(layer_name);
        JACKPLANE_EXPECTS(found != _all->s.layers.end(), format_error, detail::one_line(name()), ": no layer '",
                          detail::printable(layer_name), "' among ", _all->s.layers.size());
        return found->second;
    }

    template <class Any>
    Any file::matrix(std::string_view layer_name, unsigned most_bits) const
    {
        layer const& l = described(layer_name);
        Any out;
        bool is_built = false;
        [&]<class... Packed>(std::variant<Packed...> const*) {
            is_built =
                (build(static_cast<Packed const*>(nullptr), std::string(layer_name), l, most_bits, out) || ...);
        }(static_cast<Any const*>(nullptr));
        if (!is_built)
            detail::reject({name(), layer_name, 8}, "a format this reader was built for",
                           text(l.codebook, " ", l.bits, " bits in ", l.planes.size(), " planes, scales ",
                                dtype_name(l.scale), ", zeros ", l.zero));
        return out;
    }

    template <scale_number T, column_number I>
    csr<T, I> file::sparse(std::string_view layer_name) const
    {
        layer const& l = described(layer_name);
        if (!l.sparse || l.sparse->value != dtype_of<T> || l.sparse->column != dtype_of<I>)
            detail::reject({name(), layer_name, 8},
                           text("a sparse part of ", dtype_name(dtype_of<T>), " at ", dtype_name(dtype_of<I>)),
                           l.sparse ? text(dtype_name(l.sparse->value), " at ", dtype_name(l.sparse->column)) : "none");
        auto const rows = static_cast<std::size_t>(l.rows), cols = static_cast<std::size_t>(l.cols),
                   nonzeros = static_cast<std::size_t>(l.sparse->nonzeros);
        std::string const starts = sparse_name(layer_name, "row");
        auto made = detail::attempt_to( // a csr blames its arguments; here it is the file
            [&]
            {
                return csr<T, I>(rows, cols, {data<T>(sparse_name(layer_name, "value")), nonzeros},
                                 {data<I>(sparse_name(layer_name, "column")), nonzeros},
                                 {data<std::uint32_t>(starts), rows + 1}, _all->keep, "csr");
            });
        if (!made)
            detail::reject({name(), starts, _all->head.tensors.find(starts)->second.offset}, "compressed sparse rows",
                           made.error);
        return *made;
    }
}
