// SPDX-License-Identifier: BSD-3-Clause
#include <doctest/doctest.h>
#include <jackplane/multiply/arch/cpu.hpp>
#include <fstream>
#include <initializer_list>
#include <sstream>
#include <string>
#include <vector>

using namespace jackplane;

namespace
{
    constexpr std::uint32_t bits(std::initializer_list<unsigned> set)
    {
        std::uint32_t all = 0;
        for (unsigned const bit : set)
            all |= 1u << bit;
        return all;
    }

    // A Zen 5: every feature that is looked at.
    constexpr x86_registers everything{bits({0, 9, 12, 19, 20, 23, 27, 28, 29}), bits({5, 16, 17, 28, 30, 31}),
                                       bits({11}), bits({4, 5}), 0xe7};
    constexpr x86_registers without(std::uint32_t x86_registers::*where, unsigned bit)
    {
        x86_registers r = everything;
        r.*where &= ~(1u << bit);
        return r;
    }
    constexpr x86_registers saving(std::uint64_t xcr0)
    {
        x86_registers r = everything;
        r.xcr0 = xcr0;
        return r;
    }
    constexpr cpu_features nothing{};

    cpu_features expected(std::initializer_list<char const*> names)
    {
        cpu_features f;
        for (std::string const name : names)
        {
            f.avx2 = f.avx2 || name == "avx2";
            f.avx2_vnni = f.avx2_vnni || name == "avx2_vnni";
            f.avx512 = f.avx512 || name == "avx512";
            f.avx512_vnni = f.avx512_vnni || name == "avx512_vnni";
            f.avx512_bf16 = f.avx512_bf16 || name == "avx512_bf16";
            f.neon = f.neon || name == "neon";
            f.neon_dot = f.neon_dot || name == "neon_dot";
            f.neon_i8mm = f.neon_i8mm || name == "neon_i8mm";
        }
        return f;
    }

    std::string message_of(std::vector<arch_candidate> const& candidates, std::string_view wish)
    {
        try
        {
            choose_arch(candidates, wish);
        }
        catch (arch_error const& e)
        {
            return e.what();
        }
        return "no error";
    }
}

TEST_CASE("each x86 feature counts by its own bit")
{
    CHECK(features_of(everything) == expected({"avx2", "avx2_vnni", "avx512", "avx512_vnni", "avx512_bf16"}));
    CHECK(features_of(x86_registers{}) == nothing);
    for (unsigned const bit : {0u, 9u, 12u, 19u, 20u, 23u, 28u, 29u}) // SSE3 .. POPCNT, FMA, AVX, F16C
        CHECK(features_of(without(&x86_registers::leaf1_ecx, bit)) == nothing);
    CHECK(features_of(without(&x86_registers::leaf7_ebx, 5)) == nothing);
    for (unsigned const bit : {16u, 17u, 28u, 30u, 31u}) // F, DQ, CD, BW, VL
        CHECK(features_of(without(&x86_registers::leaf7_ebx, bit)) == expected({"avx2", "avx2_vnni"}));
    // a bf16 unit holds VNNI instructions too: BF16 alone (Cooper Lake masked by a hypervisor) does not run it
    CHECK(features_of(without(&x86_registers::leaf7_ecx, 11)) == expected({"avx2", "avx2_vnni", "avx512"}));
    // Zen 4: AVX512_BF16 without AVX-VNNI, both in leaf 7.1
    CHECK(features_of(without(&x86_registers::leaf7_1_eax, 4)) ==
          expected({"avx2", "avx512", "avx512_vnni", "avx512_bf16"}));
    CHECK(features_of(without(&x86_registers::leaf7_1_eax, 5)) ==
          expected({"avx2", "avx2_vnni", "avx512", "avx512_vnni"}));
}

TEST_CASE("registers that the operating system does not save are not there")
{
    CHECK(features_of(without(&x86_registers::leaf1_ecx, 27)) == nothing); // no OSXSAVE: xcr0 means nothing
    CHECK(features_of(saving(0)) == nothing);
    CHECK(features_of(saving(0x3)) == nothing);                   // x87, SSE
    CHECK(features_of(saving(0xe3)) == nothing);                  // ZMM without YMM
    CHECK(features_of(saving(0x5)) == nothing);                   // YMM without SSE
    for (std::uint64_t const xcr0 : {0x07u, 0x67u, 0xa7u, 0xc7u}) // any of opmask, ZMM_Hi256, Hi16_ZMM missing
        CHECK(features_of(saving(xcr0)) == expected({"avx2", "avx2_vnni"}));
    CHECK(features_of(saving(0x602e7)) == features_of(everything)); // others, such as AMX, do not matter
}

