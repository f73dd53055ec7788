# SPDX-License-Identifier: BSD-3-Clause
cmake_minimum_required(VERSION 3.25)
# Units of jackplane_add_kernels hold an arch's instructions: the linker keeps one of all weak symbols of a name, for
# every machine, so theirs must carry the arch. OBJECTS: the target's objects, joined by |; those named <arch>.<n>.cpp.*
# are looked at.

find_program(NM NAMES nm llvm-nm)
if(NOT NM)
    message(STATUS "SKIPPED: no nm on this machine")
    return()
endif()

# Weak (W, V) and unique (u) definitions that do not name the arch. Another arch in the name is none: what is written
# for avx512 and compiled for avx512_vnni would run on the former's machines.
function(untagged_symbols object arch result)
    execute_process(COMMAND ${NM} --defined-only ${object} OUTPUT_VARIABLE symbols COMMAND_ERROR_IS_FATAL ANY)
    string(REPLACE "\n" ";" symbols "${symbols}")
    list(FILTER symbols INCLUDE REGEX "^[0-9a-f]* [WVu] ")
    list(LENGTH symbols weak)
    string(LENGTH ${arch} length)
    list(FILTER symbols EXCLUDE REGEX "[^0-9]${length}${arch}") # mangled: not every nm can undo what clang 19 does
    list(FILTER symbols EXCLUDE REGEX " V DW\\.ref\\.") # the address of a function of the C++ library
    set(${result} ${symbols} PARENT_SCOPE)
    set(weak ${weak} PARENT_SCOPE)
endfunction()

# The check must be able to fail.
file(WRITE ${OUT}/unit.cpp "
namespace jackplane::inline v0
{
    struct avx512 {}; struct avx512_vnni : avx512 {};
    template <class Arch> int tagged(int x) { return x + 1; }
    inline int untagged(int x) { return x + 2; }
    inline int const shared = 3;
}
int (*functions[])(int) = {FUNCTIONS};
int const* data = DATA;
")
function(expect_symbols functions data expected)
    execute_process(COMMAND ${COMPILER} -std=c++20 "-DFUNCTIONS=${functions}" "-DDATA=${data}"
                            -c ${OUT}/unit.cpp -o ${OUT}/avx512_vnni.1.cpp.o COMMAND_ERROR_IS_FATAL ANY)
    untagged_symbols(${OUT}/avx512_vnni.1.cpp.o avx512_vnni found)
    if(NOT "${found}" MATCHES "^${expected}$")
        message(FATAL_ERROR "${functions}, ${data}: found ${found} instead of ${expected}")
    endif()
endfunction()
expect_symbols("jackplane::tagged<jackplane::avx512_vnni>" "nullptr" "")
expect_symbols("jackplane::untagged" "nullptr" "[^;]*untagged[^;]*")
expect_symbols("jackplane::tagged<jackplane::avx512>" "nullptr" "[^;]*tagged[^;]*")
expect_symbols("nullptr" "&jackplane::shared" "[^;]*shared[^;]*")

string(REPLACE "|" ";" objects "${OBJECTS}")
set(units 0)
set(all_weak 0)
foreach(object IN LISTS objects)
    cmake_path(GET object FILENAME name)
    if(name MATCHES "^((avx|neon)[a-z0-9_]*)\\.[0-9]+\\.cpp\\.")
        untagged_symbols(${object} ${CMAKE_MATCH_1} found)
        math(EXPR units "${units} + 1")
        math(EXPR all_weak "${all_weak} + ${weak}")
        foreach(symbol IN LISTS found)
            message(SEND_ERROR "${name}: no ${CMAKE_MATCH_1} in ${symbol}")
        endforeach()
    endif()
endforeach()
if(all_weak EQUAL 0)
    message(FATAL_ERROR "no weak symbol in ${units} units of an arch: nothing was looked at")
endif()
message(STATUS "${units} units, ${all_weak} weak symbols")
