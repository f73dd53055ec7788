# SPDX-License-Identifier: BSD-3-Clause
# Nested files beside a reader in numpy that knows the page on their format alone; files of the tool: tool/page.py.
if(NOT python_with_numpy)
    return() # tool/tests.cmake says so
endif()
add_executable(nested_formats ${CMAKE_CURRENT_LIST_DIR}/formats.cpp)
target_link_libraries(nested_formats PRIVATE jackplane::store)
add_test(NAME nested COMMAND ${python_with_numpy} -B ${CMAKE_CURRENT_LIST_DIR}/formats.py $<TARGET_FILE:nested_formats>
                             ${CMAKE_CURRENT_BINARY_DIR}/nested)
set_tests_properties(nested PROPERTIES LABELS consumer)
