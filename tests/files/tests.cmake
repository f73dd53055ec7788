# SPDX-License-Identifier: BSD-3-Clause
# Files beside numpy: a reader of nested ones that knows the page on their format alone (those of the tool:
# tool/page.py), safetensors and .npy both ways.
if(NOT python_with_numpy)
    return() # tool/tests.cmake says so
endif()
foreach(files formats arrays)
    add_executable(files_${files} ${CMAKE_CURRENT_LIST_DIR}/${files}.cpp)
    target_link_libraries(files_${files} PRIVATE jackplane::store)
    add_test(NAME files_${files}
             COMMAND ${python_with_numpy} -B ${CMAKE_CURRENT_LIST_DIR}/${files}.py $<TARGET_FILE:files_${files}>
                     ${CMAKE_CURRENT_BINARY_DIR}/files/${files})
    set_tests_properties(files_${files} PROPERTIES LABELS consumer)
endforeach()
