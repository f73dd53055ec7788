// SPDX-License-Identifier: BSD-3-Clause
// digest FILE: prints a digest of the bytes that quantize, pack and store make, a line for each configuration. Every
// compiler, instruction set and optimization flag must print the same lines (tests/checks compiles this file in several
// ways). FILE is what store writes.
#include <array>
#include <bit>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>
#include <jackplane/detach/detach.hpp>
#include <jackplane/pack/pack.hpp>
#include <jackplane/quantize/matryoshka.hpp>
#include <jackplane/quantize/quantize.hpp>
#include <jackplane/quantize/refine.hpp>
#include <jackplane/quantize/row_table.hpp>
#include <jackplane/store/gguf/blocks.hpp>
#include <jackplane/store/nested_write.hpp>
#include "../laws/offsets.hpp"
#include "../laws/weights.hpp"
using namespace jackplane;

namespace
{
    struct fnv1a // 64 bits; Fowler, Noll, Vo
    {
        std::uint64_t hash = 0xcbf29ce484222325u;

        void operator()(void const* data, std::size_t bytes)
        {
            auto const* const p = static_cast<unsigned char const*>(data);
            for (std::size_t i = 0; i < bytes; ++i)
                hash = (hash ^ p[i]) * 0x100000001b3u;
        }
        template <class Vector>
        void array(Vector const& v)
        {
            if (!v.empty())
                (*this)(v.data(), v.size() * sizeof v[0]);
        }
        template <class C, class S, class Z>
        void matrix(quantized<C, S, Z> const& q)
        {
            array(q.codes);
            array(q.scales);
            if constexpr (!std::is_same_v<Z, no_zero>)
                array(q.zeros);
        }
        template <class L, class C, class S, class Z>
        void matrix(packed<L, C, S, Z> const& a)
        {
            auto const& v = a.view();
            std::size_t const scales = v.panels * v.groups * block::rows;
            for (std::size_t p = 0; p < v.planes; ++p)
                (*this)(v.plane[p], v.panels * v.blocks * L::bytes(p));
            (*this)(v.scales, scales * sizeof *v.scales);
            if constexpr (!std::is_same_v<Z, no_zero>)
                (*this)(v.zeros, scales * sizeof *v.zeros);
        }
    };

    template <unsigned Bits>
    using layout_of = std::conditional_t<Bits == 8, planes<4, 2, 1, 1>, std::conditional_t<Bits == 4, planes<2, 2>,
                      planes<1>>>;

    struct tensor
    {
        laws::sample weights, importance, gram; // gram: [columns, columns], of some inputs
    };

    struct either // one instantiation for both roundings
    {
        bool random;
        float operator()(float coordinate, position at) const noexcept
        {
            return random ? stochastic{2026}(coordinate, at) : nearest{}(coordinate, at);
        }
    };

    template <class S, class C, class P>
    std::uint64_t digest(std::vector<tensor> const& tensors, group g, either rounded)
    {
        fnv1a digest;
        for (tensor const& t : tensors)
            for (bool const weighted : {false, true})
            {
                auto const importance = weighted ? t.importance.view() : matrix_view<float const>{};
                auto const q =
                    quantize<S>(t.weights.view(), C{}, P{}, g, rounded, independent{}, {.importance = importance});
                digest.matrix(q);
                auto const a = pack<layout_of<C::bits>>(q);
                digest.matrix(a);
                laws::sample decoded{t.weights.rows, t.weights.cols, aligned_vector<float>(t.weights.data.size())};
                dequantize(a, decoded.view());
                digest.array(decoded.data);
            }
        return digest.hash;
    }

    template <class S, class C, class P>
    void print(std::vector<tensor> const& tensors, char const* storage, char const* policy)
    {
        struct
        {
            char const* name;
            group g;
        } const groups[] = {{"5 columns", {5}}, {"32 columns", {32}}, {"row", group::per_row()},
                            {"tensor", group::per_tensor()}};
        for (auto const& [name, g] : groups)
            for (bool const random : {false, true})
                std::printf("%s<%u> %s %s, %s, %s: %016llx\n", C::name(), C::bits, storage, policy, name,
                            random ? "stochastic" : "nearest",
                            static_cast<unsigned long long>(digest<S, C, P>(tensors, g, {random})));
    }

    // Zeros in units of the weights: a product that is rounded before they are added.
    void print_offsets(std::vector<tensor> const& tensors)
    {
        fnv1a digest;
        for (tensor const& t : tensors)
        {
            auto const real = quantize<float>(t.weights.view(), uniform<8>{}, minmax<real_zero>{}, group{32});
            auto const a = pack<bit_planes>(laws::with_offsets<float>(real));
            digest.matrix(a);
            for (unsigned bits = 1; bits <= 8; ++bits)
            {
                laws::sample decoded{t.weights.rows, t.weights.cols, aligned_vector<float>(t.weights.data.size())};
                dequantize(a.prefix(bits), decoded.view());
                digest.array(decoded.data);
            }
        }
        std::printf("offsets: %016llx\n", static_cast<unsigned long long>(digest.hash));
    }

