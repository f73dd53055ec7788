# SPDX-License-Identifier: BSD-3-Clause
# The engine and the library beside others that nobody here wrote: llama.cpp, onnxruntime, and Hugging Face's tokenizers
# and parser of GGUF. npm brings them into the build folder; without it the tests say so and are skipped.
find_program(npm npm)
find_program(node NAMES node nodejs)
if(NOT TARGET engine OR NOT TARGET jackplane OR NOT npm OR NOT node OR NOT python_with_numpy)
    add_test(NAME clients COMMAND ${CMAKE_COMMAND} -E echo "SKIPPED: no npm, no python3 with numpy, or no engine")
    set_tests_properties(clients PROPERTIES SKIP_REGULAR_EXPRESSION "SKIPPED:")
    return()
endif()
add_executable(client_llama_cpp ${CMAKE_CURRENT_LIST_DIR}/llama/witness.cpp)
foreach(client judge quantizer)
    add_executable(client_${client} ${CMAKE_CURRENT_LIST_DIR}/llama/${client}.cpp)
endforeach()
foreach(client llama_cpp judge quantizer)
    target_include_directories(client_${client} PRIVATE ${PROJECT_SOURCE_DIR}/examples)
    target_link_libraries(client_${client} PRIVATE ${CMAKE_DL_LIBS})
    target_compile_features(client_${client} PRIVATE cxx_std_20)
endforeach()
add_executable(client_blocks ${CMAKE_CURRENT_LIST_DIR}/blocks.cpp)
target_link_libraries(client_blocks PRIVATE jackplane::store ${CMAKE_DL_LIBS})
add_executable(client_gguf ${CMAKE_CURRENT_LIST_DIR}/gguf.cpp)
target_link_libraries(client_gguf PRIVATE jackplane::store)
add_executable(client_nbits ${CMAKE_CURRENT_LIST_DIR}/nbits.cpp)
target_link_libraries(client_nbits PRIVATE jackplane::multiply jackplane::store)
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
add_test(NAME clients_quality
         COMMAND ${python_with_numpy} -B ${CMAKE_CURRENT_LIST_DIR}/quality.py $<TARGET_FILE:client_llama_cpp>
                 $<TARGET_FILE:client_judge> $<TARGET_FILE:client_quantizer> ${packages}/quality
                 ${packages}/llama_cpp/npm)
add_test(NAME clients_speed
         COMMAND ${python_with_numpy} -B ${CMAKE_CURRENT_LIST_DIR}/speed.py $<TARGET_FILE:jackplane> ${packages}/speed
                 ${packages}/llama_cpp/npm)
set(of_llama clients_llama_cpp clients_blocks clients_written clients_quality clients_speed)
set_tests_properties(${of_llama} PROPERTIES RESOURCE_LOCK npm_llama_cpp LABELS consumer SKIP_RETURN_CODE 77)
foreach(client tokenizers gguf nbits)
    add_test(NAME clients_${client}
             COMMAND ${node} ${CMAKE_CURRENT_LIST_DIR}/${client}.mjs $<TARGET_FILE:client_${client}>
                     ${packages}/${client})
    set_tests_properties(clients_${client} PROPERTIES LABELS consumer SKIP_RETURN_CODE 77)
endforeach()