TEST_CASE("aarch64: by the hardware capabilities of the kernel")
{
    CHECK(features_of_hwcap(0) == nothing);
    CHECK(features_of_hwcap(1u << 1) == expected({"neon"}));
    CHECK(features_of_hwcap(1u << 1 | 1u << 20) == expected({"neon", "neon_dot"}));
    CHECK(features_of_hwcap(1u << 20) == nothing);
    CHECK(features_of_hwcap(1u << 1 | 1u << 20, 1u << 13) == expected({"neon", "neon_dot", "neon_i8mm"}));
    CHECK(features_of_hwcap(1u << 1, 1u << 13) == expected({"neon"})); // its unit holds the dot product, too
}

TEST_CASE("a tag is asked by its own bit, and the baseline is always there")
{
    cpu_features const f = features_of(without(&x86_registers::leaf7_1_eax, 4));
    CHECK(has(f, avx2{}));
    CHECK(!has(f, avx2_vnni{}));
    CHECK(has(f, avx512{}));
    CHECK(has(f, avx512_vnni{}));
    CHECK(has(f, avx512_bf16{}));
    CHECK(!has(f, neon{}));
    CHECK(has(nothing, scalar{}));
    CHECK(has(nothing, simd<void>{}));
    CHECK(has(expected({"neon"}), neon{}));
    CHECK(!has(expected({"neon"}), neon_dot{}));
    // this unit runs: what it is compiled for must be found
    CHECK(has(this_cpu(), avx2{}) >= avx2::supported());
    CHECK(has(this_cpu(), avx512{}) >= avx512::supported());
    CHECK(has(this_cpu(), avx512_vnni{}) >= avx512_vnni::supported());
    CHECK(has(this_cpu(), neon{}) >= neon::supported());
}

// Linux lists a flag only when the feature may be used: the registers are saved and no workaround masks it.
TEST_CASE("this machine: what /proc/cpuinfo says")
{
    std::ifstream file("/proc/cpuinfo");
    std::string line;
#if defined(__aarch64__) // qemu shows the host's file, which has no such line
    auto const is_list = [](std::string const& l) { return l.starts_with("Features"); };
#else
    auto const is_list = [](std::string const& l) { return l.starts_with("flags"); };
#endif
    while (std::getline(file, line) && !is_list(line))
    {
    }
    if (!is_list(line))
    {
        MESSAGE("no list of features in /proc/cpuinfo");
        return;
    }
    auto const listed = [&](std::initializer_list<char const*> flags)
    {
        std::size_t found = 0;
        for (std::string const wanted : flags)
        {
            std::istringstream words(line);
            for (std::string word; words >> word;)
                if (word == wanted)
                {
                    ++found;
                    break;
                }
        }
        return found == flags.size();
    };
    cpu_features const& f = this_cpu();
    CHECK(f.avx2 == listed({"avx", "avx2", "fma", "f16c"}));
    CHECK(f.avx512 == listed({"avx2", "fma", "f16c", "avx512f", "avx512cd", "avx512dq", "avx512bw",
                                    "avx512vl"}));
    CHECK(f.avx512_vnni == (f.avx512 && listed({"avx512_vnni"})));
    // Linux knows these two words since 5.3 and 5.12: an older one does not list what the CPU has
    CHECK(f.avx512_bf16 >= (f.avx512_vnni && listed({"avx512_bf16"})));
    CHECK(f.avx2_vnni >= (f.avx2 && listed({"avx_vnni"})));
    CHECK(f.neon == listed({"asimd"}));
    CHECK(f.neon_dot == listed({"asimd", "asimddp"}));
    CHECK(f.neon_i8mm == listed({"asimd", "asimddp", "i8mm"}));
}

TEST_CASE("the best arch that runs, unless one is wished for")
{
    std::vector<arch_candidate> const zen4 = {
        {"avx512_vnni", true}, {"avx2_vnni", false}, {"avx2", true}, {"generic", true}, {"scalar", true}};
    CHECK(choose_arch(zen4, "") == 0);
    CHECK(choose_arch(zen4, "avx512_vnni") == 0);
    CHECK(choose_arch(zen4, "avx2") == 2);
    CHECK(choose_arch(zen4, "generic") == 3);
    CHECK(choose_arch(zen4, "scalar") == 4);

    std::vector<arch_candidate> haswell = zen4;
    haswell[0].runs = false;
    CHECK(choose_arch(haswell, "") == 2);
    CHECK(message_of(haswell, "avx512_vnni") ==
          "JACKPLANE_ARCH=avx512_vnni: this CPU or its operating system does not have it; this program can run here as "
          "avx2, generic, scalar");
    CHECK(message_of(zen4, "neon") ==
          "JACKPLANE_ARCH=neon: this program has no such kernels; this program can run here as "
          "avx512_vnni, avx2, generic, scalar");
    CHECK(message_of(zen4, "avx1024") ==
          "JACKPLANE_ARCH=avx1024: no such arch; this program can run here as avx512_vnni, avx2, generic, scalar");
}
