# SPDX-License-Identifier: BSD-3-Clause
cmake_minimum_required(VERSION 3.25)
# How many places there are to touch. In a copy of the library a codebook is added by its own file and the list of
# formats, an arch by its kernels and the table of archs, and nothing else: files, products, CMake's kernels and the
# choice at run time then know both. ON_ARCH: the program; ARCHS: those that the compiler knows, joined by |.

if(NOT ARCHS MATCHES "avx2")
    message(STATUS "SKIPPED: a compiler for x86-64 is wanted")
    return()
endif()
file(REMOVE_RECURSE ${OUT})
file(COPY ${ROOT}/CMakeLists.txt ${ROOT}/cmake ${ROOT}/include DESTINATION ${OUT}/tree)
set(headers ${OUT}/tree/include/jackplane)

# Puts <text> before the first <mark> of a list.
function(add_to list mark text)
    file(READ ${headers}/${list} all)
    string(FIND "${all}" "${mark}" at)
    if(at EQUAL -1)
        message(FATAL_ERROR "no '${mark}' in ${list}")
    endif()
    string(SUBSTRING "${all}" 0 ${at} before)
    string(SUBSTRING "${all}" ${at} -1 after)
    file(WRITE ${headers}/${list} "${before}${text}${after}")
endfunction()

# --- a codebook: its file, and a line (with its include) in the list of formats
file(WRITE ${headers}/quantize/squares.hpp [=[
#pragma once
#include "codebook.hpp"

namespace jackplane::inline v0
{
    namespace codebooks
    {
        inline constexpr std::array<float, 16> square_values{-64, -49, -36, -25, -16, -9, -4, -1,
                                                             0,   1,   4,   9,   16,  25, 36, 49};
    }
    struct squares : codebooks::fixed_table<codebooks::square_values>
    {
        [[gnu::always_inline]] static constexpr char const* name() noexcept { return "squares"; }
    };
}
]=])
add_to(pack/any_packed.hpp "#include \"../quantize/row_table.hpp\"" "#include \"../quantize/squares.hpp\"\n")
add_to(pack/any_packed.hpp "        packed<planes<4>, nf4, half, no_zero>,"
       "        packed<planes<4>, squares, half, no_zero>,\n")

# --- an arch: its kernels (here its parent's), what it needs of the compiler and its line in the table
add_to(multiply/arch/archs.hpp "#define JACKPLANE_HAS_avx2_vnni"
       "#define JACKPLANE_HAS_avx2_bmi (JACKPLANE_HAS_avx2 && JACKPLANE_BIT(__BMI2__))\n")
add_to(multiply/arch/archs.hpp "    ARCH(avx2_vnni"
       "    ARCH(avx2_bmi, avx2, 1, 0, \"-mbmi2\", \"bmi2\", \"exact\", all(r.leaf7_ebx, 8)) \\\n")
add_to(multiply/arch/avx2.hpp "#if JACKPLANE_HAS_avx2_vnni" "#if JACKPLANE_HAS_avx2_bmi
        template <>
        struct vectors<avx2_bmi> : vectors<avx2>
        {
        };
#endif
")

file(WRITE ${OUT}/use.cpp [=[
#include <jackplane/jackplane.hpp>
#include <jackplane/multiply/arch/cpu.hpp>
#include <jackplane/store/nested_read.hpp>
#include <jackplane/store/nested_write.hpp>
#include <cstdio>

using namespace jackplane;

int main(int, char** words)
{
    std::vector<float> w(33 * 70), x(70, 1.0f), y(33), z(33);
    for (std::size_t i = 0; i < w.size(); ++i)
        w[i] = static_cast<float>(i % 31) - 15;
    auto const a = pack<planes<4>>(quantize(matrix_view<float>{w.data(), 33, 70}, squares{}, absmax{}, group{32}));
    nested::writer out;
    out.add("a", a);
    out.save(words[1]);
    any_packed const m = nested::open(words[1]).matrix("a");
    multiply(std::get<packed<planes<4>, squares>>(m), x, y);
    multiply<scalar>(a, x, z);
    for (std::size_t i = 0; i < y.size(); ++i)
        if (!(std::abs(y[i] - z[i]) < 1e-3f))
            return std::printf("y[%zu] = %g instead of %g\n", i, y[i], z[i]), 1;
    if (choose_arch(std::array{arch_candidate{"avx2_bmi", true}}, "avx2_bmi") != 0)
        return 1;
    static_assert(std::is_same_v<best_arch, avx2_bmi> && features_of({0, 1u << 8, 0, 0, 0}) == cpu_features{});
    return has(this_cpu(), avx2_bmi{}) <= has(this_cpu(), avx2{}) ? 0 : 1;
}
]=])
file(WRITE ${OUT}/CMakeLists.txt "
cmake_minimum_required(VERSION 3.25)
project(places LANGUAGES CXX)
add_subdirectory(tree EXCLUDE_FROM_ALL)
jackplane_add_kernels(kernels ARCHS avx2 avx2_bmi ACTIVATIONS exact \"limbs<1>\")
set_target_properties(kernels PROPERTIES EXCLUDE_FROM_ALL ON)
add_library(table OBJECT kernels_kernels/table.cpp)
target_link_libraries(table PRIVATE jackplane::multiply)
add_executable(use use.cpp)
target_link_libraries(use PRIVATE jackplane::multiply jackplane::store)
jackplane_arch_flags(avx2_bmi flags)
target_compile_options(use PRIVATE \${flags} -O1)
jackplane_archs(known missing)
message(STATUS \"known: \${known}; flags: \${flags}\")
")

function(run)
    execute_process(COMMAND ${ARGN} OUTPUT_VARIABLE output ERROR_VARIABLE output RESULT_VARIABLE status)
    if(NOT status EQUAL 0)
        message(FATAL_ERROR "${ARGN}: ${status}\n${output}")
    endif()
    set(output "${output}" PARENT_SCOPE)
endfunction()
run(${CMAKE_COMMAND} -G ${GENERATOR} -S ${OUT} -B ${OUT}/build -DCMAKE_CXX_COMPILER=${COMPILER}
    "-DJACKPLANE_COMPONENTS=multiply\;store")
if(NOT output MATCHES "known: [^\n]*avx2;avx2_bmi;[^\n]*flags: -march=x86-64;-mavx2;-mfma;-mf16c;-mbmi2\n")
    message(FATAL_ERROR "CMake does not know the arch:\n${output}")
endif()
run(${CMAKE_COMMAND} --build ${OUT}/build --target table use)
run(${ON_ARCH} avx2 ${OUT}/build/use ${OUT}/a.jack)

# Kernels of the new arch where it brings some, its parent's where it does not.
file(GLOB units ${OUT}/build/kernels_kernels/avx2_bmi.*.cpp)
set(with_codebook 0)
foreach(unit IN LISTS units)
    file(READ ${unit} text)
    if(text MATCHES "limbs")
        message(FATAL_ERROR "${unit} repeats the parent's kernels")
    elseif(text MATCHES "compiled<avx2_bmi, dispatch::multiply_rows<packed<planes<4>, squares, half, no_zero>::")
        math(EXPR with_codebook "${with_codebook} + 1")
    endif()
endforeach()
if(NOT with_codebook EQUAL 1)
    message(FATAL_ERROR "${with_codebook} units of avx2_bmi multiply the new format")
endif()
