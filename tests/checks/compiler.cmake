# SPDX-License-Identifier: BSD-3-Clause
# find_compiler(): COMPILER as `found`; where this machine has none the script ends as skipped.
macro(find_compiler)
    find_program(found ${COMPILER})
    if(NOT found)
        message(STATUS "SKIPPED: no ${COMPILER} on this machine")
        return()
    endif()
endmacro()
