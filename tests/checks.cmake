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
check(families families)
check(methods methods)
check(rooms rooms)
check(readme readme)
check(reference reference LABELS reference)
add_test(NAME header_set
         COMMAND ${CMAKE_COMMAND} --build ${PROJECT_BINARY_DIR} --target all_verify_interface_header_sets)
set_tests_properties(header_set PROPERTIES LABELS heavy PROCESSORS 2)
check(doors_of_jackplane doors WITH FOLDERS=core,quantize,loss,tune,integrate,allocate,pack,detach
      FORBIDDEN=xtensor|xtl|xsimd|nlohmann)
check(doors_of_multiply doors WITH FOLDERS=multiply FORBIDDEN=xtensor|xtl|nlohmann)
check(doors_of_store doors WITH FOLDERS=store FORBIDDEN=xtensor|xtl|xsimd)

# --- the library under other flags, compilers and versions ---
add_executable(no_exceptions no_exceptions.cpp)
target_link_libraries(no_exceptions PRIVATE jackplane::multiply)
target_compile_options(no_exceptions PRIVATE -fno-exceptions -fno-rtti ${unit_flags})
target_link_options(no_exceptions PRIVATE ${unit_flags})
add_dependencies(unit_tests no_exceptions)
add_test(NAME no_exceptions COMMAND no_exceptions)
set_tests_properties(no_exceptions PROPERTIES LABELS unit)
find_package(OpenMP QUIET COMPONENTS CXX)
if(OpenMP_CXX_FOUND)
    add_executable(unit_openmp core/parallel.cpp)
    target_link_libraries(unit_openmp PRIVATE doctest_unit OpenMP::OpenMP_CXX)
    add_dependencies(unit_tests unit_openmp)
    add_test(NAME unit_openmp COMMAND unit_openmp)
    set_tests_properties(unit_openmp PROPERTIES ENVIRONMENT OMP_NUM_THREADS=3)
else()
    add_test(NAME unit_openmp COMMAND ${CMAKE_COMMAND} -E echo "SKIPPED: this compiler has no OpenMP on this machine")
    set_tests_properties(unit_openmp PROPERTIES SKIP_REGULAR_EXPRESSION "SKIPPED:")
endif()
set_tests_properties(unit_openmp PROPERTIES LABELS unit)
check(try_twins try_twins LABELS unit)
check(warnings_clang_14 warnings LABELS heavy WITH COMPILER=clang++-14 SOURCES=bench)
check(warnings_clang_19 warnings LABELS heavy WITH COMPILER=clang++-19 SOURCES=tests)
foreach(compiler IN ITEMS ${CMAKE_CXX_COMPILER} clang++-14 clang++-19)
    cmake_path(GET compiler FILENAME name)
    check(misuse_${name} misuse WITH COMPILER=${compiler} SOURCE=misuse.cpp)
    set(few)
    if(name MATCHES "clang")
        set(few FEW=ON)
    endif()
    check(flags_${name} flags LABELS heavy WITH COMPILER=${compiler} ON_ARCH=$<TARGET_FILE:on_arch> ${few})
endforeach()
check(upstream upstream LABELS heavy WITH PREFIX=${JACKPLANE_UPSTREAM_PREFIX})
check(qemu qemu LABELS heavy WITH "SOURCES=multiply/vectors.cpp|multiply/kernels.cpp")
check(same_bytes same_bytes LABELS heavy WITH LEVEL=${machine_level})

# --- kernels that are chosen when the program runs ---
jackplane_archs(archs missing)
jackplane_arch_flags(baseline baseline) # takes back what JACKPLANE_MACHINE_FLAGS gave
set(dispatched)
foreach(arch IN ITEMS avx2 avx512_vnni avx512_bf16 neon neon_dot)
    if(arch IN_LIST archs)
        list(APPEND dispatched ${arch})
    endif()
endforeach()
jackplane_add_kernels(test_kernels ARCHS ${dispatched} ACTIVATIONS exact "limbs<1>" "limbs<3>" bf16
                      FORMATS "packed<planes<2, 2, 4>, uniform<8>, half, integer_zero>" "packed<planes<4>, nf4>"
                              "packed<planes<1, 2>, uniform<3>, float, real_zero>" "packed<planes<2, 1>, row_table<3>>")
