// SPDX-License-Identifier: BSD-3-Clause
#include <jackplane/multiply/arch/avx2.hpp>
#include <jackplane/multiply/arch/avx512.hpp>
#include <jackplane/multiply/arch/batches.hpp>
#include <jackplane/multiply/arch/neon.hpp>
#include "laws/vectors.hpp"

using namespace jackplane;

// What the flags of this unit allow: arch.cmake and checks/qemu.cmake compile it for the others.
TEST_CASE_TEMPLATE_INVOKE(vectors_law, avx2, avx2_vnni, avx512, avx512_vnni, avx512_bf16, neon, neon_dot,
                          neon_i8mm, simd<xsimd::default_arch>, simd<xsimd::sse2>, simd<xsimd::avx>);
