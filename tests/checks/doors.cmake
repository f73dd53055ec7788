# SPDX-License-Identifier: BSD-3-Clause
cmake_minimum_required(VERSION 3.25)
# The compiler's own list of what the headers of FOLDERS pull in holds no file of the FORBIDDEN libraries.

string(REPLACE "," ";" folders ${FOLDERS})
foreach(folder IN LISTS folders)
    file(GLOB_RECURSE headers RELATIVE ${ROOT}/include ${ROOT}/include/jackplane/${folder}/*.hpp)
    list(REMOVE_ITEM headers jackplane/core/tensor.hpp)
    foreach(header IN LISTS headers)
        string(APPEND unit "#include <${header}>\n")
    endforeach()
endforeach()
if(NOT unit)
    message(STATUS "SKIPPED: no headers in ${FOLDERS} yet")
    return()
endif()

file(WRITE ${OUT}/unit.cpp "${unit}")
execute_process(COMMAND ${COMPILER} -std=c++20 -M -I${ROOT}/include ${OUT}/unit.cpp
                OUTPUT_VARIABLE files COMMAND_ERROR_IS_FATAL ANY)
string(REGEX MATCHALL "/include/(${FORBIDDEN})/[^ \n]*" found "${files}")
if(found)
    message(FATAL_ERROR "${FOLDERS} must not pull in ${found}")
endif()
if(NOT files MATCHES "include/jackplane/") # or nothing was looked at
    message(FATAL_ERROR "the compiler listed no header of the library: ${files}")
endif()
