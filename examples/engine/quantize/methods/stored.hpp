// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "../job/job.hpp"

namespace engine
{
    // Codes, scales and zeros as a checkpoint of the GPTQ family or a GGUF file stores them: nothing is rounded, so
    // decoded values are what they were. The settings' bits are those of the codes (stored_bits).
    struct stored
    {
        static constexpr method_facts facts{.name = "stored",
                                            .about = "codes, scales and zeros that the model has already, as they are",
                                            .one_by_one = false,
                                            .scales = false,
                                            .keeps = true};

        void options(auto&&) {}
        void expect_possible(quantize_settings const& s, bool beside) const;
        void run(job& j) const;
    };

    // Of the first matrix, with which the others have to agree. Throws format_error where it is stored in another way,
    // value_error for a width that planes do not have.
    unsigned stored_bits(model_source const& source);
}
