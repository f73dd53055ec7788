// SPDX-License-Identifier: BSD-3-Clause
// product ROWS COLS VECTORS TIMES ours BITS LAYOUT | ggml FOLDER VARIANT TYPE repack|plain
// LAYOUT: widths of the planes, 4-2-2; 1x8: the one-bit planes themselves, others a copy of their leading BITS bits.
// Multiplies TIMES times, preparing x anew, with one thread: what a machine that is emulated counts, not times. Codes
// are random; no count depends on them.
#include "../peers/ggml.hpp"
#include <jackplane/multiply/multiply.hpp>
#include <jackplane/pack/pack.hpp>
#include <jackplane/quantize/quantize.hpp>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <random>
#include <span>
#include <string>
#include <vector>

namespace
{
    struct task
    {
        std::size_t rows, cols, vectors, times;
        std::vector<float> w, x; // [strip, cols], [vectors, cols]
        static constexpr std::size_t strip = 16;

        explicit task(std::span<char*> const asked)
            : rows(std::stoul(asked[0])),
              cols(std::stoul(asked[1])),
              vectors(std::stoul(asked[2])),
              times(std::stoul(asked[3])),
              w(strip * cols),
              x(vectors * cols)
        {
            std::minstd_rand random(1);
            for (std::vector<float>* const to : {&w, &x})
                for (float& v : *to)
                    v = static_cast<float>(random() % 2001) / 1000 - 1;
        }
    };

    // A y of the strip is what its decoded weights give: off by at most 7 times the deviation that int8 of x brings
    // (x within 1 in steps of 1/127: 1/440 a weight).
    void expect(bool right, char const* what)
    {
        if (!right)
            jackplane::fail<jackplane::error>(what);
    }
    void expect_product(task const& t, std::span<float const> weights, float const* y)
    {
        for (std::size_t row = 0; row < 2; ++row)
        {
            double sum = 0, squares = 0;
            for (std::size_t col = 0; col < t.cols; ++col)
            {
                sum += double{weights[row * t.cols + col]} * t.x[col];
                squares += std::pow(double{weights[row * t.cols + col]}, 2);
            }
            expect(std::abs(y[row] - sum) <= 7 * std::sqrt(squares) / 440, "the product is wrong");
        }
    }

    namespace jp = jackplane;

    template <class Matrix>
    void multiply(task const& t, Matrix const& a)
    {
        std::vector<float> y(t.vectors * task::strip);
        jp::limbs<1>::prepared ready;
        for (std::size_t i = 0; i < t.times; ++i)
        {
            jp::limbs<1>{}.prepare(jp::matrix_view<float const>{t.x.data(), t.vectors, t.cols}, ready);
            for (std::size_t row = 0; row < t.rows; row += task::strip)
                jp::multiply(a, ready, jp::matrix_view<float>{y.data(), t.vectors, task::strip});
        }
        std::vector<float> decoded;
        for (std::size_t row = 0; row < 2; ++row)
            for (std::size_t col = 0; col < t.cols; ++col)
                decoded.push_back(a.at(row, col));
        expect_product(t, decoded, y.data());
    }

    void ours(task const& t, unsigned bits, std::string const& layout)
    {
        auto const strip = jp::pack<jp::bit_planes>(jp::quantize(jp::matrix_view<float const>{t.w.data(), task::strip,
                                                                                              t.cols},
                                                                 jp::uniform<8>{}, jp::minmax{}, jp::group{64}));
        auto const copied = [&]<unsigned... W>(jp::planes<W...>)
        {
            multiply(t, jp::repack<jp::planes<W...>>(strip, bits, jp::truncate_centred{}).prefix(bits));
        };
        if (layout == "1x8")
            multiply(t, strip.prefix(bits));
        else if (layout == "2-2-2-2")
            copied(jp::planes<2, 2, 2, 2>{});
        else if (layout == "4-2-2")
            copied(jp::planes<4, 2, 2>{});
        else if (layout == "4-4")
            copied(jp::planes<4, 4>{});
        else if (layout == "8")
            copied(jp::planes<8>{});
        else
            expect(false, "no such layout");
    }

    void theirs(task const& t, std::string const& folder, std::string const& variant, std::string const& type,
                bool repack)
    {
        using namespace bench::ggml;
        library const g(folder, variant);
        int const id = g.type(type);
        auto const rows = static_cast<std::int64_t>(t.rows), cols = static_cast<std::int64_t>(t.cols),
                   vectors = static_cast<std::int64_t>(t.vectors), strip = static_cast<std::int64_t>(task::strip);
        expect(id >= 0, "no such type");
        std::size_t const of_strip = g.row_size(id, cols) * task::strip;
        std::vector<std::byte> whole(g.row_size(id, cols) * t.rows);
        g.quantize_chunk(id, t.w.data(), whole.data(), 0, strip, cols, nullptr);
        for (std::size_t at = of_strip; at < whole.size(); at += of_strip)
            std::memcpy(whole.data() + at, whole.data(), of_strip);
        std::vector<float> decoded(t.w.size());
        g.dequantize(type)(whole.data(), decoded.data(), strip * cols);

        context* const weights = g.init({g.tensor_overhead(), nullptr, true});
        tensor* const a = g.new_tensor_2d(weights, id, cols, rows);
        expect(!repack || g.repacking() != nullptr, "no repacking");
        expect(g.alloc_tensors(weights, repack ? g.repacking() : g.cpu_buffer_type()) != nullptr, "no memory");
        expect(repacked(g, a) == repack, "not repacked");
        g.tensor_set(a, whole.data(), 0, whole.size());

        context* const work = g.init({2 * g.tensor_overhead() + g.graph_overhead_custom(4, false), nullptr, true});
        tensor* const in = g.new_tensor_2d(work, 0, cols, vectors);
        tensor* const out = g.mul_mat(work, a, in);
        graph* const once = g.new_graph_custom(work, 4, false);
        g.build_forward_expand(once, out);
        expect(g.alloc_tensors(work, g.cpu_buffer_type()) != nullptr, "no memory");
        g.tensor_set(in, t.x.data(), 0, t.x.size() * sizeof(float));
        backend* const cpu = g.cpu_init();
        g.set_threads(cpu, 1);
        for (std::size_t i = 0; i < t.times; ++i)
            expect(g.compute(cpu, once) == 0, "the graph failed");
        std::vector<float> y(t.vectors * t.rows);
        g.tensor_get(out, y.data(), 0, y.size() * sizeof(float));
        expect_product(t, decoded, y.data());
    }
}

int main(int count, char** words)
try
{
    std::span<char*> const asked(words + 1, static_cast<std::size_t>(count - 1));
    if (asked.size() == 7 && std::string(asked[4]) == "ours")
        ours(task(asked), static_cast<unsigned>(std::stoul(asked[5])), asked[6]);
    else if (asked.size() == 9 && std::string(asked[4]) == "ggml")
        theirs(task(asked), asked[5], asked[6], asked[7], std::string(asked[8]) == "repack");
    else
        return std::fputs("usage: product ROWS COLS VECTORS TIMES ours BITS LAYOUT | "
                          "ggml FOLDER VARIANT TYPE repack|plain\n",
                          stderr),
               2;
    return 0;
}
catch (std::exception const& e)
{
    return std::fprintf(stderr, "product: %s\n", e.what()), 1;
}
