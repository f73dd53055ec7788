// SPDX-License-Identifier: BSD-3-Clause
// A checkpoint as Hugging Face has them (safetensors, bf16): mapped, looked through, and one tensor quantized from
// where it lies.
#include <jackplane/jackplane.hpp>
#include <jackplane/store/safetensors.hpp>
#include <jackplane/store/safetensors_write.hpp>
#include <cmath>
#include <cstdio>
#include <vector>

namespace jp = jackplane;

namespace
{
    // Stands for a download.
    void write_checkpoint(char const* path)
    {
        std::vector<jp::bfloat16> up(48 * 256);
        for (std::size_t i = 0; i < up.size(); ++i)
            up[i] = jp::from_float<jp::bfloat16>(std::sin(static_cast<float>(i * i % 1009)));
        std::vector<float> const norm(256, 1.0f);
        std::vector<jp::safetensors::item> const items{
            jp::safetensors::item::of<float>("model.norm.weight", {256}, norm),
            jp::safetensors::item::of<jp::bfloat16>("model.layers.0.mlp.up_proj.weight", {48, 256}, up)};
        jp::safetensors::save(path, items, {{"format", "pt"}});
    }
}

int main()
{
    write_checkpoint("model.safetensors");

    auto const file = jp::safetensors::open("model.safetensors"); // reads the header; the rest is mapped
    for (auto const& [name, tensor] : file.tensors())
        std::printf("%-34s %-4s %s\n", name.c_str(), std::string(jp::dtype_name(tensor.type)).c_str(),
                    jp::safetensors::shape_text(tensor.shape).c_str());

    // bf16 as it lies in the file; f16 and f32 come to the same lambda.
    auto const up = jp::safetensors::visit_matrix(file.at("model.layers.0.mlp.up_proj.weight"),
                                                  [](auto w) { return jp::quantize<jp::recipes::nested8<>>(w); });
    std::printf("%zu x %zu at 8 bits: %.2f bits per weight, w[3, 5] = %.4f\n", up.rows(), up.cols(),
                jp::effective_bits(up), up.at(3, 5));
    try
    {
        jp::safetensors::visit_matrix(file.at("model.norm.weight"), [](auto) {});
    }
    catch (jp::shape_error const& e)
    {
        std::printf("%s\n", e.what());
    }
}
