// SPDX-License-Identifier: BSD-3-Clause
// A matrix of a GGUF file, multiplied as it is: its blocks become planes, nothing is quantized again.
#include <jackplane/jackplane.hpp>
#include <jackplane/store/gguf/pack.hpp>
#include <jackplane/store/gguf/write.hpp>
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <span>
#include <string>
#include <vector>

namespace jp = jackplane;

int main()
{
    std::size_t const rows = 64, cols = 512;
    std::vector<float> w(rows * cols), x(cols), y(rows);
    for (std::size_t i = 0; i < w.size(); ++i)
        w[i] = std::sin(static_cast<float>(i * i % 1009));
    for (std::size_t k = 0; k < cols; ++k)
        x[k] = static_cast<float>(k % 7) - 3;

    // A file to read.
    using made = jp::gguf::q4_k;
    std::size_t const row_bytes = cols / made::values * made::bytes;
    std::vector<std::byte> blocks(rows * row_bytes);
    for (std::size_t row = 0; row < rows; ++row)
        jp::gguf::encode<made>(std::span(w).subspan(row * cols, cols), {},
                               std::span(blocks).subspan(row * row_bytes, row_bytes));
    std::string const name = "blk.0.ffn_up.weight";
    jp::gguf::item const items[] = {jp::gguf::item::of<made>(name, {rows, cols}, blocks)};
    jp::gguf::save("example.gguf", items, {});

//! [readme]
    auto const file = jp::gguf::open("example.gguf"); // mapped
    jp::gguf::tensor const& up = file.at(name);
    jp::team const workers(2);
    auto const a = jp::gguf::pack<jp::planes<4>, jp::gguf::q4_k>(up, workers); // or from rows of blocks
    jp::multiply(a, x, y);
    auto const decoded = jp::gguf::read(up); // its numbers, [rows, cols], of any type
//! [readme]
    std::printf("%s: %zu x %zu in %s, planes of %.4g bits a weight\n", up.name.c_str(), a.rows(), a.cols(),
                std::string(up.type.name).c_str(), jp::effective_bits(a));
    double worst = 0, largest = 0;
    for (std::size_t row = 0; row < rows; ++row)
    {
        double sum = 0;
        for (std::size_t k = 0; k < cols; ++k)
            sum += double{decoded[row * cols + k]} * x[k];
        worst = std::max(worst, std::abs(sum - y[row])), largest = std::max(largest, std::abs(sum));
    }
    std::printf("the product of its numbers: %s\n", worst < 1e-6 * largest ? "the same to 1e-6" : "another");

    // Where the file says which type: the planes that its codes fit.
    jp::gguf::visit_type(up, [&]<class T>(T)
    {
        if constexpr (jp::gguf::linear_block<T>)
            if constexpr (T::bits == 4)
                std::printf("%s by its number: %zu rows\n", std::string(T::name).c_str(),
                            jp::gguf::pack<jp::planes<4>, T>(up).rows());
    });
}
