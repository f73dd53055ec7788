# SPDX-License-Identifier: BSD-3-Clause
# An installed package first, else the pinned tag from its repository.
include(FetchContent)
set(BENCHMARK_ENABLE_TESTING OFF)
set(DOCTEST_WITH_TESTS OFF)
set(CLI11_BUILD_TESTS OFF)
set(CLI11_BUILD_EXAMPLES OFF)
set(JSON_Install ON) # jackplane::store is exported, so what it links must be too

# package, the target it must bring, oldest version that compiles, repository, tag of the fallback.
# find_package gets no version: xsimd's version file accepts one major only, and 8 to 14 all work.
# GLOBAL: xtensor and xsimd have no namespace; unseen in a consumer's folder they would become -lxtensor.
function(jackplane_dependency package target oldest repository tag)
    if(NOT TARGET ${target})
        FetchContent_Declare(${package} GIT_REPOSITORY https://github.com/${repository} GIT_TAG ${tag} GIT_SHALLOW ON
                             SYSTEM FIND_PACKAGE_ARGS QUIET GLOBAL)
        FetchContent_MakeAvailable(${package})
    endif()
    if(NOT TARGET ${target})
        message(FATAL_ERROR "jackplane: package ${package} brings no target ${target}")
    elseif(${package}_VERSION AND ${package}_VERSION VERSION_LESS oldest)
        message(FATAL_ERROR "jackplane: ${package} ${oldest} or newer is needed, ${${package}_VERSION} was found")
    endif()
endfunction()

find_package(Threads REQUIRED)
if(xtensor IN_LIST JACKPLANE_COMPONENTS)
    jackplane_dependency(xtl xtl 0.7.2 xtensor-stack/xtl 0.7.2)
    jackplane_dependency(xtensor xtensor 0.24.3 xtensor-stack/xtensor 0.24.3)
endif()
if(multiply IN_LIST JACKPLANE_COMPONENTS)
    find_package(xtl QUIET GLOBAL) # some packages of xsimd 8 link it without finding it
    jackplane_dependency(xsimd xsimd 8.1.0 xtensor-stack/xsimd 8.1.0)
endif()
if(store IN_LIST JACKPLANE_COMPONENTS)
    jackplane_dependency(nlohmann_json nlohmann_json::nlohmann_json 3.11.2 nlohmann/json v3.11.2)
endif()

if(PROJECT_IS_TOP_LEVEL)
    if(JACKPLANE_BUILD_TESTS)
        jackplane_dependency(doctest doctest::doctest 2.4.9 doctest/doctest v2.4.9)
    endif()
    if(JACKPLANE_BUILD_BENCH)
        jackplane_dependency(benchmark benchmark::benchmark 1.7.1 google/benchmark v1.7.1)
    endif()
    if(JACKPLANE_BUILD_BENCH OR JACKPLANE_BUILD_EXAMPLES)
        jackplane_dependency(CLI11 CLI11::CLI11 2.1.2 CLIUtils/CLI11 v2.1.2)
    endif()
endif()
