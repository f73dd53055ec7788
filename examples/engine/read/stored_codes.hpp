// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <jackplane/quantize/quantized.hpp>
#include <jackplane/quantize/scale.hpp>
#include <jackplane/store/dtype.hpp>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace engine
{
    // Whether S holds that number as it is.
    template <class S>
    bool is_held(float x)
    {
        return jackplane::to_float(jackplane::from_float<S>(x)) == x;
    }

    // A matrix of codes as other engines' files hold it, with a scale and a whole zero for each group of columns of a
    // row: w = scale (code - zero).
    struct stored_codes
    {
        unsigned bits = 0;
        std::size_t rows = 0, cols = 0;
        jackplane::group_grid grid{1, 0, false};
        jackplane::aligned_vector<jackplane::code> codes{};         // [rows, cols]
        std::vector<float> scales{};                                // [rows, groups]
        jackplane::aligned_vector<jackplane::integer_zero> zeros{}; // [rows, groups]
        jackplane::dtype scale_type = jackplane::dtype::F32;        // as the file has them
        std::string type{};                                         // of all, for errors: "Q4_0"

        // Throws value_error where S does not hold a scale as it is.
        template <unsigned B, jackplane::scale_number S>
        jackplane::quantized<jackplane::uniform<B>, S, jackplane::integer_zero> as(std::string_view name) const
        {
            jackplane::aligned_vector<S> held(scales.size());
            for (std::size_t i = 0; i < scales.size(); ++i)
            {
                JACKPLANE_EXPECTS(is_held<S>(scales[i]), jackplane::value_error, "'", name, "': the scale of group ",
                                  i % grid.per_row, " in row ", i / grid.per_row, " is ", scales[i], ", no number of ",
                                  jackplane::dtype_name(jackplane::dtype_of<S>));
                held[i] = jackplane::from_float<S>(scales[i]);
            }
            return {{}, rows, cols, grid, codes, std::move(held), zeros};
        }
    };
}
