// SPDX-License-Identifier: BSD-3-Clause
// Codes that others made, multiplied as they are: a layer of a GPTQ checkpoint whose columns are ordered, and blocks
// with an offset, filled in by hand.
#include <jackplane/jackplane.hpp>
#include <jackplane/store/words/config.hpp>
#include <cstdio>
#include <vector>

namespace jp = jackplane;

int main()
{
    std::size_t const rows = 64, cols = 256;
    std::string const name = "model.layers.0.mlp.up_proj";
    std::vector<float> x(cols), y(rows);
    for (std::size_t k = 0; k < cols; ++k)
        x[k] = static_cast<float>(k % 7) - 3;

    // What a quantizer would have left: tensors and config.json.
    jp::words::layer<4> made{{{}, rows, cols, jp::group_grid::of({128}, cols), {}, {}, {}}, {}};
    for (std::size_t i = 0; i < rows * cols; ++i)
        made.codes.codes.push_back(static_cast<jp::code>(i * i % 16));
    made.codes.scales.assign(rows * 2, jp::from_float<jp::half>(0.125f));
    made.codes.zeros.assign(rows * 2, 7);
    for (std::uint32_t k = 0; k < cols; ++k) // even columns first: they matter most, say
        made.order.push_back(k < cols / 2 ? 2 * k : 2 * k - 255);
    jp::words::settings const settings{"gptq", 4, 128, false, true};
    auto const tensors = jp::words::write(name, made, settings);
    jp::safetensors::save("gptq.safetensors", tensors.items());
    std::string const config = R"({"quantization_config":)" + jp::words::write_config(settings) + "}";

//! [readme]
    auto const file = jp::safetensors::open("gptq.safetensors");
    auto const layer = jp::words::read<4>(file, name, jp::words::read_config("config.json", config));
    auto const a = jp::pack<jp::planes<4>>(layer.codes); // the codes, scales and zeros of the file: nothing is rounded
    jp::multiply(a, jp::words::permuted(x, layer.order), y); // x in the layer's order of columns
//! [readme]
    std::printf("%zu x %zu at %.4g bits, y[1] = %g\n", a.rows(), a.cols(), jp::effective_bits(a), y[1]);
    double sum = 0; // column k of the codes is column order[k] of the layer
    for (std::size_t k = 0; k < cols; ++k)
        sum += double{layer.codes.at(1, k)} * x[layer.order[k]];
    std::printf("by hand: %g, column 1 is input %u\n", sum, layer.order[1]);

    // w = scale * code + offset, as GGUF's Q4_1 has it: 32 columns a block.
    jp::quantized<jp::uniform<4>, jp::half, jp::offset_zero<jp::half>> blocks{
        {}, rows, cols, jp::group_grid::of({32}, cols), made.codes.codes, {}, {}};
    blocks.scales.assign(rows * cols / 32, jp::from_float<jp::half>(0.1f));
    blocks.zeros.assign(rows * cols / 32, {jp::from_float<jp::half>(-0.7f)});
    auto const b = jp::pack<jp::planes<4>>(blocks);
    jp::multiply(b, x, y);
    std::printf("code %u: %.9g = %.9g * %u + %.9g, y[1] = %.5g\n", blocks.codes[3], b.at(0, 3), blocks.scale_at(0, 3),
                blocks.codes[3], blocks.zero_at(0, 3), y[1]);
}
