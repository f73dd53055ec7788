# SPDX-License-Identifier: BSD-3-Clause
cmake_minimum_required(VERSION 3.25)
# SCRIPT tests TOOL and may write to a folder.

find_program(python python3)
if(python)
    execute_process(COMMAND ${python} -c "import numpy" RESULT_VARIABLE result ERROR_QUIET)
endif()
if(NOT python OR NOT result EQUAL 0)
    message(STATUS "SKIPPED: no python3 with numpy (Debian: python3-numpy)")
    return()
endif()
file(REMOVE_RECURSE ${OUT})
file(MAKE_DIRECTORY ${OUT})
execute_process(COMMAND ${python} ${SCRIPT} ${TOOL} ${OUT} COMMAND_ERROR_IS_FATAL ANY)
