// SPDX-License-Identifier: BSD-3-Clause
#pragma once
// JACKPLANE_TARGET names what this unit is compiled for, by its flags: avx2_feff000000. Units of one program may have
// different flags, as where an engine makes its own units for each machine. The linker keeps one of all inline
// functions of the same name, whichever comes first: with equal names an old machine would run instructions that it
// does not have. So there are two namespaces, both inline, which nobody has to write:
//
//     namespace jackplane::inline v0 // shared by all units: core/target.hpp
//         What may cross between units of different flags: errors, numbers, arch tags, codebooks, layouts, views
//         (matrix_view, packed_view, csr_view ...). No function here may become a symbol: all are forced inline.
//     namespace jackplane::inline v0::inline JACKPLANE_TARGET
//         Everything else: one copy for each target. Handing such a type to a unit of other flags is a link error.
//
// A matrix is passed to another unit as its view, and multiplied there as prefixed{view}; its owner stays in its own
// unit. Templates of other libraries have no target. quantize, pack and multiply use those of the standard library with
// types of ours or where they hold no arithmetic. Elsewhere (tune, loss, integrate, detach; json in store) they are not
// in our hand: units that learn or open files want the flags of the oldest machine.

// 1 where the compiler defines the macro as 1, 2 or 3, else 0
#define JACKPLANE_BIT(macro) JACKPLANE_BIT_OF(macro)
#define JACKPLANE_BIT_OF(value) JACKPLANE_SECOND(JACKPLANE_SET_##value, 0, ~)
#define JACKPLANE_SECOND(...) JACKPLANE_SECOND_OF(__VA_ARGS__)
#define JACKPLANE_SECOND_OF(first, second, ...) second
#define JACKPLANE_SET_1 ~, 1
#define JACKPLANE_SET_2 ~, 1
#define JACKPLANE_SET_3 ~, 1

// Four of them as a digit.
#define JACKPLANE_DIGIT(a, b, c, d) \
    JACKPLANE_DIGIT_OF(JACKPLANE_BIT(a), JACKPLANE_BIT(b), JACKPLANE_BIT(c), JACKPLANE_BIT(d))
#define JACKPLANE_DIGIT_OF(a, b, c, d) JACKPLANE_DIGIT_OF_BITS(a, b, c, d)
#define JACKPLANE_DIGIT_OF_BITS(a, b, c, d) JACKPLANE_HEX_##a##b##c##d
#define JACKPLANE_HEX_0000 0
#define JACKPLANE_HEX_0001 1
#define JACKPLANE_HEX_0010 2
#define JACKPLANE_HEX_0011 3
#define JACKPLANE_HEX_0100 4
#define JACKPLANE_HEX_0101 5
#define JACKPLANE_HEX_0110 6
#define JACKPLANE_HEX_0111 7
#define JACKPLANE_HEX_1000 8
#define JACKPLANE_HEX_1001 9
#define JACKPLANE_HEX_1010 a
#define JACKPLANE_HEX_1011 b
#define JACKPLANE_HEX_1100 c
#define JACKPLANE_HEX_1101 d
#define JACKPLANE_HEX_1110 e
#define JACKPLANE_HEX_1111 f

#define JACKPLANE_JOIN(...) JACKPLANE_JOIN_ALL(__VA_ARGS__)
#define JACKPLANE_JOIN_ALL(word, a, b, c, d, e, f, g, h, i, j, end) word##_##a##b##c##d##e##f##g##h##i##j##end

