# SPDX-License-Identifier: BSD-3-Clause
cmake_minimum_required(VERSION 3.25)
# A program built from what pkg-config says about the package installed under PREFIX.

find_program(pkg_config pkg-config)
if(NOT pkg_config)
    message(STATUS "SKIPPED: no pkg-config on this machine")
    return()
endif()
set(ENV{PKG_CONFIG_PATH} ${PREFIX}/share/pkgconfig)
execute_process(COMMAND ${pkg_config} --cflags --libs jackplane OUTPUT_VARIABLE flags
                OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
separate_arguments(flags UNIX_COMMAND "${flags}")
file(MAKE_DIRECTORY ${OUT})
execute_process(COMMAND ${COMPILER} -std=c++20 ${ROOT}/tests/consumer/jackplane.cpp ${flags} -o ${OUT}/consumer
                COMMAND_ERROR_IS_FATAL ANY)
execute_process(COMMAND ${OUT}/consumer COMMAND_ERROR_IS_FATAL ANY)
