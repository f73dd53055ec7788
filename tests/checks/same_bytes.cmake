# SPDX-License-Identifier: BSD-3-Clause
cmake_minimum_required(VERSION 3.25)
# tests/digest/digest.cpp prints digests of what quantize, pack and store make: the same for every compiler and flag.

set(legs "${COMPILER} -O0" "${COMPILER} -O2")
if(LEVEL STREQUAL x86-64-v3) # or the program could not run here
    list(APPEND legs "${COMPILER} -O2 -march=haswell -ffp-contract=fast")
endif()
find_program(clang NAMES clang++-19 clang++-14)
if(clang)
    list(APPEND legs "${clang} -O2")
endif()

foreach(leg IN LISTS legs)
    separate_arguments(command UNIX_COMMAND "${leg}")
    execute_process(COMMAND ${command} -std=c++20 -I${ROOT}/include -I${ROOT}/tests -o ${OUT}.program
                            ${ROOT}/tests/digest/digest.cpp COMMAND_ERROR_IS_FATAL ANY)
    execute_process(COMMAND ${OUT}.program ${OUT}.jack OUTPUT_VARIABLE digests COMMAND_ERROR_IS_FATAL ANY)
    if(NOT digests)
        message(FATAL_ERROR "${leg}: no digest printed")
    elseif(NOT DEFINED expected)
        set(expected "${digests}")
        message(STATUS "${leg}:\n${digests}")
    elseif(digests STREQUAL expected)
        message(STATUS "${leg}: the same")
    else()
        message(SEND_ERROR "${leg}: other bytes\n${digests}")
    endif()
endforeach()
