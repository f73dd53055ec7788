# SPDX-License-Identifier: BSD-3-Clause
cmake_minimum_required(VERSION 3.25)
# Units of one program with different flags (core/target.hpp). Two objects of tests/targets/work.cpp, one with the
# instructions of a newer machine: they share no function of the library, and in either order of linking the old
# machine's part runs where there is nothing newer. ARCHS: those that the compiler knows, joined by |. INCLUDES: folders
# of other headers, joined by |.

if(NOT ARCHS MATCHES "avx512_vnni")
    message(STATUS "SKIPPED: a compiler for x86-64 that knows AVX-512 is wanted")
    return()
endif()
find_program(NM NAMES nm llvm-nm)
find_program(OBJDUMP NAMES objdump)
find_program(AWK NAMES awk)
find_program(QEMU NAMES qemu-x86_64 qemu-x86_64-static)
if(NOT NM OR NOT OBJDUMP OR NOT AWK OR NOT QEMU)
    message(STATUS "SKIPPED: no nm, objdump, awk or qemu-x86_64 on this machine (Debian: binutils, mawk, qemu-user)")
    return()
endif()
set(old -march=x86-64)
set(new ${old} -mavx2 -mfma -mf16c -mbmi -mbmi2 -mlzcnt -mavx512f -mavx512cd -mavx512dq -mavx512bw -mavx512vl)
set(on_old_machine ${QEMU} -cpu Nehalem)
string(REPLACE "|" ";" includes "${INCLUDES}")
list(TRANSFORM includes PREPEND -isystem)
set(compile ${COMPILER} -std=c++20 -I${ROOT}/include ${includes})
file(MAKE_DIRECTORY ${OUT})

# <name>.<new or old>.o of a source whose function WORK is called new_machine or old_machine
function(compile_both name source)
    foreach(flags IN ITEMS new old)
        execute_process(COMMAND ${compile} ${ARGN} ${${flags}} -DWORK=${flags}_machine -c ${source}
                                -o ${OUT}/${name}.${flags}.o COMMAND_ERROR_IS_FATAL ANY)
    endforeach()
endfunction()

# The functions of the library that both objects define, weak: the linker takes either. Left out are the destructors of
# errors: they are virtual, and call those of the C++ library.
function(shared_functions name result)
    foreach(flags IN ITEMS new old)
        execute_process(COMMAND ${NM} --defined-only ${OUT}/${name}.${flags}.o OUTPUT_VARIABLE symbols
                                COMMAND_ERROR_IS_FATAL ANY)
        string(REGEX MATCHALL "W _Z+[GV]*N[KVRO]*9jackplane[^\n]*" functions_${flags} "${symbols}")
        list(LENGTH functions_${flags} count_${flags})
        list(FILTER functions_${flags} EXCLUDE REGEX "^W _ZN9jackplane2v0[0-9]+([a-z]+_)?errorD[012]Ev$")
    endforeach()
    set(both)
    foreach(function IN LISTS functions_new)
        if(function IN_LIST functions_old)
            list(APPEND both ${function})
        endif()
    endforeach()
    message(STATUS "${name}: ${count_new} and ${count_old} weak functions, shared: ${both}")
    set(${result} "${both}" PARENT_SCOPE)
endfunction()

# The weak functions of <name>.new.o that name no target and hold instructions of a newer machine (v...): those of the
# standard library, which the linker may take for the old one.
function(newer_functions name result)
    execute_process(COMMAND ${NM} --defined-only ${OUT}/${name}.new.o OUTPUT_VARIABLE symbols
                            COMMAND_ERROR_IS_FATAL ANY)
    string(REGEX MATCHALL "W _Z[^\n]*" weak "${symbols}")
    list(FILTER weak EXCLUDE REGEX "avx512_[0-9a-f]+")
    execute_process(COMMAND ${OBJDUMP} -d --no-show-raw-insn ${OUT}/${name}.new.o
                    COMMAND ${AWK} "/^[0-9a-f]+ <.*>:$/ {name = $2} /\tv[a-z]/ {new[name]} END {for (n in new) print n}"
                    OUTPUT_VARIABLE with_new COMMAND_ERROR_IS_FATAL ANY)
    set(newer)
    foreach(function IN LISTS weak)
        string(SUBSTRING ${function} 2 -1 function)
        string(FIND "${with_new}" "<${function}>" at)
        if(NOT at EQUAL -1)
            list(APPEND newer ${function})
        endif()
    endforeach()
    list(LENGTH weak count)
    message(STATUS "${name}: ${count} weak functions without a target, for a newer machine: ${newer}")
    set(${result} "${newer}" PARENT_SCOPE)
endfunction()

