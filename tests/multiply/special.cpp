// SPDX-License-Identifier: BSD-3-Clause
// Zeros, NaN and Inf.
#include "subjects.hpp"

using namespace jackplane;

// body(a, arch) for the definition and for batches
template <class M, class Body>
void for_kernels(M const& a, Body&& body)
{
    body(a, scalar{});
    body(a, best_arch{});
}
template <class P, class S>
void check_zero_rows()
{
    for (group const g : {group{32}, group{5}, group::per_row()})
    {
        laws::sample w = laws::weights(35, 129, 9, 0x1p14f);
        auto zero = [](std::size_t row) { return row % 3 == 0 || row > 32; };
        for (std::size_t row = 0; row < w.rows; ++row)
            if (zero(row))
                std::fill_n(w.data.data() + row * w.cols, w.cols, row % 2 == 0 ? 0.0f : -0.0f);
        auto const a = pack<bit_planes>(quantize<S>(w.view(), uniform<8>{}, P{}, g));
        for (unsigned bits = 1; bits <= 8; ++bits)
            for (laws::input const kind : laws::all_inputs)
                for (float const gain : {1.0f, 0x1p80f, 0x1p-120f}) // 2^13 |x| must not overflow
                    for_kernels(a.prefix(bits), [&](auto const& m, auto arch)
                    {
                        auto x = laws::vector(129, kind, bits);
                        for (float& v : x)
                            v *= gain;
                        auto const y = laws::times<decltype(arch)>(m, x);
                        std::size_t wrong = 0;
                        for (std::size_t row = 0; row < y.size(); ++row)
                            wrong += zero(row) && y[row] != 0;
                        CHECK(wrong == 0);
                    });
    }
}
TEST_CASE("a row of zeros gives y == 0, whatever the x, width and kind of zero")
{
    check_zero_rows<absmax, half>();
    check_zero_rows<full_range, float>();
    check_zero_rows<minmax<integer_zero>, half>();
    check_zero_rows<minmax<real_zero>, bfloat16>();
}

TEST_CASE("NaN or Inf in x gives NaN in every y")
{
    constexpr float nan = std::numeric_limits<float>::quiet_NaN(), infinity = std::numeric_limits<float>::infinity();
    for (group const g : {group{32}, group{5}, group::per_tensor()})
    {
        laws::sample w = laws::weights(35, 70, 9);
        std::fill_n(w.data.begin(), w.cols, 0.0f); // a row of zeros is no excuse
        auto const a = pack<bit_planes>(quantize(w.view(), uniform<8>{}, minmax{}, g));
        for (float const bad : {nan, infinity, -infinity})
            for (std::size_t const place : {0u, 31u, 32u, 64u, 69u})
                for (unsigned const bits : {8u, 1u})
                    for_kernels(a.prefix(bits), [&](auto const& m, auto arch)
                    {
                        std::vector<float> x(70, 0.5f);
                        x[place] = bad;
                        std::size_t finite = 0;
                        for (float const y : laws::times<decltype(arch)>(m, x))
                            finite += !std::isnan(y);
                        CHECK(finite == 0);
                    });
    }
}

// A kernel of its own, for several vectors, too: those that are finite stay what they are.
template <unsigned Bits, code_layout L, accumulator Acc, class Arch>
void check_tables()
{
    constexpr float nan = std::numeric_limits<float>::quiet_NaN(), infinity = std::numeric_limits<float>::infinity();
    laws::sample w = laws::weights(35, 300, 9);
    std::fill_n(w.data.begin(), w.cols, 0.0f);
    auto const a = pack<L>(quantize(w.view(), row_table<Bits>{}));
    for (float const bad : {nan, infinity, -infinity})
        for (std::size_t const vectors : {1u, 2u, 7u})
            for (std::size_t const spoilt : {std::size_t{0}, vectors - 1})
            {
                std::vector<float> x(vectors * 300, 0.5f), clean(x), y(vectors * 35), wanted(y);
                x[spoilt * 300 + 299] = bad;
                for (auto const& [from, to] : {std::pair(&clean, &wanted), std::pair(&x, &y)})
                {
                    exact::prepared ready;
                    exact::prepare(matrix_view<float const>{from->data(), vectors, 300}, ready);
                    multiply<Arch, Acc>(a, ready, matrix_view<float>{to->data(), vectors, 35});
                }
                std::size_t wrong = 0;
                for (std::size_t i = 0; i < y.size(); ++i)
                    wrong += i / 35 == spoilt ? !std::isnan(y[i]) : y[i] != wanted[i];
                CHECK(wrong == 0);
            }
}
TEST_CASE("NaN or Inf in x gives NaN in every y of a table, whatever the accumulator, and in no other vector's")
{
    check_tables<4, planes<4>, compensated, best_arch>();
    check_tables<4, planes<4>, fp32, best_arch>();
    check_tables<3, planes<2, 1>, fp64, best_arch>();
    check_tables<2, planes<1, 1>, fp32, best_arch>();
    check_tables<4, planes<4>, fp32, scalar>();
}

TEST_CASE("NaN in x reaches every part of a sum, and y of 16 bits")
{
    auto const a = pack<bit_planes>(subjects::random({5, 40}, uniform<8>{}, absmax{}, group{64}, 1));
    std::vector<half> x(40, from_float<half>(1.0f)), y(5);
    x[39] = half{0x7c00};
    multiply(sum(a.prefix(2), a), std::span<half const>(x), std::span<half>(y));
    for (half const v : y)
        CHECK(std::isnan(to_float(v)));
}

TEST_CASE("x of another size is an error that leaves y as it was")
{
    auto const a = pack<bit_planes>(subjects::random({5, 40}, uniform<8>{}, absmax{}, group{64}, 1));
    std::vector<float> x(39, 1.0f), y(5, 7.0f);
    std::vector<half> const narrow(39);
    exact::prepared ready;
    exact::prepare(x, ready);
    CHECK_THROWS_AS(multiply(a, x, y), shape_error);
    CHECK_THROWS_AS(multiply(a, std::span<half const>(narrow), std::span<float>(y)), shape_error);
    CHECK_THROWS_AS(multiply(a, ready, std::span<float>(y)), shape_error);
    CHECK_THROWS_AS(multiply(sum(a.prefix(2), a), x, std::span<float>(y)), shape_error);
    CHECK(y == std::vector<float>(5, 7.0f));
}

TEST_CASE("padding is no part of the product")
{
    // Codes of the padding are 0, which decodes to a large negative weight here; x is padded with +0.
    laws::sample w{1, 1, aligned_vector<float>{1.0f}};
    auto const a = pack<bit_planes>(quantize<float>(w.view(), uniform<8>{}, absmax{}, group{64}));
    CHECK(laws::times<best_arch>(a, {1.0f})[0] == doctest::Approx(1.0f));
    CHECK(laws::times<best_arch>(a, {0.0f})[0] == 0.0f);
    CHECK(laws::times<scalar>(a, {1.0f})[0] == doctest::Approx(1.0f));
}
