// SPDX-License-Identifier: BSD-3-Clause
// client_nbits FILE: packed matrices of 4 bits as an engine hands them to onnxruntime's MatMulNBits, and our products.
// FILE is safetensors; of each matrix NAME it holds
//     NAME.codes  U8 [rows, cols]
//     NAME.scales F32 [rows, groups], NAME.zeros U8 or F32 [rows, groups] or none: w = scale * (code - zero), zero 8
//     NAME.x      F32 [vectors, cols], NAME.y F32 [vectors, rows]
#include <cstdio>
#include <deque>
#include <random>
#include <string>
#include <vector>
#include <jackplane/multiply/multiply.hpp>
#include <jackplane/recipes.hpp>
#include <jackplane/store/safetensors_write.hpp>
using namespace jackplane;

namespace
{
    constexpr std::size_t rows = 67, cols = 352, vectors = 3; // 67 is no panel, 352 ends inside groups of 64 and 128

    struct tensors
    {
        std::deque<std::vector<std::byte>> data; // the items keep views
        std::vector<safetensors::item> items;

        template <class T>
        void add(std::string name, std::size_t n, std::size_t m, T const* values)
        {
            auto const bytes = std::as_bytes(std::span(values, n * m));
            auto const& kept = data.emplace_back(bytes.begin(), bytes.end());
            items.push_back({std::move(name), dtype_of<T>, {n, m}, kept, {}});
        }
    };
    std::vector<float> random_numbers(std::size_t n, unsigned seed)
    {
        std::mt19937 random(seed);
        std::vector<float> x(n);
        for (float& each : x)
            each = static_cast<float>(static_cast<int>(random() % 8191) - 4095) / 4096;
        return x;
    }

    // What a matrix of 4 bits is to other engines: its codes, and for each group a scale and a zero in steps of 4 bits.
    // q is the whole matrix, a the same at 4 of its bits: a code of 4 bits is the middle of its cell of q's steps.
    template <codebook C, scale_number S, zero_number Z, packed_matrix M>
    void add(tensors& to, std::string const& name, quantized<C, S, Z> const& q, M const& a)
    {
        float const cell = static_cast<float>(1u << (C::bits - 4));
        std::size_t const groups = q.grid.per_row;
        std::vector<float> scales;
        for (S const s : q.scales)
            scales.push_back(to_float(s) * cell);
        to.add(name + ".codes", rows, cols, codes_of(a).data());
        to.add(name + ".scales", rows, groups, scales.data());
        if constexpr (C::bits > 4)
        {
            std::vector<float> zeros;
            for (Z const z : q.zeros)
                zeros.push_back((to_float(z) - (cell - 1) / 2) / cell);
            to.add(name + ".zeros", rows, groups, zeros.data());
        }
        else if constexpr (std::same_as<Z, integer_zero>)
            to.add(name + ".zeros", rows, groups, q.zeros.data());

        auto const x = random_numbers(vectors * cols, 7);
        std::vector<float> y(vectors * rows);
        exact::prepared ready;
        exact::prepare(matrix_view<float const>{x.data(), vectors, cols}, ready);
        multiply(a, ready, matrix_view<float>{y.data(), vectors, rows});
        to.add(name + ".x", vectors, cols, x.data());
        to.add(name + ".y", vectors, rows, y.data());
    }
    template <std::size_t Group>
    void add_matrices(tensors& to)
    {
        auto const w = random_numbers(rows * cols, Group);
        matrix_view<float const> const view{w.data(), rows, cols};
        auto const symmetric = quantize(view, uniform<4>{}, absmax{}, group{Group});
        auto const zeroed = quantize(view, uniform<4>{}, minmax<>{}, group{Group});
        auto const parent = quantize(view, uniform<8>{}, minmax<>{}, group{Group});
        add(to, text("symmetric, ", Group), symmetric, pack<planes<4>>(symmetric));
        add(to, text("with zeros, ", Group), zeroed, pack<planes<4>>(zeroed));
        add(to, text("4 of 8 bits, ", Group), parent, pack<bit_planes>(parent).prefix(4));
    }
}

int main(int argc, char** argv)
{
    if (argc != 2)
        return std::fprintf(stderr, "usage: client_nbits FILE\n"), 2;
    tensors all;
    add_matrices<32>(all);
    add_matrices<64>(all);
    add_matrices<128>(all);
    safetensors::save(argv[1], all.items);
}