# Status of the old machine's part with the object of <first> linked before the other.
function(run_old name first result)
    set(second old)
    if(first STREQUAL "old")
        set(second new)
    endif()
    set(program ${OUT}/${name}.${first}_first)
    execute_process(COMMAND ${COMPILER} ${OUT}/main.o ${OUT}/${name}.${first}.o ${OUT}/${name}.${second}.o -pthread
                            -o ${program} COMMAND_ERROR_IS_FATAL ANY)
    execute_process(COMMAND ${on_old_machine} ${program} RESULT_VARIABLE status OUTPUT_QUIET ERROR_QUIET)
    set(${result} "${status}" PARENT_SCOPE)
endfunction()

file(WRITE ${OUT}/main.cpp "extern \"C\" void old_machine();\nint main() { old_machine(); }\n")
execute_process(COMMAND ${COMPILER} ${old} -c ${OUT}/main.cpp -o ${OUT}/main.o COMMAND_ERROR_IS_FATAL ANY)

# The check must be able to fail: a function that both have in common.
file(WRITE ${OUT}/shared.cpp "
#include <jackplane/core/target.hpp>
namespace jackplane::inline v0
{
    [[gnu::noinline]] inline float both(float x) { return x * x + 1; }
}
namespace jackplane::inline v0::inline JACKPLANE_TARGET
{
    [[gnu::noinline]] inline float own(float x) { return both(x) * x; }
}
static float volatile number = 3;
extern \"C\" void WORK() { number = jackplane::own(number); }
")
compile_both(shared ${OUT}/shared.cpp -O2)
newer_functions(shared found)
if(NOT found MATCHES "^[^;]*4both[^;]*$")
    message(FATAL_ERROR "found ${found} instead of `both`")
endif()
shared_functions(shared found)
if(NOT found MATCHES "^[^;]*4both[^;]*$")
    message(FATAL_ERROR "found ${found} instead of `both`")
endif()
run_old(shared new status)
if(status EQUAL 0)
    message(FATAL_ERROR "an old machine ran the function of a newer one: ${on_old_machine}")
endif()

foreach(level IN ITEMS -O0 -O2)
    compile_both(work${level} ${ROOT}/tests/targets/work.cpp ${level})
    shared_functions(work${level} found)
    if(found)
        list(JOIN found "\n    " lines)
        message(SEND_ERROR "${level}: functions that units of different flags share:\n    ${lines}")
    endif()
    if(level STREQUAL "-O2") # unoptimized code is long, and objdump slow
        newer_functions(work${level} found)
        if(found)
            message(SEND_ERROR "an old machine may get these: ${found}")
        endif()
    endif()
    foreach(first IN ITEMS new old)
        run_old(work${level} ${first} status)
        if(NOT status EQUAL 0)
            message(SEND_ERROR "${level}, ${first} first: ${status}")
        endif()
    endforeach()
endforeach()

# Headers that the part which is run does not name.
compile_both(breadth ${ROOT}/tests/targets/breadth.cpp -O0)
shared_functions(breadth found)
if(found)
    list(JOIN found "\n    " lines)
    message(SEND_ERROR "breadth: functions that units of different flags share:\n    ${lines}")
endif()

# Views and errors cross between units, owners do not.
foreach(part IN ITEMS owner user)
    set(flags ${old})
    if(part STREQUAL "owner")
        list(APPEND flags -msse4.2)
    endif()
    execute_process(COMMAND ${compile} -O1 ${flags} -c ${ROOT}/tests/targets/${part}.cpp -o ${OUT}/${part}.o
                    COMMAND_ERROR_IS_FATAL ANY)
endforeach()
execute_process(COMMAND ${COMPILER} ${OUT}/owner.o ${OUT}/user.o -o ${OUT}/crossing COMMAND_ERROR_IS_FATAL ANY)
execute_process(COMMAND ${on_old_machine} ${OUT}/crossing OUTPUT_VARIABLE output RESULT_VARIABLE status)
if(NOT status EQUAL 0 OR NOT output STREQUAL "a matrix of 2 x 3 times x of 2 into y of 2\n")
    message(SEND_ERROR "a view that crosses: ${status}, ${output}")
endif()
execute_process(COMMAND ${compile} -O1 ${old} -msse4.2 -DOWNER -c ${ROOT}/tests/targets/owner.cpp -o ${OUT}/owner.o
                COMMAND_ERROR_IS_FATAL ANY)
execute_process(COMMAND ${COMPILER} ${OUT}/owner.o ${OUT}/user.o -o ${OUT}/crossing RESULT_VARIABLE status
                ERROR_VARIABLE output OUTPUT_QUIET)
if(status EQUAL 0 OR NOT output MATCHES "product_by_owner")
    message(SEND_ERROR "an owner that crosses is no link error: ${status}, ${output}")
endif()
