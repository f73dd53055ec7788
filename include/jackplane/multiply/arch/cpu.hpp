// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cstdint>
#include <cstdlib>
#include <span>
#include <string>
#include <string_view>
#include "../../core/check.hpp"
#include "arch.hpp"
#if defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>
#elif defined(__aarch64__) && __has_include(<sys/auxv.h>)
#include <sys/auxv.h>
#endif

// What the machine that runs the program has; what a unit is compiled for is asked in arch.hpp.
namespace jackplane::inline v0::inline JACKPLANE_TARGET
{
    // What cpuid answers; leaves beyond the CPU's highest are 0.
    struct x86_registers
    {
        std::uint32_t leaf1_ecx = 0, leaf7_ebx = 0, leaf7_ecx = 0, leaf7_1_eax = 0;
        std::uint64_t xcr0 = 0; // which registers the operating system saves; 0 where it cannot be asked
    };

    // By arch tag: the CPU has every instruction that a unit of that tag may hold, and the operating system saves the
    // registers. Each feature by its own bit: none is inferred from another.
    struct cpu_features
    {
#define JACKPLANE_FEATURE(tag, ...) bool tag = false;
        JACKPLANE_ARCHS(JACKPLANE_FEATURE)
#undef JACKPLANE_FEATURE
        friend constexpr bool operator==(cpu_features const&, cpu_features const&) = default;
    };

    // Whether a CPU of these features runs the kernels of a tag.
    constexpr bool has(cpu_features const&, common const&) noexcept { return true; } // scalar, simd<X>: the baseline
#define JACKPLANE_ASK(tag, ...) \
    constexpr bool has(cpu_features const& f, tag const&) noexcept { return f.tag; }
    JACKPLANE_ARCHS(JACKPLANE_ASK)
#undef JACKPLANE_ASK

    namespace detail
    {
        constexpr bool all(std::uint64_t from, auto... bits) noexcept { return (((from >> bits & 1) != 0) && ...); }
    }
// Where a CPU has what the parent asks for, and the bits of the line.
#define JACKPLANE_ANSWER(tag, parent, multiplies, looks_up, flags, listed, brings, ...) \
    f.tag = has(f, parent{}) && (__VA_ARGS__);

    // What an x86 with these registers has.
    constexpr cpu_features features_of(x86_registers const& r) noexcept
    {
        using detail::all;
        // XCR0: Intel SDM volume 1, 13.3
        bool const saves_ymm = all(r.leaf1_ecx, 27) && all(r.xcr0, 1, 2); // OSXSAVE; SSE, AVX state
        bool const saves_zmm = saves_ymm && all(r.xcr0, 5, 6, 7);         // opmask, ZMM_Hi256, Hi16_ZMM
        cpu_features f;
        JACKPLANE_ARCHS_OF_X86_64(JACKPLANE_ANSWER)
        return f;
    }

    // AT_HWCAP and AT_HWCAP2 of Linux on aarch64.
    constexpr cpu_features features_of_hwcap(std::uint64_t hwcap, std::uint64_t hwcap2 = 0) noexcept
    {
        using detail::all;
        cpu_features f;
        JACKPLANE_ARCHS_OF_AARCH64(JACKPLANE_ANSWER)
        return f;
    }
#undef JACKPLANE_ANSWER

#if defined(__x86_64__) || defined(__i386__)
    inline x86_registers read_registers() noexcept
    {
        x86_registers r;
        std::uint32_t eax = 0, ebx = 0, ecx = 0, edx = 0;
        if (__get_cpuid(1, &eax, &ebx, &ecx, &edx) != 0)
            r.leaf1_ecx = ecx;
        if (__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) != 0)
        {
            r.leaf7_ebx = ebx;
            r.leaf7_ecx = ecx;
            if (eax >= 1 && __get_cpuid_count(7, 1, &eax, &ebx, &ecx, &edx) != 0) // eax: the last subleaf
                r.leaf7_1_eax = eax;
        }
        if ((r.leaf1_ecx >> 27 & 1) != 0) // or xgetbv is an illegal instruction
        {
            __asm__ volatile("xgetbv" : "=a"(eax), "=d"(edx) : "c"(0));
            r.xcr0 = std::uint64_t{edx} << 32 | eax;
        }
        return r;
    }
#endif

    // Asked once.
    inline cpu_features const& this_cpu() noexcept
    {
#if defined(__x86_64__) || defined(__i386__)
        static cpu_features const found = features_of(read_registers());
#elif defined(__aarch64__) && __has_include(<sys/auxv.h>)
        static cpu_features const found = features_of_hwcap(getauxval(AT_HWCAP), getauxval(AT_HWCAP2));
#else // nobody to ask: what this unit is compiled for
#define JACKPLANE_COMPILED(tag, ...) tag::supported(),
        static cpu_features const found{JACKPLANE_ARCHS(JACKPLANE_COMPILED)};
#undef JACKPLANE_COMPILED
#endif
        return found;
    }

    struct arch_candidate // compiled into this program
    {
        char const* name;
        bool runs; // on this CPU
    };

    // Where the choice stands among the candidates, or why there is none.
    struct arch_place
    {
        std::size_t place = 0; // among the candidates
        std::string error;     // why there is none; empty: there is
    };

    // The index of the arch to use among `best_first`: the one that was named, or the first that runs. A named one that
    // is not available is an error, not a silent fallback: whoever sets it measures or looks for a bug.
    inline arch_place try_choose_arch(std::span<arch_candidate const> best_first, std::string_view wish)
    {
#define JACKPLANE_NAME(tag, ...) #tag,
        constexpr std::string_view known[] = {"scalar", "generic", JACKPLANE_ARCHS(JACKPLANE_NAME)};
#undef JACKPLANE_NAME
        std::string can;
        for (arch_candidate const& one : best_first)
            if (one.runs)
                can += text(can.empty() ? "" : ", ", one.name);
        bool is_known = false;
        for (std::string_view const name : known)
            is_known = is_known || name == wish;
        for (std::size_t i = 0; i < best_first.size(); ++i)
            if (wish.empty() ? best_first[i].runs : best_first[i].name == wish)
            {
                if (best_first[i].runs)
                    return {i, {}};
                return {i, text("JACKPLANE_ARCH=", wish, ": this CPU or its operating system does not have it; this ",
                                "program can run here as ", can)};
            }
        char const* const why = is_known ? ": this program has no such kernels" : ": no such arch";
        return {0, text("JACKPLANE_ARCH=", wish, why, "; this program can run here as ", can)};
    }
    // Throws arch_error.
    inline std::size_t choose_arch(std::span<arch_candidate const> best_first, std::string_view wish)
    {
        arch_place const found = try_choose_arch(best_first, wish);
        if (!found.error.empty())
            fail<arch_error>(found.error);
        return found.place;
    }

    // The environment variable JACKPLANE_ARCH, which lowers the choice; empty if it is not set.
    inline std::string_view wished_arch() noexcept
    {
        char const* const wish = std::getenv("JACKPLANE_ARCH");
        return wish == nullptr ? std::string_view() : std::string_view(wish);
    }
}
