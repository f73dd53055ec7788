// SPDX-License-Identifier: BSD-3-Clause
// A file that serves every width: written once, mapped, read at 8, 4 and 2 bits, and cut to its first bytes.
#include <jackplane/jackplane.hpp>
#include <jackplane/store/cut.hpp> // with what reads and writes nested files
#include <jackplane/store/safetensors.hpp>
#include <cmath>
#include <cstdio>
#include <variant>
#include <vector>

namespace jp = jackplane;

int main()
{
    std::size_t const rows = 64, cols = 512;
    std::vector<float> w(rows * cols), x(cols, 1.0f), y(rows);
    for (std::size_t i = 0; i < w.size(); ++i)
        w[i] = std::sin(static_cast<float>(i * i % 1009));

    jp::nested::writer out; // a safetensors file: tensors of any kind, and matrices plane after plane
    std::vector<float> const norm(cols, 1.0f);
    out.add(jp::safetensors::item::of<float>("norm", {cols}, norm));
    out.add("up", jp::quantize<jp::recipes::nested8<>>(jp::matrix_view<float>{w.data(), rows, cols}));
    out.metadata["made_by"] = "store.cpp";
    out.save("example.jack"); // whole or not at all

    auto const file = jp::nested::open("example.jack"); // reads the header; planes are mapped
    std::printf("%s, norm of %zu\n", file.metadata().at("made_by").c_str(),
                jp::safetensors::read<float>(file.at("norm")).size());
    // Its format is what the file says, one of these: jp::any_packed is all there are, which compile half a minute.
    using planes = std::variant<jp::packed<jp::bit_planes, jp::uniform<8>, jp::half, jp::integer_zero>,
                                jp::packed<jp::bit_planes, jp::uniform<8>, jp::half, jp::no_zero>>;
    auto const up = file.matrix<planes>("up");
    for (unsigned const bits : {8u, 4u, 2u})
    {
        jp::multiply(up, bits, x, y);
        std::printf("%u bits: y[0] = %6.3f, within the first %5zu bytes\n", bits, y[0],
                    static_cast<std::size_t>(file.at_bits(bits).end));
    }

    jp::nested::cut("example.jack", "example.4.jack", 4); // what a smaller machine gets
    auto const smaller = jp::nested::open("example.4.jack");
    jp::multiply(smaller.matrix<planes>("up"), 4, x, y);
    std::printf("of %zu bytes %zu: y[0] = %6.3f at 4 bits\n", file.size(), smaller.size(), y[0]);
    try
    {
        jp::multiply(smaller.matrix<planes>("up"), 8, x, y);
    }
    catch (jp::width_error const& e)
    {
        std::printf("8 bits: %s\n", e.what());
    }
}
