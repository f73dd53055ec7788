# SPDX-License-Identifier: BSD-3-Clause
cmake_minimum_required(VERSION 3.25)
# Every header of multiply/ and a small product (flags.cpp) compile under any flags; it runs where the CPU has them
# (ON_ARCH) with the kernels that they allow. Flags that ask for nothing are told once. FEW: a handful of flags.

include(${CMAKE_CURRENT_LIST_DIR}/compiler.cmake)
find_compiler()
execute_process(COMMAND ${found} -dumpmachine OUTPUT_VARIABLE machine)
if(NOT machine MATCHES "^x86_64")
    message(STATUS "SKIPPED: ${COMPILER} compiles for another processor")
    return()
endif()
file(GLOB headers RELATIVE ${ROOT}/include ${ROOT}/include/jackplane/multiply/*.hpp
     ${ROOT}/include/jackplane/multiply/kernel/*.hpp)
set(all)
foreach(header IN LISTS headers)
    string(APPEND all "#include <${header}>\n")
endforeach()
file(WRITE ${OUT}/all.cpp "${all}#include \"${ROOT}/tests/checks/flags.cpp\"\n")

# Flags under which no sum is what it says.
set(fast -ffast-math -ffinite-math-only)
if(NOT ${found} MATCHES "clang") # which tells of these two only together
    list(APPEND fast -funsafe-math-optimizations)
endif()
foreach(flag IN LISTS fast)
    file(WRITE ${OUT}/fast.cpp "#include <jackplane/core/check.hpp>\n")
    execute_process(COMMAND ${found} -std=c++20 ${flag} -I${ROOT}/include -fsyntax-only ${OUT}/fast.cpp
                    RESULT_VARIABLE result ERROR_VARIABLE errors)
    if(result EQUAL 0 OR NOT errors MATCHES "jackplane promises the same bytes")
        message(SEND_ERROR "${COMPILER} ${flag} is not refused: ${errors}")
    endif()
endforeach()

# flags|what the CPU must have|what runs, where compilers agree on what flags imply
set(cases "|baseline|xsimd sse2" "-msse4.2|baseline|xsimd sse4.2" "-mavx2|avx2|xsimd avx2" "-mavx2 -mfma|avx2|"
          "-mavx2 -mfma -mf16c|avx2|avx2"
          "-mavx512f|avx512|" "-mavx512f -mavx512bw|avx512|" "-mavx512vl -mavx512dq|avx512|"
          "-march=skylake-avx512|avx512|avx512" "-march=native|baseline|")
if(FEW)
    list(FILTER cases INCLUDE REGEX "^([|]|-mavx2[|]|-mavx512f[|]|-march=sky)")
endif()
foreach(case IN LISTS cases)
    string(REGEX MATCH "^([^|]*)[|]([^|]*)[|](.*)$" case "${case}")
    set(flags "${CMAKE_MATCH_1}")
    set(needs ${CMAKE_MATCH_2})
    set(expected "${CMAKE_MATCH_3}")
    separate_arguments(options UNIX_COMMAND "${flags}")
    execute_process(COMMAND ${found} -std=c++20 -O1 -Wall -Wextra -Wno-uninitialized -Werror ${options}
                            -I${ROOT}/include ${OUT}/all.cpp -o ${OUT}/program
                    RESULT_VARIABLE result ERROR_VARIABLE errors)
    if(NOT result EQUAL 0)
        string(REGEX MATCH "[^\n]*error[^\n]*" error "${errors}")
        message(SEND_ERROR "${COMPILER} ${flags}: ${error}")
        continue()
    endif()
    set(told FALSE)
    if(errors MATCHES "kernels for the oldest x86-64")
        set(told TRUE)
    endif()
    set(asks_for_nothing FALSE)
    if(flags STREQUAL "")
        set(asks_for_nothing TRUE)
    endif()
    if(NOT told STREQUAL asks_for_nothing)
        message(SEND_ERROR "${COMPILER} ${flags}: told of slow kernels: ${told}")
    endif()

    set(name "not run: this CPU lacks ${needs}")
    execute_process(COMMAND ${ON_ARCH} ${needs} ${CMAKE_COMMAND} -E true RESULT_VARIABLE lacks OUTPUT_QUIET)
    if(lacks EQUAL 0)
        execute_process(COMMAND ${OUT}/program RESULT_VARIABLE result OUTPUT_VARIABLE name
                        OUTPUT_STRIP_TRAILING_WHITESPACE)
        if(NOT result EQUAL 0 OR (expected AND NOT name STREQUAL expected))
            message(SEND_ERROR "${COMPILER} ${flags}: ${result}, ${name} instead of ${expected}")
        endif()
    endif()
    message(STATUS "${COMPILER} ${flags}: ${name}")
endforeach()
