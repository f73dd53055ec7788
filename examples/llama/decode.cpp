// SPDX-License-Identifier: BSD-3-Clause
#include "decode.hpp"
#include <jackplane/multiply/any.hpp>

namespace llama
{
    void decoder::product(std::size_t i, std::span<float> y)
    {
        packed_model::matrix const& m = _model->matrices[i];
        if (m.is_packed)
            multiply(m.packed, _bits, _prepared, y);
        else
            linear(_prepared.view().x, m.dense.data(), y.data(), 1, _prepared.cols(), y.size());
    }
}
