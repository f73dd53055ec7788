// SPDX-License-Identifier: BSD-3-Clause
#include "packed_model.hpp"
#include <jackplane/core/parallel.hpp>
#include <jackplane/detach/detach.hpp>
#include <jackplane/pack/row.hpp>
#include <algorithm>
#include <concepts>

namespace engine
{
    namespace
    {
        template <class M, class Rule>
        jackplane::any_packed repacked(M const& a, unsigned bits, Rule const& rule, unsigned& width)
        {
            using C = typename M::codebook_type;
            using To = jackplane::packed<jackplane::bit_planes, C, typename M::scale_type, typename M::zero_type>;
            if constexpr (std::constructible_from<jackplane::any_packed, To> && C::bits == 8 &&
                          jackplane::linear_codebook<C>)
            {
                width = rule.bits_kept(C::bits, bits);
                return jackplane::repack<jackplane::bit_planes>(a, bits, rule);
            }
            else
                jackplane::fail<jackplane::width_error>(
                    text("a ", C::name(), " codebook of ", C::bits, " bits has no slice ", rule.name()));
        }
        bool offers(packed_model::matrix const& m, unsigned read)
        {
            return !m.is_packed || std::visit([&](auto const& a) { return a.readable(read); }, m.packed);
        }
        void expect_among(std::vector<unsigned> const& all, unsigned bits, std::string const& what)
        {
            std::string list;
            for (unsigned const width : all)
                list += text(list.empty() ? "" : ", ", width);
            JACKPLANE_EXPECTS(std::find(all.begin(), all.end(), bits) != all.end(), jackplane::width_error, what,
                              " cannot be read at ", bits, " bits, only at ", list.empty() ? "none" : list);
        }
    }

    char const* slice_name(slice_rule const& rule)
    {
        return std::visit([](auto const& s) { return s.name(); }, rule);
    }

    slice_rule slice_of(std::string_view name)
    {
        for (slice_rule const& rule : {slice_rule{jackplane::truncate_centred{}}, slice_rule{jackplane::round_clamp{}},
                                       slice_rule{jackplane::extra_precision{}}})
            if (name == slice_name(rule))
                return rule;
        jackplane::fail<jackplane::value_error>(
            text("no slice '", name, "'; there are truncate_centred, round_clamp and extra_precision"));
    }

    std::vector<unsigned> packed_model::widths() const
    {
        std::vector<unsigned> all;
        all.reserve(8);
        for (unsigned bits = 1; bits <= 8; ++bits)
            if (std::all_of(matrices.begin(), matrices.begin() + static_cast<std::ptrdiff_t>(head()),
                            [&](matrix const& m) { return offers(m, bits_read(bits)); }))
                all.push_back(bits);
        return all;
    }

    std::vector<unsigned> packed_model::widths_of_head() const
    {
        std::vector<unsigned> all;
        for (unsigned bits = 1; head_is_packed() && bits <= 8; ++bits)
            if (offers(matrices[head()], bits_read(bits)))
                all.push_back(bits);
        return all;
    }

    void packed_model::expect_width(unsigned bits, std::string const& name) const
    {
        expect_among(widths(), bits, name + ":");
    }
    void packed_model::expect_width_of_head(unsigned bits, std::string const& name) const
    {
        std::string const what = text(name, ": the output head (", table.parameters()[head()].name, ")");
        JACKPLANE_EXPECTS(head_is_packed(), jackplane::value_error, what, " is dense and has no width");
        expect_among(widths_of_head(), bits, what);
    }

    jackplane::any_packed sliced(jackplane::any_packed const& m, slice_rule const& slice, unsigned bits,
                                 unsigned& width)
    {
        width = bits;
        if (std::holds_alternative<jackplane::truncate_centred>(slice))
            return m;
        return std::visit([&](auto const& a, auto const& rule) { return repacked(a, bits, rule, width); }, m, slice);
    }

    void dequantize(jackplane::any_packed const& m, slice_rule const& slice, unsigned bits,
                    jackplane::matrix_view<float> out)
    {
        unsigned width = bits;
        jackplane::any_packed const from = sliced(m, slice, bits, width);
        std::visit([&](auto const& a) { dequantize(a.prefix(width), out, jackplane::threads{}); }, from);
    }

    std::pair<packed_model, std::vector<unsigned>> packed_model::sliced(std::vector<unsigned> bits) const
    {
        packed_model m = *this;
        for (std::size_t i = 0; i < m.matrices.size(); ++i)
            if (matrix& each = m.matrices[i]; each.is_packed)
                each.packed = engine::sliced(each.packed, slice, bits[i], bits[i]);
        return {std::move(m), std::move(bits)};
    }

