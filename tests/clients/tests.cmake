# SPDX-License-Identifier: BSD-3-Clause
# The engine beside others that nobody here wrote: llama.cpp, and Hugging Face's tokenizers. npm brings them into the
# build folder; without it the tests say so and are skipped.
find_program(npm npm)
find_program(node NAMES node nodejs)
if(NOT TARGET engine OR NOT TARGET jackplane OR NOT npm OR NOT node OR NOT python_with_numpy)
    add_test(NAME clients COMMAND ${CMAKE_COMMAND} -E echo "SKIPPED: no npm, no python3 with numpy, or no engine")
    set_tests_properties(clients PROPERTIES SKIP_REGULAR_EXPRESSION "SKIPPED:")
    return()
endif()
add_executable(client_llama_cpp ${CMAKE_CURRENT_LIST_DIR}/witness.cpp)
target_link_libraries(client_llama_cpp PRIVATE ${CMAKE_DL_LIBS})
target_compile_features(client_llama_cpp PRIVATE cxx_std_20)
add_executable(client_blocks ${CMAKE_CURRENT_LIST_DIR}/blocks.cpp)
target_link_libraries(client_blocks PRIVATE jackplane::store ${CMAKE_DL_LIBS})
foreach(client tokenizers likeliest written)
    add_executable(client_${client} ${CMAKE_CURRENT_LIST_DIR}/${client}.cpp)
    target_link_libraries(client_${client} PRIVATE engine)
endforeach()
set(packages ${CMAKE_CURRENT_BINARY_DIR}/clients)
file(MAKE_DIRECTORY ${packages})
add_test(NAME clients_llama_cpp
         COMMAND ${python_with_numpy} -B ${CMAKE_CURRENT_LIST_DIR}/llama_cpp.py $<TARGET_FILE:jackplane>
                 $<TARGET_FILE:client_likeliest> $<TARGET_FILE:client_llama_cpp> ${packages}/llama_cpp)
add_test(NAME clients_blocks
         COMMAND ${python_with_numpy} -B ${CMAKE_CURRENT_LIST_DIR}/blocks.py $<TARGET_FILE:client_blocks>
                 ${packages}/llama_cpp/npm)
add_test(NAME clients_written
         COMMAND ${python_with_numpy} -B ${CMAKE_CURRENT_LIST_DIR}/written.py $<TARGET_FILE:jackplane>
                 ${packages}/written $<TARGET_FILE:client_written> $<TARGET_FILE:client_llama_cpp>
                 ${packages}/llama_cpp/npm)
set_tests_properties(clients_llama_cpp clients_blocks clients_written PROPERTIES RESOURCE_LOCK npm_llama_cpp)
add_test(NAME clients_tokenizers
         COMMAND ${node} ${CMAKE_CURRENT_LIST_DIR}/tokenizers.mjs $<TARGET_FILE:client_tokenizers>
                 ${packages}/tokenizers)
set_tests_properties(clients_llama_cpp clients_blocks clients_written clients_tokenizers
                     PROPERTIES LABELS consumer SKIP_RETURN_CODE 77)
