# SPDX-License-Identifier: BSD-3-Clause
# store/words beside words that numpy packs.
if(NOT python_with_numpy)
    return() # tool/tests.cmake says so
endif()
add_executable(words_reader ${CMAKE_CURRENT_LIST_DIR}/reader.cpp)
target_link_libraries(words_reader PRIVATE jackplane::store)
add_test(NAME words COMMAND ${python_with_numpy} -B ${CMAKE_CURRENT_LIST_DIR}/words.py $<TARGET_FILE:words_reader>
                            ${CMAKE_CURRENT_BINARY_DIR}/words)
set_tests_properties(words PROPERTIES LABELS consumer)
