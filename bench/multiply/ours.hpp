// SPDX-License-Identifier: BSD-3-Clause
#pragma once
// multiply/<layout>/<bits>b/g<group>/<activation>[@<arch>]/...; without @: the best arch.
// One set of matrices serves all widths, activations and threads of a layout, shape and group. Nested ones have 8 bits,
// a width reads its planes of each: at 2 bits more than 512 MB in all.
#include "../bench.hpp"
#include "activation.hpp"
#include "archs.hpp"
#include "memory.hpp"
#include "options.hpp"
#include "product.hpp"
#include "read.hpp"
#include <jackplane/multiply/multiply.hpp>
#include <jackplane/pack/pack.hpp>
#include <jackplane/quantize/overlapping.hpp>
#include <jackplane/quantize/quantize.hpp>
#include <jackplane/quantize/row_table.hpp>
#include <algorithm>
#include <cstring>
#include <utility>

namespace bench
{
    // Codes that become integers have zeros, tables have none; a table for each row has no scales either.
    template <class C>
    using scale_of = std::conditional_t<jackplane::integer_codebook<C>, jackplane::minmax<>, jackplane::absmax>;
    template <class L, class C>
    using packed = jackplane::packed<L, C, jackplane::half, typename scale_of<C>::zero_type>;

    template <class C>
    auto quantized(matrix const& w, [[maybe_unused]] std::size_t group)
    {
        if constexpr (jackplane::row_codebook<C>)
            return jackplane::quantize(w.view(), C{});
        else
            return jackplane::quantize(w.view(), C{}, scale_of<C>{}, jackplane::group{group});
    }

    // The n-th matrix of a set: a strip of at most 17 panels, quantized once, laid again and again into planes of its
    // own. The last panel may be ragged.
    template <class L, class C>
    packed<L, C> spread(packed<L, C> const& strip, std::size_t rows, std::size_t nth)
    {
        auto v = strip.view();
        std::size_t const last = v.panels - 1;
        v.rows = rows;
        v.panels = jackplane::ceil_div(rows, jackplane::block::rows);
        auto const memory = std::make_shared<std::vector<std::shared_ptr<void>>>();
        auto lay = [&]<class T>(T const* from, std::size_t per_panel, std::size_t beyond = 0)
        {
            auto const all = allocate<T>(beyond + v.panels * per_panel);
            std::shared_ptr<T> const to(all, all.get() + beyond);
            for (std::size_t panel = 0; panel < v.panels; ++panel)
            {
                std::size_t const any = (panel + nth) % std::max<std::size_t>(1, last);
                std::size_t const source = panel + 1 == v.panels ? last : any;
                std::memcpy(to.get() + panel * per_panel, from + source * per_panel, per_panel * sizeof(T));
            }
            memory->push_back(to);
            return to.get();
        };
        for (std::size_t p = 0; p < v.planes; ++p)
            v.plane[p] = lay(v.plane[p], v.blocks * L::bytes(p), p * jackplane::plane_stagger); // as pack does
        v.scales = lay(v.scales, v.groups * jackplane::block::rows);
        if (v.zeros != nullptr)
            v.zeros = lay(v.zeros, v.groups * jackplane::block::rows);
        return {v, memory};
    }

    template <class L, class C>
    std::shared_ptr<std::vector<packed<L, C>> const> packed_set(char const* layout, shape s, std::size_t group,
                                                                bool cold)
    {
        std::size_t const codes = jackplane::round_up(s.cols, 32) * 16 * L::bits / 8;
        std::size_t const bytes = jackplane::ceil_div(s.rows, 16) * (codes + jackplane::ceil_div(s.cols, group) * 48);
        std::size_t const count = set_size(cold, bytes * 2 / L::bits); // of what 2 bits read
        auto make = [&]
        {
            std::size_t const strip_rows = std::min(s.rows, 256 + s.rows % 16);
            auto const strip = jackplane::pack<L>(quantized<C>(matrix(strip_rows, s.cols), group));
            auto const set = std::make_shared<std::vector<packed<L, C>>>();
            for (std::size_t nth = 0; nth < count; ++nth)
                set->push_back(spread<L, C>(strip, s.rows, nth));
            return set;
        };
        auto const name = jackplane::text("packed/", layout, "/g", group, "/", end_of_name(s, 1, 1, cold));
        return set_of<std::vector<packed<L, C>>>(name, bytes * count, make);
    }

    template <class L, class C, class A, class Arch>
    class packed_product : public product
    {
    public:
        packed_product(std::shared_ptr<std::vector<packed<L, C>> const> set, unsigned bits, A how, std::size_t vectors,
                       unsigned threads)
            : m_set(std::move(set)),
              m_how(how),
              m_team(team_of(threads)),
              m_x(vectors, m_set->front().cols()),
              m_y(vectors, m_set->front().rows())
        {
            for (packed<L, C> const& a : *m_set)
                m_a.push_back(a.prefix(bits));
        }
        std::size_t matrices() const override { return m_a.size(); }
        std::size_t bytes() const override { return bytes_read(m_a.front()); }
        void multiply(std::size_t which) override
        {
            m_how.template prepare<Arch>(std::as_const(m_x).view(), m_ready);
            jackplane::multiply<Arch>(m_a[which], m_ready, m_y.view(), m_team);
        }

