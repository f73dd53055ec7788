// SPDX-License-Identifier: BSD-3-Clause
// files_formats FILE SLICE: a nested file of random matrices, one in each format that there is, and beside each the
// weights that the library reads at every width, as plain tensors: NAME.expected.BITS, F32.
#include <cstdio>
#include <deque>
#include <string>
#include <jackplane/pack/any_packed.hpp>
#include "../store/models.hpp"
using namespace jackplane;

namespace
{
    constexpr std::size_t rows = 37, cols = 75, group = 20; // all ragged

    struct formats
    {
        nested::writer file;
        std::deque<std::vector<float>> expected; // the writer keeps views
        std::uint64_t count = 0;

        // Every second has scales of its own at each second width (of prefixes: a slice that rounds reads none), every
        // third a sparse part, every fifth is common.
        template <code_layout L, codebook C, scale_number S, zero_number Z>
        void add(std::type_identity<packed<L, C, S, Z>>)
        {
            using format = packed<L, C, S, Z>;
            std::string const name = text("layer.", ++count);
            bool const is_common = count % 5 == 0, has_own = count % 2 == 0 && !is_common && is_centred();
            auto a = models::matrix<format>(rows, cols, group, count);
            for (unsigned bits = 2; bits <= C::bits && has_own; bits += 2)
                if (a.readable(bits))
                    a = with_scales(a, bits, unpack(models::matrix<format>(rows, cols, group, 100 * bits + count)));
            std::vector<triplet> beside;
            if (count % 3 == 0)
                beside = {{0, 3, 0.5f}, {0, 74, -2}, {7, 20, 0}, {36, 0, 1.25f}};
            for (unsigned bits = 1; bits <= C::bits; ++bits)
            {
                auto w = weights(a, bits);
                if (w.empty())
                    continue;
                for (auto const& [row, col, value] : beside)
                    w[row * cols + col] = value;
                auto const& kept = expected.emplace_back(std::move(w));
                file.add(safetensors::item::of<float>(text(name, ".expected.", bits), {rows, cols}, kept));
            }
            csr<> const sparse(rows, cols, beside);
            if (is_common)
                beside.empty() ? file.add_common(name, a) : file.add_common(name, a, sparse);
            else
                beside.empty() ? file.add(name, a) : file.add(name, a, sparse);
        }
        bool is_centred() const { return file.slice == "truncate_centred"; }
        template <code_layout L, codebook C, scale_number S, zero_number Z>
        std::vector<float> weights(packed<L, C, S, Z> const& a, unsigned bits) const // none: not read at that width
        {
            if (bits == C::bits || is_centred())
                return a.readable(bits) ? models::values(a.prefix(bits)) : std::vector<float>{};
            if constexpr (linear_codebook<C> && L::bits == 8)
                if (a.readable(bits + 1))
                    return file.slice == "round_clamp" ? models::values(repack<bit_planes>(a, bits, round_clamp{}))
                                                       : models::values(repack<bit_planes>(a, bits, extra_precision{}));
            return {};
        }
        template <class... Packed>
        void add_each(std::type_identity<std::variant<Packed...>>)
        {
            (add(std::type_identity<Packed>{}), ...);
        }
    };
}

int main(int argc, char** argv)
{
    if (argc != 3)
        return std::fprintf(stderr, "usage: files_formats FILE SLICE\n"), 2;
    formats all;
    all.file.slice = argv[2];
    all.add_each(std::type_identity<any_packed>{});
    using beside = std::variant<packed<planes<4>, uniform<4>, half, offset_zero<half>>,
                                packed<bit_planes, uniform<8>, float, offset_zero<float>>,
                                packed<planes<2, 1>, uniform<3>, bfloat16, offset_zero<bfloat16>>,
                                packed<planes<4, 2, 2>, uniform<8>, float, real_zero>,
                                packed<planes<4, 1>, uniform<5>, float, offset_zero<half>>,
                                packed<planes<1>, uniform<1>, half, no_zero>,
                                packed<planes<1>, row_table<1>, half, no_zero>>;
    all.add_each(std::type_identity<beside>{});
    all.file.save(argv[1]);
}