    packed_model packed_model::with_head_of(model const& dense) const
    {
        packed_model m = *this;
        parameter const& p = table.parameters()[head()];
        auto const from = dense.w.begin() + static_cast<std::ptrdiff_t>(p.offset),
                   to = from + static_cast<std::ptrdiff_t>(p.size());
        if (!sizes.tied)
            m.matrices[head()] = {{}, false, {from, to}, {}};
        else if (m.head_is_packed())
        {
            m.matrices.pop_back();
            m.rest.insert(m.rest.begin(), from, to);
        }
        else
            std::copy(from, to, m.rest.begin());
        return m;
    }

    model packed_model::with_head_in(model const& dense, unsigned bits) const
    {
        model m = dense;
        parameter const& p = table.parameters()[head()];
        jackplane::matrix_view<float> const out{m.w.data() + p.offset, p.rows, p.cols};
        dequantize(matrices[head()].packed, slice, bits, out);
        put_back(matrices[head()].sparse, out, p.name);
        return m;
    }

    std::vector<unsigned> packed_model::mix(std::span<unsigned const> bits_of_layers, unsigned bits_of_head) const
    {
        JACKPLANE_EXPECTS(bits_of_layers.size() == sizes.layers, jackplane::shape_error, bits_of_layers.size(),
                          " widths for ", sizes.layers, " layers");
        std::vector<unsigned> all(matrices.size(), bits_of_head);
        for (std::size_t layer = 0; layer < sizes.layers; ++layer)
            std::fill_n(all.begin() + static_cast<std::ptrdiff_t>(table.first_of_layer(layer)),
                        table.of_layer(layer).size(), bits_of_layers[layer]);
        return all;
    }

    model packed_model::decode(std::span<unsigned const> bits) const
    {
        model m(sizes);
        std::copy(rest.begin(), rest.end(), m.w.end() - static_cast<std::ptrdiff_t>(rest.size()));
        for (std::size_t i = 0; i < matrices.size(); ++i)
        {
            parameter const& p = table.parameters()[i];
            jackplane::matrix_view<float> const out{m.w.data() + p.offset, p.rows, p.cols};
            if (!matrices[i].is_packed)
                std::copy(matrices[i].dense.begin(), matrices[i].dense.end(), out.data);
            else
            {
                dequantize(matrices[i].packed, slice, bits[i], out);
                put_back(matrices[i].sparse, out, p.name);
            }
        }
        return m;
    }

    jackplane::matrix_view<float const> packed_model::dense_values(std::size_t i) const
    {
        parameter const& p = table.parameters()[i];
        std::size_t const begin = table.size() - rest.size(); // where the rest begins
        return {i < matrices.size() ? matrices[i].dense.data() : rest.data() + (p.offset - begin), p.rows, p.cols};
    }

    void packed_model::decode_row(std::size_t i, unsigned bits, std::size_t row, std::span<float> out) const
    {
        std::visit([&](auto const& a) { dequantize_row(a.prefix(bits), row, out); }, matrices[i].packed);
        if (matrices[i].sparse.nonzeros() != 0)
            put_back_row(matrices[i].sparse, row, out);
    }

    packed_model::cost packed_model::cost_at(std::span<unsigned const> bits) const
    {
        std::size_t bytes = 0, weights = 0, dense = 0, of_all = 0, of_experts = 0; // the latter: read by tokens
        for (std::size_t i = 0; i < matrices.size(); ++i)
        {
            matrix const& m = matrices[i];
            unsigned const kept = std::visit([&](auto const& rule) { return rule.bits_kept(8, bits[i]); }, slice);
            weights += m.is_packed ? table.parameters()[i].size() : 0;
            std::size_t const here =
                bytes_read(m.sparse) +
                (m.is_packed ? std::visit([&](auto const& a) { return bytes_read(a.prefix(kept)); }, m.packed) : 0);
            bytes += here;
            (table.parameters()[i].of_expert ? of_experts : of_all) +=
                here + m.sparse.visit([]<class T, class I>(jackplane::csr<T, I> const& a)
                                      { return a.nonzeros() * (sizeof(float) - sizeof(T)); });
        }
        if (expert_description const& e = sizes.block.experts; e.count != 0)
            of_all += of_experts * e.used / e.count;
        for (std::size_t i = 0; i < table.parameters().size(); ++i)
            if (i >= matrices.size() || !matrices[i].is_packed)
            {
                bool const one_row = i == table.tuned_parameters() && !sizes.tied; // of an embedding that is no head
                dense += table.parameters()[i].size() / (one_row ? sizes.vocabulary : 1) *
                         (jackplane::dtype_bits(dense_type(dense_values(i))) / 8);
            }
        return {8.0 * static_cast<double>(bytes) / static_cast<double>(std::max<std::size_t>(weights, 1)), bytes,
                of_all + dense};
    }
}
