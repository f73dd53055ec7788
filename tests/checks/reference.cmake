# SPDX-License-Identifier: BSD-3-Clause
cmake_minimum_required(VERSION 3.25)
# The reference (cmake/Doxyfile) is built without a warning, and everything public in it but members has a comment.

find_program(DOXYGEN doxygen)
if(NOT DOXYGEN)
    message(STATUS "SKIPPED: no doxygen on this machine")
    return()
endif()

# What doxygen says of a reference with these settings more, but for members without a comment (`members` counts those)
# and macros that write one line for each arch.
function(warnings_of_reference settings result)
    file(READ ${ROOT}/cmake/Doxyfile doxyfile)
    file(WRITE ${OUT}/Doxyfile "${doxyfile}\nOUTPUT_DIRECTORY = \"${OUT}\"\nWARN_IF_UNDOCUMENTED = YES\n"
                               "WARN_AS_ERROR = NO\n${settings}\n")
    execute_process(COMMAND ${DOXYGEN} ${OUT}/Doxyfile WORKING_DIRECTORY ${ROOT} OUTPUT_QUIET ERROR_VARIABLE said
                    COMMAND_ERROR_IS_FATAL ANY)
    string(REGEX MATCHALL "[^\n]+" said "${said}")
    list(LENGTH said all)
    list(FILTER said EXCLUDE REGEX "Member .* of (struct|class) .* is not documented")
    list(LENGTH said other)
    math(EXPR members "${all} - ${other}")
    list(FILTER said EXCLUDE REGEX "Member JACKPLANE_[A-Z]+[(]tag.* [(]macro definition[)]")
    set(members ${members} PARENT_SCOPE)
    set(${result} "${said}" PARENT_SCOPE)
endfunction()

# The check must be able to fail.
file(WRITE ${OUT}/broken/broken.hpp "namespace jackplane\n{\n    // With a member.\n    struct one\n    {\n"
                                    "        int i;\n    };\n\n    int two();\n}\n")
warnings_of_reference("INPUT = \"${OUT}/broken\"\nUSE_MDFILE_AS_MAINPAGE =" said)
if(NOT said MATCHES "two.. [(]function[)] of namespace jackplane is not documented" OR NOT members EQUAL 1)
    message(FATAL_ERROR "a function without a comment passes: ${said}; ${members} members")
endif()

warnings_of_reference("" said)
if(said)
    list(JOIN said "\n" said)
    message(FATAL_ERROR "${said}")
endif()
if(NOT EXISTS ${OUT}/html/index.html)
    message(FATAL_ERROR "no reference in ${OUT}")
endif()
message(STATUS "${members} members without a comment")
