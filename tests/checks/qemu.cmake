# SPDX-License-Identifier: BSD-3-Clause
cmake_minimum_required(VERSION 3.25)
# SOURCES, joined by |, as a doctest program for 64-bit ARM, without the dot product, with it, and with products of
# matrices of bytes, run by qemu. Of the last two integers alone: fp32 and bfloat16 are words of the first, which is
# asked of the table of archs. HEADERS, joined by |: where doctest and xsimd are (their own folders are
# linked into OUT, so that no header of this machine's C library is seen); where this machine keeps such things if not
# given.

find_program(CROSS NAMES aarch64-linux-gnu-g++)
find_program(QEMU NAMES qemu-aarch64 qemu-aarch64-static)
foreach(tool IN ITEMS CROSS QEMU)
    if(NOT ${tool})
        message(STATUS "SKIPPED: no aarch64-linux-gnu-g++ or no qemu-aarch64 on this machine "
                       "(Debian: g++-aarch64-linux-gnu, qemu-user)")
        return()
    endif()
endforeach()

string(REPLACE "|" ";" sources "${SOURCES}")
string(REPLACE "|" ";" folders "${HEADERS}")
file(MAKE_DIRECTORY ${OUT}/include)
foreach(header IN ITEMS doctest xsimd)
    set(found)
    foreach(folder IN LISTS folders ITEMS /usr/local/include /usr/include)
        if(NOT found AND EXISTS ${folder}/${header}/${header}.h)
            set(found ${folder}/${header})
        elseif(NOT found AND EXISTS ${folder}/${header}/${header}.hpp)
            set(found ${folder}/${header})
        endif()
    endforeach()
    if(NOT found)
        message(STATUS "SKIPPED: no headers of ${header} under ${folders}")
        return()
    endif()
    file(REMOVE ${OUT}/include/${header})
    file(CREATE_LINK ${found} ${OUT}/include/${header} SYMBOLIC)
endforeach()

file(READ ${ROOT}/include/jackplane/multiply/arch/archs.hpp archs)
string(REGEX MATCHALL "ARCH\\(neon_(dot|i8mm),[^\n]*\"limbs\"" integers_alone "${archs}")
list(LENGTH integers_alone count)
if(NOT count EQUAL 2)
    message(SEND_ERROR "neon_dot or neon_i8mm adds more than integers: floats of it would not be tested here")
endif()

set(compile ${CROSS} -std=c++20 -O1 -Wall -Wextra -Wconversion -Wshadow -Werror -isystem ${OUT}/include
            -I${ROOT}/include -I${ROOT}/tests)
execute_process(COMMAND ${compile} -c ${ROOT}/tests/main.cpp -o ${OUT}/main.o COMMAND_ERROR_IS_FATAL ANY)
foreach(march IN ITEMS armv8-a armv8.2-a+dotprod armv8.2-a+dotprod+i8mm)
    set(objects ${OUT}/main.o)
    set(few)
    if(march MATCHES "i8mm")
        set(few -DJACKPLANE_INTEGERS_ALONE)
    elseif(march MATCHES "dotprod")
        set(few -DJACKPLANE_FLOATS_OF_PARENT)
    endif()
    foreach(source IN LISTS sources)
        cmake_path(GET source STEM name)
        execute_process(COMMAND ${compile} ${few} -march=${march} -c ${ROOT}/tests/${source}
                                -o ${OUT}/${march}.${name}.o COMMAND_ERROR_IS_FATAL ANY)
        list(APPEND objects ${OUT}/${march}.${name}.o)
    endforeach()
    # static: no library of the other machine has to be found when it runs
    execute_process(COMMAND ${CROSS} -static ${objects} -pthread -o ${OUT}/${march} COMMAND_ERROR_IS_FATAL ANY)
    execute_process(COMMAND ${QEMU} ${OUT}/${march} COMMAND_ERROR_IS_FATAL ANY)
endforeach()
