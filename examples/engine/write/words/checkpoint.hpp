// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "layers.hpp"
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace engine
{
    // One width of a quantized model as a checkpoint of the GPTQ family: a Hugging Face folder whose linear layers lie
    // in 32-bit words; what is no linear layer of a block, the output head with it, is stored as numbers.
    class words_checkpoint
    {
    public:
        // Looks at every layer, keeps none. head_bits: at which a packed output head is decoded. Throws as word_layers
        // does.
        words_checkpoint(packed_model const& m, std::string const& name, std::string const& format, unsigned bits,
                         unsigned head_bits);

        jackplane::words::settings const& settings() const noexcept { return _layers.settings(); }
        std::size_t layers() const noexcept { return _layers.size(); }
        jackplane::dtype head_type() const { return dense_type(values(_model.head())); }

        // Into a folder that is empty or not there; config.json comes last. The bytes written. Throws io_error.
        std::uint64_t save(std::filesystem::path const& folder) const;

    private:
        jackplane::matrix_view<float const> values(std::size_t parameter) const;
        std::vector<safetensors::item> items() const;
        std::string config() const;
        std::string quantization() const;

        packed_model const& _model; // which outlives it
        word_layers _layers;
        std::vector<std::vector<safetensors::item>> _tensors{}; // of each layer, without their bytes
        jackplane::aligned_vector<float> _head{};               // decoded, where it is packed
    };
}
