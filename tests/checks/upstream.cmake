# SPDX-License-Identifier: BSD-3-Clause
cmake_minimum_required(VERSION 3.25)
# The tests that touch xtensor and xsimd, against the newer ones under PREFIX: xtensor 0.26 moved its headers, xsimd 14
# renamed functions.

if(NOT PREFIX)
    set(PREFIX $ENV{JACKPLANE_UPSTREAM_PREFIX})
endif()
if(NOT PREFIX)
    message(STATUS "SKIPPED: JACKPLANE_UPSTREAM_PREFIX names no folder with xtensor 0.26 or newer, xsimd and xtl")
    return()
endif()
foreach(header xtensor/containers/xtensor.hpp xsimd/xsimd.hpp xtl/xsequence.hpp)
    if(NOT EXISTS ${PREFIX}/include/${header})
        message(FATAL_ERROR "JACKPLANE_UPSTREAM_PREFIX is ${PREFIX}, which holds no include/${header}")
    endif()
endforeach()

file(GLOB sources ${ROOT}/tests/core/tensor.cpp ${ROOT}/tests/multiply/*.cpp)
foreach(source IN ITEMS ${ROOT}/tests/main.cpp ${sources})
    cmake_path(GET source STEM name)
    execute_process(COMMAND ${COMPILER} -std=c++20 -O1 -Wall -Wextra -Wconversion -Wshadow -Werror
                            -isystem ${PREFIX}/include -I${ROOT}/include -I${ROOT}/tests
                            -c ${source} -o ${OUT}.${name}.o COMMAND_ERROR_IS_FATAL ANY)
    list(APPEND objects ${OUT}.${name}.o)
endforeach()
execute_process(COMMAND ${COMPILER} ${objects} -pthread -o ${OUT}.program COMMAND_ERROR_IS_FATAL ANY)
execute_process(COMMAND ${OUT}.program COMMAND_ERROR_IS_FATAL ANY)
