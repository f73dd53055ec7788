// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "../../core/target.hpp"

// The library's own archs, each after its parent, the best of a processor last. A line makes the tag (arch.hpp), the
// check of the CPU (cpu.hpp) and a candidate of best_arch (best.hpp); cmake/archs.cmake reads the same lines.
//
//     tag, parent       whose kernels it has where it brings none
//     0 or 1, twice     products with x as integers: of codes (multiplies_bytes), of tables of 4 bits (looks_up_bytes)
//     flags             of a unit, beside its parent's; the first takes back what a target's own -march gave
//     listed            what /proc/cpuinfo lists, beside its parent's
//     brings            the kinds of kernels that are its own
//     has               what the CPU answers, beside its parent's, in the names of features_of and features_of_hwcap
//
// Intel SDM volume 2A, CPUID; arch/arm64/include/uapi/asm/hwcap.h of Linux. xsimd has no BW without CD and DQ.
#define JACKPLANE_ARCHS_OF_X86_64(ARCH)                                                                        \
    ARCH(avx2, common, 1, 0, "-march=x86-64 -mavx2 -mfma -mf16c", "avx2 fma f16c", "exact limbs bf16 sparse", \
         all(r.leaf1_ecx, 0, 9, 12, 19, 20, 23, 28, 29) && all(r.leaf7_ebx, 5) && saves_ymm)                   \
    ARCH(avx2_vnni, avx2, 1, 1, "-mavxvnni", "avx_vnni", "limbs", all(r.leaf7_1_eax, 4))                       \
    ARCH(avx512, common, 1, 0,                                                                                 \
         "-march=x86-64 -mavx2 -mfma -mf16c -mavx512f -mavx512cd -mavx512dq -mavx512bw -mavx512vl",            \
         "avx2 fma f16c avx512f avx512cd avx512dq avx512bw avx512vl", "exact limbs bf16 sparse",              \
         all(r.leaf7_ebx, 16, 17, 28, 30, 31) && f.avx2 && saves_zmm)                                          \
    ARCH(avx512_vnni, avx512, 1, 1, "-mavx512vnni", "avx512_vnni", "limbs", all(r.leaf7_ecx, 11))              \
    ARCH(avx512_bf16, avx512_vnni, 1, 1, "-mavx512bf16", "avx512_bf16", "bf16", all(r.leaf7_1_eax, 5))

#define JACKPLANE_ARCHS_OF_AARCH64(ARCH)                                                           \
    ARCH(neon, common, 1, 0, "-march=armv8-a", "asimd", "exact limbs bf16 sparse", all(hwcap, 1)) \
    ARCH(neon_dot, neon, 1, 0, "-march=armv8.2-a+dotprod", "asimddp", "limbs", all(hwcap, 20)) \
    ARCH(neon_i8mm, neon_dot, 1, 1, "-march=armv8.2-a+dotprod+i8mm", "i8mm", "limbs", all(hwcap2, 13))

#define JACKPLANE_ARCHS(ARCH) JACKPLANE_ARCHS_OF_X86_64(ARCH) JACKPLANE_ARCHS_OF_AARCH64(ARCH)

// Whether the flags of this unit allow a tag: decided here alone, and asked by every header of intrinsics.
#define JACKPLANE_HAS_avx2 (JACKPLANE_BIT(__AVX2__) && JACKPLANE_BIT(__FMA__) && JACKPLANE_BIT(__F16C__))
#define JACKPLANE_HAS_avx2_vnni (JACKPLANE_HAS_avx2 && JACKPLANE_BIT(__AVXVNNI__))
#define JACKPLANE_HAS_avx512                                                                           \
    (JACKPLANE_HAS_avx2 && JACKPLANE_BIT(__AVX512CD__) && JACKPLANE_BIT(__AVX512DQ__) && /* imply F */ \
     JACKPLANE_BIT(__AVX512BW__) && JACKPLANE_BIT(__AVX512VL__))
#define JACKPLANE_HAS_avx512_vnni (JACKPLANE_HAS_avx512 && JACKPLANE_BIT(__AVX512VNNI__))
#define JACKPLANE_HAS_avx512_bf16 (JACKPLANE_HAS_avx512_vnni && JACKPLANE_BIT(__AVX512BF16__))
#define JACKPLANE_HAS_neon (JACKPLANE_BIT(__ARM_NEON) && JACKPLANE_BIT(__aarch64__))
#define JACKPLANE_HAS_neon_dot (JACKPLANE_HAS_neon && JACKPLANE_BIT(__ARM_FEATURE_DOTPROD))
#define JACKPLANE_HAS_neon_i8mm (JACKPLANE_HAS_neon_dot && JACKPLANE_BIT(__ARM_FEATURE_MATMUL_INT8))
