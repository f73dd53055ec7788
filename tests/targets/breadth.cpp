// SPDX-License-Identifier: BSD-3-Clause
// As work.cpp, of the headers that it does not name; compiled, not run: the file reader brings templates of another
// library, which have no target.
#include <jackplane/jackplane.hpp>
#include <jackplane/multiply/dispatch/table.hpp>
#include <jackplane/quantize/balance.hpp>
#include <jackplane/quantize/clip.hpp>
#include <jackplane/quantize/matryoshka.hpp>
#if __has_include(<nlohmann/json.hpp>)
#include <jackplane/store/cut.hpp>
#include <jackplane/store/nested_read.hpp>
#include <jackplane/store/nested_write.hpp>
#include <jackplane/store/npy.hpp>
#endif
#include <cstdio>

extern "C" void WORK()
{
    using namespace jackplane;
    std::vector<float> numbers(64 * 64, 1), x(64), y(64);
    matrix_view<float> const w{numbers.data(), 64, 64};
    multiply_columns(w, channel_scales(x, 0.5f));
    clip(w, w, uniform<4>{}, minmax{}, group{32});
    unsigned const widths[] = {2, 4, 8};
    float const weights[] = {1, 1, 1};
    auto const joint = quantize(w, matryoshka(widths, weights), parent_scale{minmax{}}, group{32}, nearest{},
                                feedback(w));
    auto const two = quantize(w, uniform<2, 8>{}, minmax{}, group{32});
    auto const a = pack<bit_planes>(refine(w, uniform<8>{}, leading(two)));
    multiply(a.prefix(2), x, std::span<float>(y), team(2));

    layer<> loss(w, w);
    tunable<uniform<4>, clip_range<minmax<>>> four(w, {}, {}, group{32});
    tune(std::span(&four, 1), std::span(&loss, 1), one_width(4), signround_rate(2));
    auto const s = integrate(loss, numbers, numbers, gauss(3));
    csr<> const sparse = detach(w, choose(by_change{}, numbers, s.change, 5));
    multiply(dense_sparse(a.prefix(2), sparse), x, std::span<float>(y));

    if (arch_attempt const arch = try_chosen_arch(); !arch)
        std::puts(arch.error);
    multiply<dispatched>(dense_sparse(a.prefix(2), sparse), x, std::span<float>(y));
    dispatch::choose<avx2, scalar>(); // what the unit of the table does

#if __has_include(<nlohmann/json.hpp>)
    nested::writer out;
    out.add("a", a);
    out.save("matrix");
    nested::file const in = nested::open("matrix");
    in.matrix("a", 4);
    npy::open("numbers.npy");
#endif
}