    // sum of x x^T: exact products of floats, one order
    laws::sample gram_of(std::size_t cols)
    {
        laws::sample const x = laws::weights(2 * cols, cols, 77);
        laws::sample gram{cols, cols, aligned_vector<float>(cols * cols)};
        for (std::size_t a = 0; a < cols; ++a)
            for (std::size_t b = 0; b < cols; ++b)
            {
                double sum = 0;
                for (std::size_t t = 0; t < x.rows; ++t)
                    sum += double{x.data[t * cols + a]} * double{x.data[t * cols + (a + b) % cols]};
                gram.data[a * cols + (a + b) % cols] = static_cast<float>(sum);
            }
        return gram;
    }

    template <class C, class P>
    void print_feedback(std::vector<tensor> const& tensors, char const* policy)
    {
        for (bool const by_activation : {false, true})
        {
            fnv1a digest;
            for (tensor const& t : tensors)
            {
                feedback const order(t.gram.view(), {.by_activation = by_activation});
                auto const q = quantize(t.weights.view(), C{}, P{}, group{32}, nearest{}, order);
                digest.matrix(q);
            }
            std::printf("%s<%u> %s, feedback%s: %016llx\n", C::name(), C::bits, policy,
                        by_activation ? " by activation" : "", static_cast<unsigned long long>(digest.hash));
        }
    }

    template <class C>
    void print(std::vector<tensor> const& tensors)
    {
        print<half, C, absmax>(tensors, "half", "absmax");
        print<bfloat16, C, full_range>(tensors, "bfloat16", "full_range");
        print<float, C, minmax<real_zero>>(tensors, "float", "minmax, real zero");
        print<float, C, mse_search<full_range>>(tensors, "float", "mse_search of full_range");
        print<half, C, mse_search<minmax<real_zero>>>(tensors, "half", "mse_search of minmax, real zero");
        if constexpr (linear_codebook<C>)
        {
            print<half, C, minmax<integer_zero>>(tensors, "half", "minmax, integer zero");
            print<bfloat16, C, mse_search<minmax<integer_zero>>>(tensors, "bfloat16",
                                                                 "mse_search of minmax, integer zero");
        }
    }

    // What make(tensor, options) quantizes, weighted and not.
    template <class Make>
    void print_each(std::vector<tensor> const& tensors, char const* what, Make make)
    {
        fnv1a digest;
        for (tensor const& t : tensors)
        {
            digest.matrix(make(t, quantize_options{}));
            digest.matrix(make(t, quantize_options{.importance = t.importance.view()}));
        }
        std::printf("%s: %016llx\n", what, static_cast<unsigned long long>(digest.hash));
    }
    template <class C, class P>
    void print_scale(std::vector<tensor> const& tensors, char const* what)
    {
        print_each(tensors, what, [](tensor const& t, quantize_options const& options)
        { return quantize(t.weights.view(), C{}, P{}, group{32}, nearest{}, independent{}, options); });
    }
    template <unsigned Bits>
    void print_table(std::vector<tensor> const& tensors, char const* what)
    {
        print_each(tensors, what, [](tensor const& t, quantize_options const& options)
        {
            auto const q = quantize(t.weights.view(), row_table<Bits>{}, options);
            return pack<planes<Bits / 2, Bits / 2>>(q);
        });
    }

    auto refined(tensor const& t)
    {
        feedback const order(t.gram.view());
        auto const w = t.weights.view();
        auto const two = quantize(w, uniform<2, 8>{}, parent_scale<minmax<>>{}, group{32}, nearest{}, order);
        return refine(w, uniform<8>{}, leading(refine(w, uniform<4, 8>{}, leading(two), order)), order);
    }
    void print_nested(std::vector<tensor> const& tensors)
    {
        std::array<unsigned, 3> const widths{8, 4, 2};
        std::array<float, 3> const weights{0.1f, 0.5f, 1};
        matryoshka const book(widths, weights);
        fnv1a joint, coarse_to_fine;
        for (tensor const& t : tensors)
        {
            feedback const order(t.gram.view());
            joint.matrix(quantize(t.weights.view(), book, parent_scale<minmax<>>{}, group{32}, nearest{}, order));
            coarse_to_fine.matrix(refined(t));
        }
        std::printf("matryoshka: %016llx\nrefine: %016llx\n", static_cast<unsigned long long>(joint.hash),
                    static_cast<unsigned long long>(coarse_to_fine.hash));
    }

