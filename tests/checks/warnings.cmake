# SPDX-License-Identifier: BSD-3-Clause
cmake_minimum_required(VERSION 3.25)
# The umbrella header passes another compiler without a warning, with everything that SOURCES instantiate: those of
# `tests`, the unit tests, or of `bench`.

include(${CMAKE_CURRENT_LIST_DIR}/compiler.cmake)
find_compiler()
if(SOURCES STREQUAL "bench")
    file(GLOB sources ${ROOT}/bench/*.cpp ${ROOT}/bench/instructions/*.cpp ${ROOT}/bench/multiply/*.cpp)
else()
    file(GLOB sources ${ROOT}/tests/[!f]*/*.cpp ${ROOT}/tests/*.cpp)
    list(FILTER sources EXCLUDE REGEX "/tests/(consumer|engine|clients|checks|targets)/")
    list(FILTER sources EXCLUDE REGEX "/dispatch/unbuilt.cpp$") # asks which kernels were built
endif()
file(WRITE ${OUT}/umbrella.cpp "#include <jackplane/jackplane.hpp>\n")
list(APPEND sources ${OUT}/umbrella.cpp)
# A folder's tests as one unit: a third of the time.
file(GLOB folders RELATIVE ${ROOT}/include/jackplane ${ROOT}/include/jackplane/*)
foreach(folder IN LISTS folders)
    set(joined ${sources})
    list(FILTER joined INCLUDE REGEX "/tests/${folder}/")
    list(FILTER joined EXCLUDE REGEX "/kernels.cpp$") # its formats are called like those of its neighbours
    if(joined)
        list(REMOVE_ITEM sources ${joined})
        list(TRANSFORM joined REPLACE ".+" "#include \"\\0\"\n")
        list(JOIN joined "" text)
        file(WRITE ${OUT}/${folder}.cpp "${text}")
        list(APPEND sources ${OUT}/${folder}.cpp)
    endif()
endforeach()
foreach(source IN LISTS sources)
    set(flags)
    if(SOURCES STREQUAL "bench")
        set(flags "-DBENCH_FLAGS=\"\"")
    endif()
    if(source MATCHES "no_exceptions")
        set(flags -fno-exceptions -fno-rtti)
    endif()
    execute_process(COMMAND ${found} -std=c++20 -fsyntax-only -Wall -Wextra -Wconversion -Wshadow -Werror ${flags}
                            -I${ROOT}/include -I${ROOT}/tests ${source} RESULT_VARIABLE result)
    if(NOT result EQUAL 0)
        message(SEND_ERROR "${COMPILER}: ${source}")
    endif()
endforeach()
