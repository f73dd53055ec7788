# SPDX-License-Identifier: BSD-3-Clause
set(prefix ${CMAKE_CURRENT_BINARY_DIR}/consumer/prefix)
set(core_prefix ${CMAKE_CURRENT_BINARY_DIR}/consumer/core_prefix)
add_test(NAME consumer_install COMMAND ${CMAKE_COMMAND} --install ${PROJECT_BINARY_DIR} --prefix ${prefix})
add_test(NAME consumer_install_core COMMAND ${CMAKE_COMMAND} --install ${PROJECT_BINARY_DIR} --prefix ${core_prefix}
                                            --component jackplane_jackplane)
set_tests_properties(consumer_install consumer_install_core PROPERTIES LABELS consumer FIXTURES_SETUP installed)

# Configures, builds and runs the project of this folder with the options given.
function(consumer name)
    add_test(NAME consumer_${name}
             COMMAND ${CMAKE_CTEST_COMMAND} --build-and-test
                     ${CMAKE_CURRENT_SOURCE_DIR}/consumer ${CMAKE_CURRENT_BINARY_DIR}/consumer/${name}
                     --build-generator ${CMAKE_GENERATOR} --build-options -DCMAKE_CXX_COMPILER=${CMAKE_CXX_COMPILER}
                     "-DCMAKE_CXX_FLAGS=-O1 -Wall -Wextra -Wconversion -Wshadow -Werror" ${ARGN}
                     --test-command consumer)
    set_tests_properties(consumer_${name} PROPERTIES LABELS consumer FIXTURES_REQUIRED installed)
endfunction()

foreach(program IN ITEMS jackplane xtensor multiply dispatch store everything)
    consumer(${program} -DPROGRAM=${program} -DCMAKE_PREFIX_PATH=${prefix})
endforeach()
consumer(laws -DPROGRAM=laws -DCMAKE_PREFIX_PATH=${prefix}) # in the installed tree alone
consumer(native -DPROGRAM=multiply -DNATIVE=ON -DCMAKE_PREFIX_PATH=${prefix})
consumer(core_alone -DCMAKE_PREFIX_PATH=${core_prefix})
consumer(subdirectory -DPROGRAM=everything -DJACKPLANE_SOURCE=${PROJECT_SOURCE_DIR})
consumer(subdirectory_core -DJACKPLANE_SOURCE=${PROJECT_SOURCE_DIR} -DJACKPLANE_COMPONENTS=)

consumer(missing_component -DPROGRAM=multiply -DCMAKE_PREFIX_PATH=${core_prefix})
set_tests_properties(consumer_missing_component PROPERTIES
                     PASS_REGULAR_EXPRESSION "component multiply is not installed")
check(consumer_pkg_config pkg_config LABELS consumer WITH PREFIX=${prefix})
set_tests_properties(consumer_pkg_config PROPERTIES FIXTURES_REQUIRED installed)
