# SPDX-License-Identifier: BSD-3-Clause
include_guard(GLOBAL)
include(CheckCXXCompilerFlag)
include(CheckCXXSourceCompiles)

# The house tags of the compiler's processor (not of CMAKE_SYSTEM_PROCESSOR: who gives no toolchain file has the host's
# there), best last, whose flags the compiler knows; the others in <missing>.
function(jackplane_archs names missing)
    set(archs_of_x86_64 avx2 avx2_vnni avx512 avx512_vnni avx512_bf16)
    set(archs_of_aarch64 neon neon_dot)
    set(${names})
    set(${missing})
    set(CMAKE_REQUIRED_QUIET ON) # that a processor is another one is no failure
    foreach(processor IN ITEMS x86_64 aarch64)
        check_cxx_source_compiles("#ifndef __${processor}__\n#error\n#endif\nint main() {}"
                                  JACKPLANE_TARGETS_${processor})
        if(JACKPLANE_TARGETS_${processor})
            foreach(arch IN LISTS archs_of_${processor})
                jackplane_arch_flags(${arch} flags)
                list(JOIN flags " " flags)
                check_cxx_compiler_flag("${flags}" JACKPLANE_COMPILES_${arch})
                if(JACKPLANE_COMPILES_${arch})
                    list(APPEND ${names} ${arch})
                else()
                    list(APPEND ${missing} ${arch})
                endif()
            endforeach()
        endif()
    endforeach()
    set(${names} ${${names}} PARENT_SCOPE)
    set(${missing} ${${missing}} PARENT_SCOPE)
endfunction()

# What a unit of a tag may hold: multiply/cpu.hpp asks the CPU for exactly these, multiply/arch.hpp the compiler. The
# first flag takes back what a target's own -march gave. baseline: no tag, what every CPU of the kind has.
function(jackplane_arch_flags arch flags)
    set(avx -march=x86-64 -mavx2 -mfma -mf16c)
    set(avx512 ${avx} -mavx512f -mavx512cd -mavx512dq -mavx512bw -mavx512vl) # xsimd has no BW without CD and DQ
    set(flags_of_baseline)
    if(JACKPLANE_TARGETS_x86_64)
        set(flags_of_baseline -march=x86-64)
    endif()
    set(flags_of_avx2 ${avx})
    set(flags_of_avx2_vnni ${avx} -mavxvnni)
    set(flags_of_avx512 ${avx512})
    set(flags_of_avx512_vnni ${avx512} -mavx512vnni)
    set(flags_of_avx512_bf16 ${avx512} -mavx512vnni -mavx512bf16)
    set(flags_of_neon -march=armv8-a)
    set(flags_of_neon_dot -march=armv8.2-a+dotprod)
    set(${flags} ${flags_of_${arch}} PARENT_SCOPE)
endfunction()
