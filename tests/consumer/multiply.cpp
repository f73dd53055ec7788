// SPDX-License-Identifier: BSD-3-Clause
#include <jackplane/multiply/arch/cpu.hpp>
#include <jackplane/multiply/multiply.hpp>
#include <jackplane/pack/pack.hpp>
#include <jackplane/quantize/quantize.hpp>
#include <cmath>
#include <vector>

// The identity times x is x, up to the rounding of 8 bits.
int main()
{
    using namespace jackplane;
    std::vector<float> identity(9), x = {1, -2, 3}, y(3);
    for (std::size_t i = 0; i < 3; ++i)
        identity[4 * i] = 1;
    matrix_view<float const> const w{identity.data(), 3, 3};
    auto const a = pack<planes<8>>(quantize(w, uniform<8>{}, absmax{}, group{}));
    multiply(a, x, y);
    float worst = 0;
    for (std::size_t i = 0; i < 3; ++i)
        worst = std::max(worst, std::abs(y[i] - x[i]));
#if defined(NATIVE)
    if (has(this_cpu(), avx2{}) && !std::derived_from<best_arch, avx2> && !std::derived_from<best_arch, avx512>)
        return 2; // flags that this machine would allow are missing
#endif
    return worst < 0.01f ? 0 : 1;
}
