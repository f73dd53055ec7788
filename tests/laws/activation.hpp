// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "linear_map.hpp"

// A prepared x holds x itself in blocks of 32 columns with the sum of each.
TEST_CASE_TEMPLATE_DEFINE("activation", A, activation_law)
{
    using namespace laws;
    using jackplane::block;
    static_assert(jackplane::activation<A>);
    typename A::prepared ready;

    SUBCASE("x as it is, padded with +0")
    {
        for (std::size_t const n : ragged)
        {
            auto const x = vector(n, input::bell, n);
            A{}.prepare(x, ready);
            auto const v = ready.view();
            REQUIRE(v.cols == n);
            CHECK(ready.cols() == n);
            CHECK(same_bits({v.x, n}, x));
            std::vector<float> const padding(jackplane::round_up(n, block::cols) - n, 0.0f);
            CHECK(same_bits({v.x + n, padding.size()}, padding));
        }
    }
    SUBCASE("block sums are rounded once, but for 31 roundings of a double")
    {
        for (input const kind : all_inputs)
            for (std::size_t const n : ragged)
            {
                auto const x = vector(n, kind, n + 1);
                A{}.prepare(x, ready);
                for (std::size_t b = 0; b * block::cols < n; ++b)
                {
                    exact_number sum = 0, magnitudes = 0;
                    for (std::size_t i = b * block::cols; i < std::min(n, (b + 1) * block::cols); ++i)
                        sum += x[i], magnitudes += std::abs(x[i]);
                    exact_number const error = std::abs(sum - ready.view().sums[b]);
                    CHECK(error <= half_eps * std::abs(sum) + 31 * 0x1p-53L * magnitudes);
                    if (kind == input::coarse) // exact in double
                        CHECK(ready.view().sums[b] == static_cast<float>(sum));
                }
            }
    }
    SUBCASE("the sum of a block with NaN or Inf is NaN, of the others it is not")
    {
        for (float const bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
                                -std::numeric_limits<float>::infinity()})
        {
            std::vector<float> x(100, 1.0f);
            x[40] = bad;
            A{}.prepare(x, ready);
            for (std::size_t b = 0; b < 4; ++b)
                CHECK(std::isnan(ready.view().sums[b]) == (b == 1));
        }
    }
    SUBCASE("nothing of a longer x is left behind")
    {
        typename A::prepared fresh;
        A{}.prepare(std::vector<float>(200, 3.0f), ready);
        for (std::size_t const n : {33u, 5u, 0u, 64u})
        {
            auto const x = vector(n, input::positive, n);
            A{}.prepare(x, ready);
            A{}.prepare(x, fresh);
            std::size_t const blocks = jackplane::ceil_div(n, block::cols);
            CHECK(ready.cols() == n);
            CHECK(same_bits({ready.view().x, blocks * block::cols}, {fresh.view().x, blocks * block::cols}));
            CHECK(same_bits({ready.view().sums, blocks}, {fresh.view().sums, blocks}));
        }
    }
}

namespace laws
{
    // [n, cols]: ordinary, and all that may be special about a group of numbers
    inline std::vector<float> special_vectors(std::size_t cols)
    {
        using limits = std::numeric_limits<float>;
        std::vector<float> all;
        for (int kind = 0; kind < 12; ++kind)
        {
            auto x = vector(cols, kind < 5 ? all_inputs[static_cast<std::size_t>(kind)] : input::bell, cols);
            for (std::size_t i = 0; i < cols; ++i)
                switch (kind)
                {
                case 5: x[i] *= 0x1p-140f; break; // subnormal
                case 6: x[i] *= 1.6e38f; break;
                case 7: x[i] = i / 32 == 1 ? x[i] : i % 2 == 0 ? 0.0f : -0.0f; break;
                case 8: x[i] = i == cols / 2 ? limits::quiet_NaN() : x[i]; break;
                case 9: x[i] = i + 1 == cols ? -limits::infinity() : x[i]; break;
                case 10: x[i] = i % 32 == 0 ? 127.0f : std::nearbyint(60 * x[i]) + 0.5f; break; // ties
                case 11: x[i] *= 0x1p-114f; break; // some groups have the smallest scale
                default: break;
                }
            all.insert(all.end(), x.begin(), x.end());
        }
        return all;
    }

    // Limb l of a column of a vector, and the place of a group's scale.
    template <unsigned Limbs>
    struct limbs_reader
    {
        jackplane::limbs_view<Limbs> v;
        std::size_t before = 0, width = 0, nth = 0; // places before its tile, of its tile, before it in the tile

        limbs_reader(jackplane::limbs_view<Limbs> const& view, std::size_t n) : v(view), nth(n)
        {
            using tiles = jackplane::kernel::tiles<Limbs>;
            for (width = tiles::width(v.x.vectors); nth >= width; width = tiles::width(v.x.vectors - before))
            {
                before += width;
                nth -= width;
            }
        }
        int limb(std::size_t col, std::size_t l) const
        {
            std::size_t const cols = v.x.blocks * jackplane::block::cols;
            return v.q[before * cols * Limbs + ((col / 4 * width + nth) * Limbs + l) * 4 + col % 4];
        }
        float scale(std::size_t group) const { return v.scales[before * v.groups + group * width + nth]; }
        float sum(std::size_t group, std::size_t l) const
        {
            return v.sums[(before * v.groups + group * width + nth) * Limbs + l];
        }
    };

