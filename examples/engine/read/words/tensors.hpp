// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <jackplane/store/words/layer.hpp>
#include "../../describe/settings_file.hpp"
#include "../checkpoint_files.hpp"
#include "../stored_codes.hpp"
#include "../table.hpp"
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>

namespace engine
{
    // What a folder says of linear layers that are quantized already, in its config.json or a quantize_config.json;
    // none: it says nothing of such. Throws format_error where their format is not known here.
    std::optional<jackplane::words::settings> words_in(std::filesystem::path const& folder,
                                                       settings_file const& config);

    // The linear layers of a checkpoint of the GPTQ family: a layer P has P.qweight, P.scales ... in place of P.weight.
    // What it holds as numbers (an output head, norms) is left to others.
    class word_tensors
    {
    public:
        word_tensors(checkpoint_files const& files, jackplane::words::settings s) : _files(files), _settings(s) {}

        // Whether a layer in words holds the parameter: then its tensors are taken out of the rest. Throws shape_error
        // where they are not of the size that the parameter has.
        bool take(parameter const& p, std::map<std::string, checkpoint_files::place>& rest) const;
        // Whether it does: then its decoded values -> w. Throws format_error, value_error.
        bool read(parameter const& p, std::span<float> w) const;
        // Its codes, where it does. Throws the same; format_error, too, where columns of a group do not stand side by
        // side.
        std::optional<stored_codes> codes(parameter const& p) const;

    private:
        // body(the layer of that name), of the sizes that the part says. Throws format_error that names the file.
        template <class Body>
        void with_layer(tensor_part const& part, Body&& body) const;
        std::optional<tensor_part> find(parameter const& p) const; // `tensor`: the name of the layer
        std::string codes_of(std::string const& layer) const;      // the tensor of its codes

        checkpoint_files const& _files;
        jackplane::words::settings _settings;
    };
}
