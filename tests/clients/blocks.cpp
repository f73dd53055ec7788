// SPDX-License-Identifier: BSD-3-Clause
// blocks LIBGGML_BASE BLOCKS: every type of store/gguf beside ggml's own, as npm's @node-llama-cpp/linux-x64 ships it:
// what ggml_quantize_chunk makes of random rows, with importance and without, must be our bytes, and what to_float
// makes of BLOCKS random blocks our numbers. One line a type; exit code 1 where any differs.
#include <dlfcn.h>
#include <jackplane/store/gguf/blocks.hpp>
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

using namespace jackplane;

namespace
{
    struct type_traits // the start of ggml's
    {
        char const* name;
        std::int64_t block_size, block_size_interleave;
        std::size_t type_size;
        bool is_quantized;
        void (*to_float)(void const*, float*, std::int64_t);
    };

    struct oracle
    {
        explicit oracle(char const* path) : library(dlopen(path, RTLD_NOW))
        {
            if (library == nullptr)
                fail<io_error>(dlerror());
            find(traits, "ggml_get_type_traits");
            find(quantize, "ggml_quantize_chunk");
        }
        template <class F>
        void find(F*& function, char const* name)
        {
            function = reinterpret_cast<F*>(dlsym(library, name));
            JACKPLANE_EXPECTS(function != nullptr, io_error, "no function ", name);
        }

        void* library;
        type_traits const* (*traits)(int);
        std::size_t (*quantize)(int, float const*, void*, std::int64_t, std::int64_t, std::int64_t, float const*);
    };

    constexpr std::size_t columns = 768, rows = 400;
    std::mt19937_64 random_bits(7);

    // Rows of many kinds: long tails, one sign, few values, constant or empty stretches, large and small.
    std::vector<float> weights()
    {
        std::normal_distribution<float> normal;
        std::vector<float> w(rows * columns);
        for (std::size_t row = 0; row < rows; ++row)
        {
            float const size = std::ldexp(1.0f, static_cast<int>(random_bits() % 24) - 18);
            for (std::size_t col = 0; col < columns; ++col)
            {
                float const x = normal(random_bits);
                float& to = w[row * columns + col];
                switch (row % 8)
                {
                case 0:
                case 1:
                    to = x;
                    break;
                case 2:
                    to = x * x * x;
                    break;
                case 3:
                    to = std::abs(x);
                    break;
                case 4:
                    to = -std::abs(x) - 0.5f;
                    break;
                case 5:
                    to = std::round(2 * x);
                    break;
                case 6:
                    to = col / 32 % 3 == 0 ? 0.0f : col / 16 % 3 == 0 ? 1.0f : x;
                    break;
                default:
                    to = random_bits() % 8 == 0 ? 20 * x : 0.01f * x;
                }
                to *= size;
            }
        }
        return w;
    }
    std::vector<float> importances() // of columns; some are 0, no group's all
    {
        std::gamma_distribution<float> gamma(0.5f);
        std::vector<float> importance(columns);
        for (std::size_t col = 0; col < columns; ++col)
            importance[col] = col % 7 == 3 ? 0.0f : gamma(random_bits);
        return importance;
    }

    template <class T>
    std::size_t encoded_otherwise(oracle const& ggml, std::vector<float> const& w, std::span<float const> importance)
    {
        constexpr std::size_t row_bytes = columns / T::values * T::bytes;
        std::vector<std::byte> theirs(rows * row_bytes), ours(theirs.size());
        ggml.quantize(T::id, w.data(), theirs.data(), 0, rows, columns,
                      importance.empty() ? nullptr : importance.data());
        std::size_t different = 0;
        for (std::size_t row = 0; row < rows; ++row)
            gguf::encode<T>(std::span(w).subspan(row * columns, columns), importance,
                            std::span(ours).subspan(row * row_bytes, row_bytes));
        for (std::size_t at = 0; at < ours.size(); at += T::bytes)
            different += !std::equal(ours.data() + at, ours.data() + at + T::bytes, theirs.data() + at);
        return different;
    }

    template <class T>
    std::size_t decoded_otherwise(oracle const& ggml, std::size_t blocks)
    {
        auto const to_float = ggml.traits(T::id)->to_float;
        std::size_t different = 0;
        float ours[T::values], theirs[T::values];
        for (std::size_t n = 0; n < blocks; ++n)
        {
            std::byte block[(T::bytes + 7) / 8 * 8];
            for (std::size_t i = 0; i < sizeof block; i += 8)
            {
                std::uint64_t const bits = random_bits();
                std::memcpy(block + i, &bits, 8);
            }
            auto c = T::read(block); // a constant that is not finite becomes one that is
            auto const tame = [](half& h)
            { h.bits = is_finite(h) ? h.bits : static_cast<std::uint16_t>(h.bits & 0xbfffu); };
            if constexpr (requires { c.d; })
                tame(c.d);
            if constexpr (requires { c.m; })
                tame(c.m);
            T::write(c, block);
            gguf::decode<T>(std::span(block).first(T::bytes), ours);
            to_float(block, theirs, T::values);
            different += !std::equal(ours, ours + T::values, theirs);
        }
        return different;
    }
}

int main(int argc, char** argv)
{
    if (argc != 3)
        return std::fprintf(stderr, "usage: blocks LIBGGML_BASE BLOCKS\n"), 2;
    oracle const ggml(argv[1]);
    auto const blocks = static_cast<std::size_t>(std::atoll(argv[2]));
    auto const w = weights();
    auto const importance = importances();
    std::size_t wrong = 0;
    auto const compare = [&]<class T>(T)
    {
        auto const* const known = ggml.traits(T::id);
        std::string name = known->name;
        std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::toupper(c); });
        bool const is_same = name == T::name && known->block_size == T::values && known->type_size == T::bytes;
        std::size_t const plain = encoded_otherwise<T>(ggml, w, {}),
                          weighted = encoded_otherwise<T>(ggml, w, importance);
        std::size_t decoded = 0;
        if constexpr (gguf::coded_block<T>)
            decoded = decoded_otherwise<T>(ggml, blocks);
        std::printf("%-7s %s; of %zu blocks %zu are encoded otherwise, with importance %zu; of %zu random ones %zu are "
                    "decoded otherwise\n",
                    name.c_str(), is_same ? "same sizes" : "OTHER NAME OR SIZES", rows * columns / T::values, plain,
                    weighted, blocks, decoded);
        std::fflush(stdout);
        wrong += !is_same + plain + weighted + decoded;
    };
    [&]<class... T>(gguf::type_list<T...>) { (compare(T{}), ...); }(gguf::block_types{});
    return wrong != 0;
}
