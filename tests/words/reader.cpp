// SPDX-License-Identifier: BSD-3-Clause
// words_reader FILE OUT: layers that words.py has packed. FILE, safetensors, holds of each the tensors of its format,
// its weights NAME.expected (F32), its order NAME.order (I32, may be empty) and, in the metadata, NAME: the
// quantization_config. Every decoded weight must be equal; what is written again goes to OUT.
#include <cstdio>
#include <string>
#include <jackplane/store/words/config.hpp>
using namespace jackplane;

namespace
{
    template <unsigned B, class S>
    std::size_t wrong_weights(safetensors::file const& file, std::string const& name, words::settings const& s,
                              words::tensors& out)
    {
        auto const l = words::read<B, S>(file, name, s);
        auto const expected = safetensors::read<float>(file.at(name + ".expected"), {l.codes.rows, l.codes.cols});
        auto const order = safetensors::read<std::int32_t>(file.at(name + ".order"));
        std::size_t wrong =
            !std::equal(order.begin(), order.end(), l.order.begin(), l.order.end(),
                        [](std::int32_t a, std::uint32_t b) { return static_cast<std::uint32_t>(a) == b; });
        aligned_vector<float> w(expected.size());
        dequantize(l.codes, {w.data(), l.codes.rows, l.codes.cols});
        for (std::size_t i = 0; i < w.size(); ++i)
            wrong += w[i] != expected[i];
        out.add(words::write(name, l, s));
        return wrong;
    }
    template <class S>
    std::size_t at_width(unsigned bits, safetensors::file const& file, std::string const& name,
                         words::settings const& s, words::tensors& out)
    {
        std::size_t wrong = 1;
        [&]<unsigned... B>(std::integer_sequence<unsigned, B...>)
        {
            ((bits == B + 1 ? static_cast<void>(wrong = wrong_weights<B + 1, S>(file, name, s, out)) : void()), ...);
        }
        (std::make_integer_sequence<unsigned, 8>{});
        return wrong;
    }
}

int main(int argc, char** argv)
{
    if (argc != 3)
        return 2;
    auto const file = safetensors::open(argv[1]);
    words::tensors out;
    std::size_t wrong = 0;
    for (auto const& [name, config] : file.metadata())
    {
        auto const s = words::read_config(name, config);
        bool const wide =
            file.find(name + ".weight_scale") != nullptr && file.at(name + ".weight_scale").type == dtype::F32;
        std::size_t const here =
            wide ? at_width<float>(s.bits, file, name, s, out) : at_width<half>(s.bits, file, name, s, out);
        std::printf("%s: %s, %u bits: %zu wrong\n", name.c_str(), s.format.c_str(), s.bits, here);
        wrong += here;
    }
    safetensors::save(argv[2], out.items());
    return wrong == 0 ? 0 : 1;
}