// Every flag that lets a compiler choose other instructions by itself, and those that kernels ask for.
#if defined(__x86_64__) || defined(__i386__)
#define JACKPLANE_FLAGS                                                                          \
    JACKPLANE_DIGIT(__SSE__, __SSE2__, __SSE3__, __SSSE3__),                                     \
        JACKPLANE_DIGIT(__SSE4_1__, __SSE4_2__, __POPCNT__, __SSE4A__),                          \
        JACKPLANE_DIGIT(__AVX__, __F16C__, __FMA__, __AVX2__),                                   \
        JACKPLANE_DIGIT(__LZCNT__, __BMI__, __BMI2__, __MOVBE__),                                \
        JACKPLANE_DIGIT(__AVX512F__, __AVX512CD__, __AVX512DQ__, __AVX512BW__),                  \
        JACKPLANE_DIGIT(__AVX512VL__, __AVX512VNNI__, __AVX512BF16__, __AVX512FP16__),           \
        JACKPLANE_DIGIT(__AVX512VBMI__, __AVX512VBMI2__, __AVX512BITALG__, __AVX512VPOPCNTDQ__), \
        JACKPLANE_DIGIT(__AVX512IFMA__, __GFNI__, __AVXVNNI__, __AVXVNNIINT8__),                 \
        JACKPLANE_DIGIT(__AVXVNNIINT16__, __AVXNECONVERT__, __AMX_TILE__, __AVX10_2__),          \
        JACKPLANE_DIGIT(__APX_F__, __FMA4__, __XOP__, __TBM__)
#elif defined(__aarch64__) || defined(__arm__)
#define JACKPLANE_FLAGS                                                                                               \
    JACKPLANE_DIGIT(__ARM_NEON, __ARM_FEATURE_FMA, __ARM_FEATURE_FP16_VECTOR_ARITHMETIC, __ARM_FEATURE_FP16_FML),     \
        JACKPLANE_DIGIT(__ARM_FEATURE_DOTPROD, __ARM_FEATURE_MATMUL_INT8, __ARM_FEATURE_BF16, __ARM_FEATURE_COMPLEX), \
        JACKPLANE_DIGIT(__ARM_FEATURE_ATOMICS, __ARM_FEATURE_QRDMX, __ARM_FEATURE_CRC32, __ARM_FEATURE_FRINT),        \
        JACKPLANE_DIGIT(__ARM_FEATURE_SVE, __ARM_FEATURE_SVE2, __ARM_FEATURE_SVE2p1, __ARM_FEATURE_SME),              \
        JACKPLANE_DIGIT(__ARM_FEATURE_RCPC, __ARM_FEATURE_MOPS, __ARM_FEATURE_CSSC, __ARM_FEATURE_JCVT), , , , ,
#else
#define JACKPLANE_FLAGS , , , , , , , , ,
#endif

#if defined(__AVX512F__)
#define JACKPLANE_WORD avx512
#elif defined(__AVX2__)
#define JACKPLANE_WORD avx2
#elif defined(__AVX__)
#define JACKPLANE_WORD avx
#elif defined(__x86_64__) || defined(__i386__)
#define JACKPLANE_WORD sse
#elif defined(__ARM_FEATURE_SVE_BITS) && __ARM_FEATURE_SVE_BITS == 128
#define JACKPLANE_WORD sve128
#elif defined(__ARM_FEATURE_SVE_BITS) && __ARM_FEATURE_SVE_BITS == 256
#define JACKPLANE_WORD sve256
#elif defined(__ARM_FEATURE_SVE_BITS) && __ARM_FEATURE_SVE_BITS > 256
#define JACKPLANE_WORD sve_wide
#elif defined(__ARM_FEATURE_SVE)
#define JACKPLANE_WORD sve
#elif defined(__ARM_NEON)
#define JACKPLANE_WORD neon
#else
#define JACKPLANE_WORD any
#endif

#if defined(JACKPLANE_NO_EXCEPTIONS) || !defined(__cpp_exceptions) // `error` is another type there
#define JACKPLANE_FAILS _no_exceptions
#else
#define JACKPLANE_FAILS
#endif

#define JACKPLANE_TARGET JACKPLANE_JOIN(JACKPLANE_WORD, JACKPLANE_FLAGS, JACKPLANE_FAILS)
