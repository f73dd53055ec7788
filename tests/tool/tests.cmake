# SPDX-License-Identifier: BSD-3-Clause
# The tool against a plain numpy Llama, and its contract: each script here but what they share, harness.py.
if(NOT TARGET jackplane)
    return()
endif()
foreach(python IN ITEMS python3 /usr/bin/python3) # the first may be one without Debian's numpy
    execute_process(COMMAND ${python} -c "import numpy" RESULT_VARIABLE missing OUTPUT_QUIET ERROR_QUIET)
    if(missing EQUAL 0)
        set(python_with_numpy ${python})
        file(GLOB scripts CONFIGURE_DEPENDS RELATIVE ${CMAKE_CURRENT_LIST_DIR} ${CMAKE_CURRENT_LIST_DIR}/*.py)
        list(REMOVE_ITEM scripts harness.py)
        list(TRANSFORM scripts REPLACE "[.]py$" "")
        foreach(script IN LISTS scripts)
            add_test(NAME tool_${script}
                     COMMAND ${python} -B ${CMAKE_CURRENT_LIST_DIR}/${script}.py $<TARGET_FILE:jackplane>
                             ${CMAKE_CURRENT_BINARY_DIR}/tool/${script})
            set_tests_properties(tool_${script} PROPERTIES LABELS consumer)
        endforeach()
        add_test(NAME results COMMAND ${python} ${PROJECT_SOURCE_DIR}/examples/results/results table --check)
        return()
    endif()
endforeach()
add_test(NAME tool COMMAND ${CMAKE_COMMAND} -E echo "SKIPPED: no python3 with numpy")
set_tests_properties(tool PROPERTIES SKIP_REGULAR_EXPRESSION "SKIPPED:")
