// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <jackplane/quantize/group.hpp>
#include <jackplane/quantize/scale.hpp>
#include "../../read/with_width.hpp"
#include "../packed_model.hpp"

// From settings of codes, known at run time, to the types they name.
namespace engine
{
    enum class scheme
    {
        symmetric,     // absmax
        asymmetric,    // minmax with an integer zero
        full_range,    // signed scales
        gptq_symmetric // the range of absmax over all steps of the codes
    };

    // How codes are scaled and cut.
    struct code_settings
    {
        scheme range = scheme::asymmetric;
        jackplane::group group{64};
        slice_rule slice{};
    };

    // body(scale policy)
    template <class Body>
    auto with_scheme(scheme range, Body&& body)
    {
        switch (range)
        {
        case scheme::symmetric:
            return body(jackplane::absmax{});
        case scheme::gptq_symmetric:
            return body(jackplane::gptq_symmetric{});
        case scheme::asymmetric:
            return body(jackplane::minmax<>{});
        default:
            return body(jackplane::full_range{});
        }
    }
}
