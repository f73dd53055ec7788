# SPDX-License-Identifier: BSD-3-Clause
# Tests that are no program of ours: scripts of checks/, whole-tree compilations, outside projects.

# checks/<script>.cmake: told ROOT, OUT (its own folder), COMPILER and what else is given; may print "SKIPPED: ..."
function(check name script)
    cmake_parse_arguments(PARSE_ARGV 2 arg "" "" "LABELS;WITH")
    list(TRANSFORM arg_WITH PREPEND -D)
    add_test(NAME ${name}
             COMMAND ${CMAKE_COMMAND} -DROOT=${PROJECT_SOURCE_DIR} -DOUT=${CMAKE_CURRENT_BINARY_DIR}/${name}
             -DCOMPILER=${CMAKE_CXX_COMPILER} ${arg_WITH} -P ${CMAKE_CURRENT_SOURCE_DIR}/checks/${script}.cmake)
    set_tests_properties(${name} PROPERTIES LABELS "${arg_LABELS}" SKIP_REGULAR_EXPRESSION "SKIPPED:")
endfunction()

# --- the house's rules ---
check(floors ../../cmake/floors WITH ROOT=${PROJECT_SOURCE_DIR}/include/jackplane)
check(broken_floors broken_floors)
check(readme readme)
add_test(NAME header_set
         COMMAND ${CMAKE_COMMAND} --build ${PROJECT_BINARY_DIR} --target all_verify_interface_header_sets)
set_tests_properties(header_set PROPERTIES LABELS heavy PROCESSORS 2)
check(doors_of_jackplane doors WITH FOLDERS=core,quantize,pack FORBIDDEN=xtensor|xtl|xsimd|nlohmann)
check(doors_of_multiply doors WITH FOLDERS=multiply FORBIDDEN=xtensor|xtl|nlohmann)
check(doors_of_store doors WITH FOLDERS=store FORBIDDEN=xtensor|xtl|xsimd)

# --- the library under other flags, compilers and versions ---
add_executable(no_exceptions no_exceptions.cpp)
target_link_libraries(no_exceptions PRIVATE jackplane::multiply)
target_compile_options(no_exceptions PRIVATE -fno-exceptions -fno-rtti)
add_dependencies(unit_tests no_exceptions)
add_test(NAME no_exceptions COMMAND no_exceptions)
set_tests_properties(no_exceptions PROPERTIES LABELS unit)
check(warnings_clang_14 warnings LABELS heavy WITH COMPILER=clang++-14)
check(warnings_clang_19 warnings LABELS heavy WITH COMPILER=clang++-19)
check(upstream upstream LABELS heavy WITH PREFIX=${JACKPLANE_UPSTREAM_PREFIX})
check(same_bytes same_bytes LABELS heavy WITH LEVEL=${machine_level})

# --- hostile input ---
file(GLOB fuzzers CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/fuzz/*.cpp)
list(FILTER fuzzers EXCLUDE REGEX "/seeds.cpp$")
foreach(source IN LISTS fuzzers)
    cmake_path(GET source STEM name)
    check(fuzz_${name} fuzz LABELS fuzz WITH SOURCE=${source} SECONDS=60)
endforeach()
add_executable(fuzz_seeds EXCLUDE_FROM_ALL fuzz/seeds.cpp) # fuzz_seeds FOLDER writes tests/fuzz/corpus anew
target_link_libraries(fuzz_seeds PRIVATE jackplane::store)

# --- examples print what stands beside them ---
file(GLOB outputs CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/examples/*.output)
foreach(output IN LISTS outputs)
    cmake_path(GET output STEM name)
    if(TARGET example_${name})
        check(example_${name} output WITH PROGRAM=$<TARGET_FILE:example_${name}> EXPECTED=${output})
    endif()
endforeach()

# --- projects outside, and the tool ---
include(consumer/tests.cmake)
include(tool/tests.cmake)