target_compile_options(test_kernels PRIVATE ${baseline} -O2)
jackplane_add_kernels(default_kernels) # all of any_packed: its table says whether the formats are those of the type
set_target_properties(default_kernels PROPERTIES EXCLUDE_FROM_ALL ON)
add_library(default_table OBJECT ${CMAKE_CURRENT_BINARY_DIR}/default_kernels_kernels/table.cpp)
target_link_libraries(default_table PRIVATE jackplane::multiply)
add_dependencies(unit_tests default_table)
add_executable(dispatch dispatch/dispatch.cpp)
target_link_libraries(dispatch PRIVATE test_kernels)
target_compile_options(dispatch PRIVATE ${baseline})
add_executable(dispatch_try dispatch/try.cpp)
target_link_libraries(dispatch_try PRIVATE test_kernels)
target_compile_options(dispatch_try PRIVATE ${baseline} -fno-exceptions -fno-rtti)
add_executable(dispatch_unbuilt dispatch/unbuilt.cpp)
target_link_libraries(dispatch_unbuilt PRIVATE test_kernels)
target_compile_options(dispatch_unbuilt PRIVATE ${baseline})
add_test(NAME dispatch_unbuilt COMMAND dispatch_unbuilt)
set_tests_properties(dispatch_unbuilt PROPERTIES LABELS consumer)
set(direct)
foreach(arch IN ITEMS avx2 avx512_bf16 neon)
    if(arch IN_LIST archs AND (NOT machine_archs OR arch IN_LIST machine_archs)) # half a minute each, to be run
        add_executable(direct_${arch} dispatch/direct.cpp)
        target_link_libraries(direct_${arch} PRIVATE jackplane::multiply)
        jackplane_arch_flags(${arch} flags)
        target_compile_options(direct_${arch} PRIVATE ${flags} -O2)
        list(APPEND direct DIRECT_${arch}=$<TARGET_FILE:direct_${arch}>)
    endif()
endforeach()
list(JOIN dispatched | dispatched)
check(dispatch dispatch LABELS consumer WITH ARCHS=${dispatched} DISPATCH=$<TARGET_FILE:dispatch>
      TRY=$<TARGET_FILE:dispatch_try>
      ON_ARCH=$<TARGET_FILE:on_arch> ${direct})
check(symbols symbols WITH "OBJECTS=$<JOIN:$<TARGET_OBJECTS:test_kernels>,|>")
list(JOIN archs | known_archs)
check(targets targets LABELS heavy WITH ARCHS=${known_archs})
check(places places WITH ARCHS=${known_archs} ON_ARCH=$<TARGET_FILE:on_arch> GENERATOR=${CMAKE_GENERATOR})

# --- hostile input ---
file(GLOB fuzzers CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/fuzz/*.cpp)
list(FILTER fuzzers EXCLUDE REGEX "/seeds.cpp$")
foreach(source IN LISTS fuzzers)
    cmake_path(GET source STEM name)
    check(fuzz_${name} fuzz LABELS fuzz WITH SOURCE=${source} SECONDS=10)
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
if(TARGET example_dispatch) # as on a machine that none of its archs is for
    check(example_dispatch_generic output WITH PROGRAM=$<TARGET_FILE:example_dispatch>
          EXPECTED=${PROJECT_SOURCE_DIR}/examples/dispatch.output)
    set_tests_properties(example_dispatch_generic PROPERTIES ENVIRONMENT JACKPLANE_ARCH=generic)
endif()

# --- scripts ---
find_program(PYTHON3 python3)
if(PYTHON3)
    add_test(NAME bench_results COMMAND ${PYTHON3} ${PROJECT_SOURCE_DIR}/bench/results_test.py)
else()
    add_test(NAME bench_results COMMAND ${CMAKE_COMMAND} -E echo "SKIPPED: no python3 on this machine")
    set_tests_properties(bench_results PROPERTIES SKIP_REGULAR_EXPRESSION "SKIPPED:")
endif()

# --- projects outside, and the tool ---
include(consumer/tests.cmake)
include(tool/tests.cmake)
include(words/tests.cmake)
include(files/tests.cmake)
include(clients/tests.cmake)

# --- order ---
# ctest starts what costs most first: what takes both cores while both are free, then the long ones, so that no core is
# left alone with the last of them. Seconds on two cores; each that is not named takes fewer than 20.
function(costs seconds)
    foreach(name IN LISTS ARGN)
        if(TEST ${name})
            set_tests_properties(${name} PROPERTIES COST ${seconds})
        endif()
    endforeach()
endfunction()
costs(1000 unit_engine header_set)
costs(200 qemu)
costs(150 same_bytes warnings_clang_19 clients_tokenizers)
costs(100 targets upstream)
costs(70 warnings_clang_14 flags_c++)
costs(55 tool_families tool_blocks)
costs(50 fuzz_gguf fuzz_store fuzz_words)
costs(30 tool_evidence flags_clang++-14 flags_clang++-19)
costs(25 try_twins tool_page places unit_engine_words)
