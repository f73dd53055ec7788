# SPDX-License-Identifier: BSD-3-Clause
cmake_minimum_required(VERSION 3.25)
# PROGRAM prints what EXPECTED holds.

file(MAKE_DIRECTORY ${OUT})
execute_process(COMMAND ${PROGRAM} WORKING_DIRECTORY ${OUT} OUTPUT_FILE ${OUT}/output COMMAND_ERROR_IS_FATAL ANY)
execute_process(COMMAND ${CMAKE_COMMAND} -E compare_files ${OUT}/output ${EXPECTED} RESULT_VARIABLE differs)
if(differs)
    file(READ ${OUT}/output output)
    file(READ ${EXPECTED} expected)
    message(FATAL_ERROR "printed:\n${output}\n${EXPECTED} says:\n${expected}")
endif()
