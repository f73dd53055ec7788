# SPDX-License-Identifier: BSD-3-Clause
# Our own top-level build only: presets cannot ask the CPU, and no INTERFACE target may carry such a flag.
# Linux lists a feature only when the system saves its registers too; each is asked for by its own name.
set(machine_level baseline)
if(EXISTS /proc/cpuinfo AND NOT CMAKE_CROSSCOMPILING)
    file(STRINGS /proc/cpuinfo cpu_flags REGEX "^flags" LIMIT_COUNT 1)
    string(REGEX MATCHALL "[a-z0-9_]+" cpu_flags "${cpu_flags}")
    set(missing avx avx2 bmi1 bmi2 f16c fma abm movbe xsave) # x86-64-v3; abm is Linux's name of lzcnt
    list(REMOVE_ITEM missing ${cpu_flags})
    if(NOT missing)
        set(machine_level x86-64-v3)
    endif()
endif()

# The house tags that this x86-64 machine runs (multiply/arch/archs.hpp), the best last; empty where there are none.
set(machine_archs)
if(DEFINED cpu_flags AND machine_level STREQUAL x86-64-v3)
    get_property(tags GLOBAL PROPERTY jackplane_archs_of_X86_64)
    foreach(tag IN LISTS tags)
        get_property(missing GLOBAL PROPERTY jackplane_${tag}_listed)
        list(REMOVE_ITEM missing ${cpu_flags})
        if(NOT missing)
            list(APPEND machine_archs ${tag})
        endif()
    endforeach()
endif()

if(JACKPLANE_MACHINE_FLAGS AND NOT machine_level STREQUAL baseline)
    add_compile_options(-march=${machine_level})
    message(STATUS "jackplane: compiling for ${machine_level}, which this machine has")
else()
    message(STATUS "jackplane: compiling for the compiler's baseline (this machine: ${machine_level})")
endif()
