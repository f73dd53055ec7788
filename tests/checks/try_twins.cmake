# SPDX-License-Identifier: BSD-3-Clause
cmake_minimum_required(VERSION 3.25)
# Without exceptions files can be read, but the try_ twins, which would have to come back from an error, do not compile:
# a sentence says why, once for each. With exceptions they do.

set(twins "safetensors::try_open(p)" "safetensors::try_parse({}, p)" "nested::try_open(p)" "nested::try_parse({}, p)"
          "gguf::try_open(p)" "gguf::try_parse({}, p)" "gguf::try_open_imatrix(p)"
          "npy::try_open(p)" "npy::try_parse({}, p)" "try_load(one)")
set(others "safetensors::open(p)" "safetensors::parse({}, p)" "nested::open(p)" "nested::open(p).sparse(p)"
           "nested::open(p).matrix(p)" "npy::open(p)" "gguf::open(p)" "gguf::parse({}, p)"
           "gguf::open_imatrix(p)")

# uses `calls` -> result, error
function(compile calls flags)
    set(body)
    foreach(call IN LISTS calls)
        string(APPEND body "    (void)jackplane::${call};\n")
    endforeach()
    file(WRITE ${OUT}/use.cpp "#include <jackplane/store/gguf/imatrix.hpp>
#include <jackplane/store/nested_read.hpp>
#include <jackplane/store/npy.hpp>
#include <jackplane/store/safetensors.hpp>
int one();
void use(char const* p)
{
${body}}
")
    execute_process(COMMAND ${COMPILER} -std=c++20 -fsyntax-only ${flags} -I${ROOT}/include ${OUT}/use.cpp
                    RESULT_VARIABLE result ERROR_VARIABLE error)
    set(result ${result} PARENT_SCOPE)
    set(error "${error}" PARENT_SCOPE)
endfunction()

compile("${twins};${others}" "")
if(NOT result EQUAL 0)
    message(SEND_ERROR "with exceptions: ${error}")
endif()
compile("${others}" -fno-exceptions)
if(NOT result EQUAL 0)
    message(SEND_ERROR "without exceptions: ${error}")
endif()
compile("${twins}" -fno-exceptions)
string(REGEX MATCHALL "error: static[^\n]*the try_ twins need exceptions" sentences "${error}")
list(LENGTH sentences said)
list(LENGTH twins wanted)
if(NOT said EQUAL wanted)
    message(SEND_ERROR "without exceptions ${said} of ${wanted} twins do not compile: ${error}")
endif()