    // Matrices of three formats, the first with scales of its own at 2 bits, the last with a sparse part.
    void print_stored(std::vector<tensor> const& tensors, char const* path)
    {
        nested::writer file;
        file.metadata["note"] = "made by a test";
        for (std::size_t i = 0; i < tensors.size(); ++i)
        {
            tensor const& t = tensors[i];
            std::string const name = "layers." + std::to_string(i);
            auto const whole = pack<bit_planes>(refined(t));
            auto const own = quantize(t.weights.view(), uniform<8>{}, minmax<>{}, group{32});
            file.add(safetensors::item::of<float>(name + ".norm", {t.weights.data.size()}, t.weights.data));
            file.add(name + ".q", with_scales(whole, 2, own));
            file.add(name + ".k", pack<planes<2, 2>>(quantize(t.weights.view(), row_table<4>{})));
            if (t.weights.data.empty())
                continue;
            laws::sample rest = t.weights;
            std::array<std::size_t, 2> const places{0, rest.data.size() > 70 ? std::size_t{70} : 1};
            auto const beside = detach(rest.view(), places);
            file.add(name + ".v", pack<planes<4>>(quantize<bfloat16>(rest.view(), nf4{}, absmax{}, group{32})), beside);
        }
        file.save(path);
        std::ifstream written(path, std::ios::binary);
        std::string const bytes{std::istreambuf_iterator<char>(written), {}};
        fnv1a digest;
        digest.array(bytes);
        std::printf("stored, %zu bytes: %016llx\n", bytes.size(), static_cast<unsigned long long>(digest.hash));
    }

    void print_blocks()
    {
        laws::sample const w = laws::weights(40, 768, 5), importance = laws::importance(1, 768, 6);
        auto const print = [&]<class T>(T)
        {
            fnv1a digest;
            std::vector<std::byte> blocks(768 / T::values * T::bytes);
            for (std::size_t row = 0; row < 2 * w.rows; ++row)
            {
                auto const x = std::span(w.data).subspan(row / 2 * 768, 768);
                gguf::encode<T>(x, std::span(importance.data).first(row % 2 * 768), blocks);
                digest.array(blocks);
                std::vector<float> decoded(768);
                gguf::decode<T>(blocks, decoded);
                digest.array(decoded);
            }
            std::printf("%s: %016llx\n", T::name.data(), static_cast<unsigned long long>(digest.hash));
        };
        [&]<class... T>(gguf::type_list<T...>) { (print(T{}), ...); }(gguf::block_types{});
    }

    // Ragged, with everything in it that compilers like to treat in their own ways.
    tensor make(std::size_t rows, std::size_t cols, std::uint64_t seed)
    {
        tensor t{laws::weights(rows, cols, seed), laws::importance(rows, cols, seed + 1), gram_of(cols)};
        laws::sequence next{seed + 2};
        for (std::size_t i = 0; i < t.weights.data.size(); ++i)
        {
            float& w = t.weights.data[i];
            switch (i / cols % 8)
            {
            case 3: // subnormals, their last bits rounded off, between others: a group of them alone has no scale
                w *= i % cols % 2 == 1 && i % cols + 1 < cols ? 0x1p-141f : 1.0f;
                break;
            case 4: // zeros of both signs
                w = i % 2 == 0 ? 0.0f : -0.0f;
                break;
            case 5: // ties, and ends met exactly
                w = static_cast<float>(next() % 16) - 8;
                break;
            case 6:
                w *= 2;
                break;
            case 7: // one sign
                w = w < 0 ? -w : w;
                break;
            default:
                break;
            }
        }
        return t;
    }
}

int main(int count, char** arguments)
{
    if (count != 2)
        return 2;
    std::vector<tensor> tensors;
    for (auto const [rows, cols] : {laws::shape{9, 33}, laws::shape{17, 65}, laws::shape{1, 255}, laws::shape{33, 7},
                                    laws::shape{2, 1}, laws::shape{0, 3}, laws::shape{3, 0}})
        tensors.push_back(make(rows, cols, rows * 4096 + cols));
    print<uniform<8>>(tensors);
    print<uniform<4>>(tensors);
    print<uniform<1>>(tensors);
    print<nf4>(tensors);
    print<fp4>(tensors);
    print_feedback<uniform<4>, minmax<>>(tensors, "minmax, integer zero");
    print_feedback<uniform<2>, full_range>(tensors, "full_range");
    print_feedback<nf4, absmax>(tensors, "absmax");
    print_scale<uniform<4>, gptq_symmetric>(tensors, "gptq_symmetric");
    print_scale<uniform<4>, mse_search<gptq_symmetric>>(tensors, "mse_search of gptq_symmetric");
    print_scale<uniform<2, 8>, parent_scale<minmax<>>>(tensors, "parent_scale of minmax");
    print_scale<uniform<3, 8>, mse_search<parent_scale<full_range>>>(tensors, "mse_search of parent_scale");
    print_table<2>(tensors, "row_table<2>");
    print_table<4>(tensors, "row_table<4>");
    print_nested(tensors);
    print_offsets(tensors);
    print_blocks();
    print_stored(tensors, arguments[1]);

    fnv1a draws; // the conversions and the draws alone, in numbers that no weight above reaches
    laws::sequence next{1};
    for (int k = 0; k < 200000; ++k)
    {
        float const x = std::bit_cast<float>(next());
        std::uint16_t const bits[] = {from_float<half>(x).bits, from_float<bfloat16>(x).bits};
        float const values[] = {is_finite(x) ? stochastic{7}(x, {next(), next()}) : 0.0f, to_float(half{bits[1]})};
        draws(bits, sizeof bits);
        if (is_finite(values[1]))
            draws(values, sizeof values);
    }
    std::printf("conversions: %016llx\n", static_cast<unsigned long long>(draws.hash));
}
