# SPDX-License-Identifier: BSD-3-Clause
cmake_minimum_required(VERSION 3.25)
# Compiles SOURCE with clang's libFuzzer and feeds it for SECONDS from a copy of tests/fuzz/corpus.

find_program(clang NAMES clang++ clang++-14 clang++-19)
file(WRITE ${OUT}/probe.cpp
     "extern \"C\" int LLVMFuzzerTestOneInput(unsigned char const*, unsigned long) { return 0; }\n")
if(clang)
    execute_process(COMMAND ${clang} -fsanitize=fuzzer,address,undefined ${OUT}/probe.cpp -o ${OUT}/probe
                    RESULT_VARIABLE result OUTPUT_QUIET ERROR_QUIET)
endif()
if(NOT clang OR NOT result EQUAL 0)
    message(STATUS "SKIPPED: no clang++ with libFuzzer (Debian: clang libclang-rt-14-dev)")
    return()
endif()

execute_process(COMMAND ${clang} -std=c++20 -O1 -gline-tables-only -fsanitize=fuzzer,address,undefined
                        -fno-sanitize-recover=all -I${ROOT}/include -I${ROOT}/tests ${SOURCE} -o ${OUT}/fuzz
                COMMAND_ERROR_IS_FATAL ANY)
file(REMOVE_RECURSE ${OUT}/corpus)
file(MAKE_DIRECTORY ${OUT}/corpus)
if(EXISTS ${ROOT}/tests/fuzz/corpus)
    file(COPY ${ROOT}/tests/fuzz/corpus/ DESTINATION ${OUT}/corpus)
endif()
string(REGEX REPLACE "cpp$" "dict" dictionary ${SOURCE})
if(EXISTS ${dictionary})
    set(dictionary -dict=${dictionary})
else()
    set(dictionary)
endif()
execute_process(COMMAND ${OUT}/fuzz ${dictionary} -max_total_time=${SECONDS} -timeout=10 -rss_limit_mb=2048
                        -print_final_stats=1 -artifact_prefix=${OUT}/ ${OUT}/corpus
                WORKING_DIRECTORY ${OUT} COMMAND_ERROR_IS_FATAL ANY)