        // Against the definition, in the first, a middle and the last panel:
        //     (groups + 8) eps sum |scale| (|decode(code)| + |zero|) |x| + sum |w| |x - what the activation made of it|
        // and where one limb meets a table, whose levels are kept in bytes, half of 1 / 255 of its range.
        std::string wrong() override
        {
            multiply(0);
            for (std::size_t n = 0; n < m_x.rows; ++n)
                if (std::string const word = wrong(m_x.view().row(n), m_y.view().row(n)); !word.empty())
                    return word;
            return {};
        }

    private:
        std::string wrong(std::span<float const> x, std::span<float const> y) const
        {
            auto const& v = m_a.front().view();
            std::vector<double> const off = error_of(m_how, x);
            double const level = jackplane::integer_codebook<C> || !std::same_as<A, jackplane::limbs<1>>
                                     ? 0
                                     : double{C::decode(C::size - 1) - C::decode(0)} / 255 / 2;
            for (std::size_t const panel : {std::size_t{0}, v.panels / 2, v.panels - 1})
                for (std::size_t row = panel * 16; row < std::min(v.rows, panel * 16 + 16); ++row)
                {
                    double expected = 0, size = 0, allowed = 0;
                    for (std::size_t col = 0; col < v.cols; ++col)
                    {
                        constexpr bool table = jackplane::row_codebook<C>;
                        unsigned const code = jackplane::detail::code_at(v, row, col);
                        std::size_t const at = jackplane::detail::scale_index(v, row, table ? code : col);
                        double const scale = jackplane::to_float(v.scales[at]);
                        double const value = table ? 1.0f : jackplane::detail::decode(v, code);
                        double const zero = jackplane::detail::zero(v, at);
                        expected += scale * (value - zero) * x[col];
                        size += std::abs(scale) * (std::abs(value) + std::abs(zero)) * std::abs(double{x[col]});
                        allowed += std::abs(scale * (value - zero)) * off[col];
                        allowed += std::abs(scale) * level * (std::abs(double{x[col]}) + off[col]);
                    }
                    constexpr int roundings = jackplane::leveled_codebook<C> ? 10 : 8; // as in the tests' bound
                    allowed += (static_cast<double>(v.groups) + roundings) * 0x1p-23 * size;
                    if (!(std::abs(double{y[row]} - expected) <= allowed))
                        return jackplane::text("the product is wrong: row ", row, " is ", y[row], ", expected ",
                                               expected, " +- ", allowed);
                }
            return {};
        }

        std::shared_ptr<std::vector<packed<L, C>> const> m_set;
        std::vector<decltype(std::declval<packed<L, C> const&>().prefix(1))> m_a;
        A m_how;
        typename A::prepared m_ready;
        jackplane::team const& m_team;
        matrix m_x, m_y; // [vectors, cols], [vectors, rows]
    };

    // activation: with its arch
    template <class L, class C, class A, class Arch = jackplane::best_arch>
    void add_layout(options const& o, char const* layout, std::string const& activation, shape s)
    {
        if (std::ranges::find(o.layouts, layout) == o.layouts.end())
            return;
        for (std::size_t const group : jackplane::row_codebook<C> ? std::vector{s.cols} : o.groups)
            for (unsigned const bits : o.bits)
                for_each_run(
                    o,
                    [&](std::size_t vectors, unsigned threads, bool cold)
                    {
                        if (L::planes_of(bits) == 0 || (bits != L::bits && !jackplane::nested_codebook<C>))
                            return;
                        auto const name = jackplane::text("multiply/", layout, "/", bits, "b/g", group, "/", activation,
                                                          "/", end_of_name(s, vectors, threads, cold));
                        auto make = [=]
                        {
                            return std::make_unique<packed_product<L, C, A, Arch>>(
                                packed_set<L, C>(layout, s, group, cold), bits, with_group<A>(group), vectors, threads);
                        };
                        add({name, s, threads, vectors, make});
                    });
    }

    // Every layout, for one activation: a unit of its own calls this. Archs that are not the best have one-bit planes
    // alone: each layout takes long to compile.
    template <class A>
    void add_layouts(options const& o, std::string const& activation, shape s)
    {
        using namespace jackplane;
        auto const asked = [&](char const* arch) { return std::ranges::find(o.archs, arch) != o.archs.end(); };
        bool best = false;
        for_each_arch(
            [&]<class Arch>(char const* name, Arch)
            {
                if (!asked(name))
                    return;
                best = best || is_best<Arch>;
                std::string const on = is_best<Arch> ? activation : text(activation, "@", name);
                add_layout<bit_planes, uniform<8>, A, Arch>(o, "1x8", on, s);
            });
        if (!best)
            return;
        add_layout<planes<2, 2, 2, 2>, uniform<8>, A>(o, "2x4", activation, s);
        add_layout<planes<4, 4>, uniform<8>, A>(o, "4x2", activation, s);
        add_layout<planes<2, 2, 4>, uniform<8>, A>(o, "2-2-4", activation, s);
        add_layout<planes<8>, uniform<8>, A>(o, "8", activation, s);
        add_layout<bit_planes, overlapping<8>, A>(o, "1x8-overlapping", activation, s);
        add_layout<planes<1, 1, 1, 1>, nf4, A>(o, "1x4-nf4", activation, s);
        if constexpr (std::same_as<A, exact>) // what all others come to
        {
            add_layout<planes<4>, row_table<4>, A>(o, "4-table", activation, s);
            add_layout<planes<2, 1>, row_table<3>, A>(o, "2-1-table", activation, s);
            add_layout<planes<2>, row_table<2>, A>(o, "2-table", activation, s);
        }
    }
}
