// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <jackplane/store/words/layer.hpp>
#include <jackplane/store/words/tensors.hpp>
#include "../../pack/packed_model.hpp"
#include "../../read/stored_codes.hpp"
#include <cstddef>
#include <string>
#include <vector>

namespace engine
{
    // The linear layers of a quantized model, read at one width, as a format of the GPTQ family stores them: the codes,
    // scales and zeros of the file, nothing is rounded.
    class word_layers
    {
    public:
        // bits: a width that the model offers; name: of the file. Throws value_error with the tensor and the numbers
        // where no format of the family holds what a layer is at that width.
        word_layers(packed_model const& m, std::string const& name, std::string const& format, unsigned bits);

        jackplane::words::settings const& settings() const noexcept { return _settings; }
        std::size_t size() const noexcept { return _layers.size(); }

        // Throws format_error where the format does not hold the layer, with the names of those that do.
        jackplane::words::tensors tensors(std::size_t i) const;

    private:
        // A layer of the checkpoint: a matrix, or several whose rows stand one below the other.
        struct linear
        {
            std::string name;
            std::vector<std::size_t> matrices{};
        };
        struct joined;
        joined read(linear const& l) const;
        void settle();
        jackplane::words::tensors write(linear const& l, jackplane::words::settings const& s) const;

        packed_model const& _model; // which outlives it
        std::vector<linear> _layers{};
        jackplane::words::settings _settings{};
    };

    // The formats as the tool and its errors name them.
    std::vector<std::string> words_format_names();
}
