# SPDX-License-Identifier: BSD-3-Clause
cmake_minimum_required(VERSION 3.25)
# Everything that the unit tests instantiate, and the umbrella header, pass another compiler without a warning.

include(${CMAKE_CURRENT_LIST_DIR}/compiler.cmake)
find_compiler()
file(GLOB sources ${ROOT}/tests/[!f]*/*.cpp ${ROOT}/tests/*.cpp)
list(FILTER sources EXCLUDE REGEX "/tests/(consumer|llama|checks|targets)/")
file(WRITE ${OUT}/umbrella.cpp "#include <jackplane/jackplane.hpp>\n")
foreach(source IN LISTS sources ITEMS ${OUT}/umbrella.cpp)
    set(flags)
    if(source MATCHES "no_exceptions")
        set(flags -fno-exceptions -fno-rtti)
    endif()
    execute_process(COMMAND ${found} -std=c++20 -fsyntax-only -Wall -Wextra -Wconversion -Wshadow -Werror ${flags}
                            -I${ROOT}/include -I${ROOT}/tests ${source} RESULT_VARIABLE result)
    if(NOT result EQUAL 0)
        message(SEND_ERROR "${COMPILER}: ${source}")
    endif()
endforeach()
