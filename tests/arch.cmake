# SPDX-License-Identifier: BSD-3-Clause
# The same sources once for every arch tag of the processor, each in a program with that arch's flags.
jackplane_archs(tested_archs missing_archs)
list(PREPEND tested_archs baseline)
if(missing_archs)
    message(STATUS "jackplane: no tests for ${missing_archs}, whose flags this compiler does not know")
endif()

if(machine_archs) # an x86-64 CPU: a program for another one takes a minute to compile, to be skipped
    set(others ${tested_archs})
    list(REMOVE_ITEM others baseline ${machine_archs})
    list(REMOVE_ITEM tested_archs ${others})
    if(others)
        message(STATUS "jackplane: no tests for ${others}, which this CPU does not have")
    endif()
endif()
if(NOT CMAKE_BUILD_TYPE STREQUAL "Release") # the sanitizers take minutes: one arch of each kind
    list(FILTER tested_archs INCLUDE REGEX "^(avx2|avx512_vnni|neon_dot)$")
endif()

add_executable(on_arch on_arch.cpp)
target_link_libraries(on_arch PRIVATE jackplane::multiply)

# arch_<name>_<arch> for each; skipped where the CPU lacks it.
function(arch_test name)
    foreach(arch IN LISTS tested_archs)
        set(target arch_${name}_${arch})
        add_executable(${target} ${ARGN})
        target_link_libraries(${target} PRIVATE doctest_main)
        target_include_directories(${target} PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
        jackplane_arch_flags(${arch} flags)
        target_compile_options(${target} PRIVATE ${flags} $<$<CONFIG:Release>:-O1>)
        if(arch MATCHES avx512 AND CMAKE_CXX_COMPILER_ID STREQUAL GNU)
            # g++ 12 warns inside its own intrinsics, which xsimd calls; `self = self` stands for "undefined" there
            target_compile_options(${target} PRIVATE -Wno-uninitialized)
        endif()
        add_dependencies(unit_tests ${target} on_arch)
        add_test(NAME ${target} COMMAND on_arch ${arch} $<TARGET_FILE:${target}>)
        set_tests_properties(${target} PROPERTIES LABELS "unit;law" SKIP_RETURN_CODE 77)
    endforeach()
endfunction()