    // Of blocks: the scale is that of their group, the sums are those of their own limbs.
    template <unsigned Limbs>
    unsigned wrong_blocks(jackplane::limbs_view<Limbs> const& v, std::size_t n)
    {
        constexpr std::size_t cols = jackplane::block::cols;
        limbs_reader<Limbs> const read(v, n), of_block(jackplane::kernel::by_blocks(v), n);
        unsigned wrong = 0;
        for (std::size_t b = 0; b < v.x.blocks; ++b)
        {
            float const scale = read.scale(b * cols / v.group), found = of_block.scale(b);
            wrong += !same_bits({&scale, 1}, {&found, 1});
            for (std::size_t l = 0; l < Limbs; ++l)
            {
                int sum = 0;
                for (std::size_t i = b * cols; i < (b + 1) * cols; ++i)
                    sum += read.limb(i, l);
                wrong += of_block.sum(b, l) != static_cast<float>(sum);
            }
        }
        return wrong;
    }
    // Numbers of a group that break what limbs.hpp says of it; x [cols] is vector n of the view.
    template <unsigned Limbs>
    unsigned wrong_limbs(jackplane::limbs_view<Limbs> const& v, std::size_t n, std::span<float const> x)
    {
        limbs_reader<Limbs> const read(v, n);
        unsigned wrong = 0;
        for (std::size_t g = 0; g < v.groups; ++g)
        {
            std::size_t const begin = g * v.group, end = std::min(begin + v.group, v.x.blocks * jackplane::block::cols);
            float largest = 0;
            for (std::size_t i = begin; i < std::min(end, x.size()); ++i)
                largest = jackplane::is_finite(x[i]) ? std::max(largest, std::abs(x[i])) : HUGE_VALF;
            bool const finite = std::isfinite(largest);
            float const s = std::max(largest / jackplane::limbs<Limbs>::largest, 0x1p-120f);
            wrong += finite ? read.scale(g) != s : !std::isnan(read.scale(g));
            std::array<int, Limbs> sums{};
            for (std::size_t i = begin; i < end; ++i)
            {
                exact_number q = 0;
                for (std::size_t l = Limbs; l-- > 0;)
                {
                    q = 256 * q + read.limb(i, l);
                    sums[l] += read.limb(i, l);
                }
                exact_number const value = finite && i < x.size() ? x[i] : 0.0f;
                exact_number const most = exact_number{s} / 2 + (0x1p-23L + 0x1p-48L) * std::abs(value);
                wrong += value == 0 ? q != 0 : !(std::abs(value - s * q) <= most);
            }
            for (std::size_t l = 0; l < Limbs; ++l)
                wrong += read.sum(g, l) != static_cast<float>(sums[l]);
        }
        return wrong;
    }
    template <unsigned Limbs>
    bool same_limbs(jackplane::limbs_view<Limbs> const& a, jackplane::limbs_view<Limbs> const& b)
    {
        std::size_t const places = jackplane::kernel::tiles<Limbs>::padded(a.x.vectors), scales = a.groups * places;
        return a.x.vectors == b.x.vectors && a.x.blocks == b.x.blocks && a.group == b.group && a.groups == b.groups &&
               std::equal(a.q, a.q + places * a.x.blocks * jackplane::block::cols * Limbs, b.q) &&
               same_bits({a.scales, scales}, {b.scales, scales}) &&
               same_bits({a.block_scales, places * a.x.blocks}, {b.block_scales, places * b.x.blocks}) &&
               same_bits({a.block_sums, places * a.x.blocks * Limbs}, {b.block_sums, places * b.x.blocks * Limbs}) &&
               same_bits({a.sums, scales * Limbs}, {b.sums, scales * Limbs});
    }
}

// Integers of bytes, one scale for every group of columns.
TEST_CASE_TEMPLATE_DEFINE("limbs", A, limbs_law)
{
    using namespace laws;
    constexpr unsigned limbs = A::count;
    static_assert(jackplane::activation<A>);
    typename A::prepared ready, defined;

    SUBCASE("within the stated error, exact sums, NaN where a number is not finite; the same bytes by the definition")
    {
        for (std::size_t const group : {32u, 64u, 128u})
            for (std::size_t const cols : {1u, 31u, 33u, 96u, 129u, 300u})
                for (std::size_t const n : {1u, 3u, 4u, 5u, 9u, 12u})
                {
                    auto const x = special_vectors(cols);
                    for (std::size_t first = 0; first * cols < x.size(); first += n)
                    {
                        std::size_t const count = std::min(n, x.size() / cols - first);
                        jackplane::matrix_view<float const> const some{x.data() + first * cols, count, cols};
                        A{group}.prepare(some, ready);
                        A{group}.template prepare<jackplane::scalar>(some, defined);
                        unsigned wrong = !same_limbs<limbs>(ready.view(), defined.view());
                        for (std::size_t k = 0; k < count; ++k)
                            wrong += wrong_limbs<limbs>(ready.view(), k, some.row(k)) +
                                     wrong_blocks<limbs>(ready.view(), k);
                        CHECK(wrong == 0);
                    }
                }
    }
    SUBCASE("nothing of a longer x is left behind")
    {
        for (std::size_t const n : {5u, 1u, 9u})
            for (std::size_t const cols : {300u, 33u, 64u, 0u, 5u})
            {
                auto const x = vector(n * cols, input::positive, n);
                jackplane::matrix_view<float const> const all{x.data(), n, cols};
                typename A::prepared fresh;
                A{32}.prepare(all, ready);
                A{32}.prepare(all, fresh);
                CHECK(same_limbs<limbs>(ready.view(), fresh.view()));
                CHECK(ready.cols() == cols);
                CHECK(ready.vectors() == n);
            }
    }
    SUBCASE("a group of another size is an error")
    {
        CHECK_THROWS_WITH_AS(A{48}.prepare(std::vector<float>(96), ready),
                             "activation groups of 48 columns; there are 32, 64 and 128", jackplane::shape_error);
    }
}
