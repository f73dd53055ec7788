// SPDX-License-Identifier: BSD-3-Clause
// One unit of a program whose units have different flags: WORK is the name of its only function. Two objects of this
// file are linked (checks/targets.cmake), one for a newer machine, one for an old one; the old one is run.
#include <jackplane/multiply/dense_sparse.hpp>
#include <jackplane/multiply/multiply.hpp>
#include <jackplane/pack/any_packed.hpp>
#include <jackplane/quantize/row_table.hpp>
#include <jackplane/quantize/scale_range.hpp>
#include <cstddef>
#include <cstdio>

namespace
{
    using namespace jackplane;
    constexpr std::size_t rows = 37, cols = 129; // divide nothing

    aligned_vector<float> numbers(std::size_t n)
    {
        aligned_vector<float> all(n);
        for (std::size_t i = 0; i < n; ++i)
            all[i] = static_cast<float>(i * 7 % 31) / 31 - 0.5f;
        return all;
    }

    template <class Activation, class M>
    void times(M const& a)
    {
        aligned_vector<float> const x = numbers(3 * cols);
        aligned_vector<float> y(3 * rows);
        typename Activation::prepared ready;
        Activation{}.prepare(matrix_view<float const>{x.data(), 3, cols}, ready);
        multiply(a, ready, matrix_view<float>{y.data(), 3, rows}, threads{2});
    }
    template <class L, class Q>
    auto packed_of(Q const& q)
    {
        auto const a = pack<L>(q);
        aligned_vector<float> all(rows * cols);
        dequantize(a, matrix_view<float>{all.data(), rows, cols});
        dequantize(unpack(a), matrix_view<float>{all.data(), rows, cols});
        return a;
    }
}

extern "C" void WORK()
{
    aligned_vector<float> const weights = numbers(rows * cols);
    matrix_view<float const> const w{weights.data(), rows, cols};
    aligned_vector<float> inputs(cols * cols);
    for (std::size_t i = 0; i < cols; ++i)
        for (std::size_t j = 0; j < cols; ++j)
            inputs[i * cols + j] = i == j ? 2.0f : 1.0f;
    matrix_view<float const> const gram{inputs.data(), cols, cols};

    packed_of<planes<4, 4>>(quantize(w, uniform<8>{}, minmax<integer_zero>{}, group::per_tensor(), stochastic{1}));
    packed_of<planes<1, 2>>(quantize<bfloat16>(w, uniform<3>{}, minmax<real_zero>{}, group{48}));
    packed_of<planes<2, 1>>(quantize(w, row_table<3>{}));
    if (!scales_of(w, uniform<8>{}, minmax{}, group{32}).held_by<half>())
        std::puts("half loses a scale");
    auto const table = packed_of<planes<4>>(quantize(w, nf4{}, mse_search<absmax>{}, group{64}, nearest{},
                                                     feedback(gram), {.importance = {inputs.data(), 1, cols}}));
    times<limbs<1>>(table);
    auto const a = packed_of<planes<2, 2>>(quantize(w, uniform<4>{}, absmax{}, group{32}));
    times<exact>(a.prefix(2));
    times<bf16>(repack<planes<2, 2>>(a, 2, round_clamp{}));
    any_packed const any = pack<bit_planes>(quantize(w, uniform<8>{}, absmax{}, group{}));

    triplet const some[] = {{0, 0, 1.0f}, {3, 128, -2.0f}, {36, 5, 0.5f}};
    csr<> const sparse(rows, cols, some);
    times<exact>(dense_sparse(a.prefix(4), sparse));
    aligned_vector<half> const x(cols);
    aligned_vector<half> y(rows_of(any));
    multiply(sparse, std::span<half const>(x), std::span<half>(y));
#if !defined(JACKPLANE_NO_EXCEPTIONS)
    try
    {
        a.prefix(9);
    }
    catch (error const& e)
    {
        std::puts(e.what());
    }
#endif
}
