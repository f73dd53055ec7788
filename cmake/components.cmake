# SPDX-License-Identifier: BSD-3-Clause
# jackplane::jackplane needs no third party; every other component owns the headers that name its library.
file(GLOB_RECURSE headers CONFIGURE_DEPENDS include/jackplane/*.hpp)
set(components jackplane ${JACKPLANE_COMPONENTS})

# The component takes the headers whose path begins with `place` and that none took before it; it links the rest.
function(jackplane_component name place)
    set(mine ${headers})
    list(FILTER mine INCLUDE REGEX "/include/jackplane/${place}")
    list(REMOVE_ITEM headers ${mine})
    set(headers ${headers} PARENT_SCOPE)
    if(NOT name IN_LIST components)
        return()
    endif()
    add_library(jackplane_${name} INTERFACE)
    add_library(jackplane::${name} ALIAS jackplane_${name})
    set_target_properties(jackplane_${name} PROPERTIES EXPORT_NAME ${name})
    target_compile_features(jackplane_${name} INTERFACE cxx_std_20)
    target_sources(jackplane_${name} INTERFACE FILE_SET HEADERS BASE_DIRS include FILES ${mine})
    target_link_libraries(jackplane_${name} INTERFACE ${ARGN})
endfunction()

jackplane_component(xtensor core/tensor.hpp jackplane::jackplane xtensor)
jackplane_component(multiply "(multiply/|jackplane.hpp)" jackplane::jackplane xsimd)
jackplane_component(store store/ jackplane::jackplane nlohmann_json::nlohmann_json)
jackplane_component(jackplane "" Threads::Threads)
