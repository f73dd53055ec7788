// SPDX-License-Identifier: BSD-3-Clause
#pragma once
// The same products by any arch, one line each: dispatch.cpp and direct.cpp print them, checks/dispatch.cmake compares.
#include <jackplane/multiply/jobs.hpp>
#include <jackplane/multiply/multiply.hpp>
#include <jackplane/multiply/sparse.hpp>
#include <jackplane/pack/pack.hpp>
#include <jackplane/quantize/quantize.hpp>
#include <jackplane/quantize/row_table.hpp>
#include <cstdio>
#include <cstring>

namespace products
{
    using namespace jackplane;

    // Whole numbers and a division: the same on every machine.
    inline std::vector<float> numbers(std::size_t n, std::uint32_t seed)
    {
        std::vector<float> all(n);
        for (float& v : all)
        {
            seed = seed * 1664525u + 1013904223u;
            v = static_cast<float>(static_cast<std::int32_t>(seed >> 8) - (1 << 23)) / 0x1p22f;
        }
        return all;
    }

    template <class Arch, class Activation, class M>
    void print(char const* name, M const& a, unsigned bits, std::size_t vectors)
    {
        std::vector<float> const x = numbers(vectors * a.cols(), 7);
        std::vector<float> y(vectors * a.rows()), again(y.size());
        typename Activation::prepared ready;
        Activation{}.template prepare<Arch>(matrix_view<float const>{x.data(), vectors, a.cols()}, ready);
        matrix_view<float> const to{y.data(), vectors, a.rows()};
        multiply<Arch>(a, ready, to, threads{2});
        matrix_view<float> const same_place{again.data(), vectors, a.rows()};
        if constexpr (packed_matrix<M>)
            multiply_each<Arch>(serial{}, job{a, ready, same_place});
        else
            multiply<Arch>(a, ready, same_place);

        std::uint64_t hash = 14695981039346656037u; // FNV-1a
        for (float const v : y)
            hash = (hash ^ std::bit_cast<std::uint32_t>(v)) * 1099511628211u;
        bool const same = std::memcmp(y.data(), again.data(), y.size() * sizeof(float)) == 0;
        std::printf("%s of %zu at %u bits: %016llx, y = %g ..%s\n", name, vectors, bits,
                    static_cast<unsigned long long>(hash), static_cast<double>(y[0]),
                    same ? "" : " other bits with one thread");
    }
    template <class Arch, class M>
    void print_activations(char const* format, M const& a)
    {
        std::puts(format);
        for (unsigned bits = 1; bits <= 8; ++bits)
            if (a.readable(bits))
                for (std::size_t const vectors : {1u, 6u})
                {
                    print<Arch, exact>("exact", a.prefix(bits), bits, vectors);
                    print<Arch, limbs<1>>("limbs<1>", a.prefix(bits), bits, vectors);
                    print<Arch, limbs<3>>("limbs<3>", a.prefix(bits), bits, vectors);
                    print<Arch, bf16>("bf16", a.prefix(bits), bits, vectors);
                }
    }

    // The formats that tests/checks.cmake asks jackplane_add_kernels for.
    template <class Arch>
    void print_all()
    {
        constexpr std::size_t rows = 37, cols = 333;
        std::vector<float> const values = numbers(rows * cols, 1);
        matrix_view<float const> const w{values.data(), rows, cols};
        print_activations<Arch>("mixed planes", pack<planes<2, 2, 4>>(quantize(w, uniform<8>{},
                                                                              minmax<integer_zero>{}, group{64})));
        print_activations<Arch>("a table", pack<planes<4>>(quantize(w, nf4{}, absmax{}, group{64})));
        print_activations<Arch>("a table for each row", pack<planes<2, 1>>(quantize(w, row_table<3>{})));
        print_activations<Arch>("planes that do not merge",
                                pack<planes<1, 2>>(quantize<float>(w, uniform<3>{}, minmax<real_zero>{}, group{48})));

        std::vector<triplet> some;
        for (std::size_t i = 0; i < values.size(); i += 7)
            some.push_back({i / cols, i % cols, values[i]});
        print<Arch, exact>("a sparse matrix", csr<>(rows, cols, some), 16, 1);
    }
}
