// SPDX-License-Identifier: BSD-3-Clause
// The model of a Hugging Face folder or a GGUF file as another GGUF file, for the tests: written MODEL FILE
// [TYPE...]: a matrix of a layer has the type of its number in the list, counted from the first again at its end, as
// ggml's own quantizer makes it; where a row is no whole number of blocks, and without types, it stays dense.
#include <engine/write/gguf/model.hpp>
#include <jackplane/store/gguf/types.hpp>
#include <cstdio>
#include <exception>
#include <string>
#include <vector>

namespace
{
    engine::block_matrix encoded(engine::model_source const& source, engine::parameter const& p, std::string_view name)
    {
        auto const type = jackplane::gguf::find_type(name);
        JACKPLANE_EXPECTS(type && type->is_decoded, jackplane::format_error, "no type ", name);
        if (p.cols % type->values != 0)
            return {};
        std::vector<float> w(p.size());
        source.read(p, w.data());
        return engine::to_blocks({w.data(), p.rows, p.cols}, type->id, {}, p.name);
    }
}

int main(int count, char** arguments)
try
{
    if (count < 3)
        return std::fprintf(stderr, "usage: written MODEL FILE [TYPE...]\n"), 2;
    engine::model_source const source{std::filesystem::path(arguments[1])};
    std::vector<engine::block_matrix> matrices;
    auto const layers = source.table().of_layers();
    for (std::size_t i = 0; count > 3 && i < layers.size(); ++i)
        matrices.push_back(encoded(source, layers[i], arguments[3 + i % static_cast<std::size_t>(count - 3)]));
    jackplane::gguf::metadata more;
    more.set("general.name", std::string("a model"));
    engine::save_gguf(source, matrices, more, std::filesystem::path(arguments[2]));
}
catch (std::exception const& e)
{
    return std::fprintf(stderr, "written: %s\n", e.what()), 1;
}
