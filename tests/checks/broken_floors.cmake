# SPDX-License-Identifier: BSD-3-Clause
cmake_minimum_required(VERSION 3.25)
# The floors check must fail on each of these lines, and must name the file.

function(expect_refusal file line)
    file(REMOVE_RECURSE ${OUT})
    file(COPY ${ROOT}/include/jackplane DESTINATION ${OUT})
    file(APPEND ${OUT}/jackplane/${file} "${line}\n")
    execute_process(COMMAND ${CMAKE_COMMAND} -DROOT=${OUT}/jackplane -P ${ROOT}/cmake/floors.cmake
                    RESULT_VARIABLE result ERROR_VARIABLE errors)
    if(result EQUAL 0 OR NOT errors MATCHES "${file}")
        message(SEND_ERROR "floors.cmake does not refuse ${line} in ${file}: ${errors}")
    endif()
endfunction()

expect_refusal(core/view.hpp "#include \"../quantize/codebook.hpp\"")
expect_refusal(pack/planes.hpp "#include \"../multiply/multiply.hpp\"")
expect_refusal(quantize/scale.hpp "#  include \"../loss/quadratic.hpp\"")
expect_refusal(quantize/scale.hpp "#include \"../../elsewhere.hpp\"")
expect_refusal(quantize/scale.hpp "#include <xsimd/xsimd.hpp>")
expect_refusal(core/view.hpp "#include <xtensor/xtensor.hpp>")
expect_refusal(pack/planes.hpp "#include <nlohmann/json.hpp>")
expect_refusal(core/tensor.hpp "#include <boost/version.hpp>")
expect_refusal(pack/planes.hpp "#include <jackplane/core/view.hpp>")
expect_refusal(elsewhere/new.hpp "#include <vector>")
expect_refusal(core/view.hpp "namespace jackplane::inline v0")
expect_refusal(core/version.hpp "namespace jackplane::inline v0::inline JACKPLANE_TARGET")
