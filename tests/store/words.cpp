// SPDX-License-Identifier: BSD-3-Clause
// Layers in the words of the GPTQ family: what is written is what is read, bit for bit; known packs; what a format does
// not hold. What numpy makes of such words: tests/words.
#include <jackplane/multiply/multiply.hpp>
#include <jackplane/pack/pack.hpp>
#include <jackplane/store/words/config.hpp>
#include <doctest/doctest.h>
#include <algorithm>
#include <string>
#include <vector>
#include "files.hpp"
#include "models.hpp"

using namespace jackplane;

namespace
{
    struct shape
    {
        std::size_t rows, cols, group;
    };

    // Every code, scales of both signs, zeros from `least` on.
    template <unsigned B, scale_number S = half>
    words::layer<B, S> random_layer(shape s, unsigned least, std::uint64_t seed)
    {
        files::numbers random{seed};
        words::layer<B, S> l;
        auto& q = l.codes;
        q.rows = s.rows, q.cols = s.cols, q.grid = group_grid::of({s.group}, s.cols);
        for (std::size_t i = 0; i < s.rows * s.cols; ++i)
            q.codes.push_back(static_cast<code>(random.below(1u << B)));
        for (std::size_t i = 0; i < q.grid.scales(s.rows); ++i)
        {
            q.scales.push_back(models::number<S>(random));
            q.zeros.push_back(static_cast<integer_zero>(least + random.below((1u << B) - least)));
        }
        return l;
    }
    std::vector<std::uint32_t> shuffled(std::size_t n, std::uint64_t seed)
    {
        files::numbers random{seed};
        std::vector<std::uint32_t> order(n);
        for (std::size_t i = 0; i < n; ++i)
        {
            order[i] = static_cast<std::uint32_t>(i);
            std::swap(order[i], order[random.below(i + 1)]);
        }
        return order;
    }
    words::settings settings_of(std::string const& format, unsigned bits, std::size_t group, bool act_order = false)
    {
        return {format, bits, group, false, act_order};
    }

    struct written // and read again as a file
    {
        std::string bytes;
        safetensors::file file;

        explicit written(words::tensors const& all)
            : bytes(bytes_of(all)), file(safetensors::parse(files::bytes(bytes), "f"))
        {
        }
        static std::string bytes_of(words::tensors const& all)
        {
            files::folder const folder;
            safetensors::save(folder / "f", all.items());
            return files::get(folder / "f");
        }
        std::vector<std::uint32_t> words(std::string const& tensor) const
        {
            auto const read = safetensors::read<std::int32_t>(file.at(tensor));
            return {read.begin(), read.end()};
        }
    };

    template <unsigned B, scale_number S>
    void expect_same(words::layer<B, S> const& a, words::layer<B, S> const& b)
    {
        CHECK(a.codes.codes == b.codes.codes);
        CHECK(a.codes.scales == b.codes.scales);
        CHECK(a.codes.zeros == b.codes.zeros);
        CHECK(a.codes.rows == b.codes.rows);
        CHECK(a.codes.grid.columns == b.codes.grid.columns);
        CHECK(a.order == b.order);
    }
    template <class Format, unsigned B, scale_number S = half>
    void check_round_trip(std::vector<shape> const& shapes, bool ordered = false)
    {
        CAPTURE(Format::name());
        CAPTURE(B);
        for (shape const s : shapes)
        {
            CAPTURE(s.rows);
            CAPTURE(s.cols);
            unsigned const least = std::string_view(Format::name()).ends_with("gptq") ? 1 : 0; // v1
            auto before = random_layer<B, S>(s, least, s.rows + B);
            if (ordered)
                before.order = shuffled(s.cols, B);
            if (ordered) // inside a group columns stand as in x: nothing else says how
                for (std::size_t left = 0; left < s.cols; left += s.group)
                    std::sort(before.order.begin() + static_cast<std::ptrdiff_t>(left),
                              before.order.begin() + static_cast<std::ptrdiff_t>(std::min(left + s.group, s.cols)));
            if (std::is_sorted(before.order.begin(), before.order.end())) // which is as they are
                before.order.clear();
            auto const settings = settings_of(Format::name(), B, s.group, ordered);
            written const file(Format::write("m", before, settings, threads{3}));
            expect_same(Format::template read<B, S>(file.file, "m", settings, threads{3}), before);
            if constexpr (B == 3) // each is compiled twice
            {
                CHECK(file.bytes == written::bytes_of(Format::write("m", before, settings)));
                expect_same(Format::template read<B, S>(file.file, "m", settings), before);
            }
        }
    }

    template <class Body>
    std::string error_of(Body&& body)
    {
        try
        {
            body();
        }
        catch (error const& e)
        {
            return e.what();
        }
        return "";
    }
}

TEST_CASE("what is written is read: GPTQ's formats, every width, with and without an order of columns")
{
    std::vector<shape> const shapes{{32, 32, 32}, {64, 96, 32}, {96, 160, 64}, {32, 224, 48}};
    for (bool const ordered : {false, true})
    {
        check_round_trip<words::gptq, 2>(shapes, ordered);
        check_round_trip<words::gptq, 3>(shapes, ordered);
        check_round_trip<words::gptq, 4>(shapes, ordered);
        check_round_trip<words::gptq, 8>(shapes, ordered);
        check_round_trip<words::gptq_v2, 3>(shapes, ordered);
        check_round_trip<words::gptq_v2, 4, float>(shapes, ordered);
        check_round_trip<words::auto_round_gptq, 4>(shapes, ordered);
        check_round_trip<words::gptq_p, 3>(shapes, ordered);
        check_round_trip<words::gptq_p, 5>(shapes, ordered);
        check_round_trip<words::gptq_p, 6>(shapes, ordered);
        check_round_trip<words::gptq_p, 7>(shapes, ordered);
        check_round_trip<words::gptq_p, 8>(shapes, ordered);
    }
    check_round_trip<words::auto_round, 2>(shapes);
    check_round_trip<words::auto_round, 3>(shapes);
}

TEST_CASE("what is written is read: AWQ and compressed-tensors")
{
    std::vector<shape> const shapes{{8, 1, 1}, {16, 33, 11}, {64, 96, 32}, {24, 70, 70}};
    check_round_trip<words::awq, 4>(shapes);
    check_round_trip<words::awq, 4, bfloat16>(shapes);
    std::vector<shape> const ragged{{1, 1, 1}, {5, 33, 11}, {17, 96, 32}, {63, 70, 70}, {33, 127, 127}};
    for (bool const ordered : {false, true})
    {
        check_round_trip<words::compressed_tensors, 1>(ragged, ordered);
        check_round_trip<words::compressed_tensors, 3, bfloat16>(ragged, ordered);
        check_round_trip<words::compressed_tensors, 4>(ragged, ordered);
        check_round_trip<words::compressed_tensors, 7, float>(ragged, ordered);
        check_round_trip<words::compressed_tensors, 8>(ragged, ordered);
    }
}

TEST_CASE("known words: codes that count, and symmetric zeros as each format stores them")
{
    auto const counting = []<unsigned B>(std::integral_constant<unsigned, B>)
    {
        auto l = random_layer<B>({32, 32, 32}, 0, 1);
        for (std::size_t i = 0; i < l.codes.codes.size(); ++i) // the same along rows and columns
            l.codes.codes[i] = static_cast<code>((i / 32 + i % 32) % (1u << B));
        std::fill(l.codes.zeros.begin(), l.codes.zeros.end(), static_cast<integer_zero>(1u << (B - 1)));
        return l;
    };
    auto const four = counting(std::integral_constant<unsigned, 4>{});
    auto const three = counting(std::integral_constant<unsigned, 3>{});
    auto const words_of = [](auto const& l, char const* format, char const* tensor)
    { return written(words::write("m", l, {format, l.codes.book.bits, 32})).words(tensor); };
    CHECK(words_of(four, "gptq", "m.qweight")[0] == 0x76543210);
    CHECK(words_of(four, "gptq_p", "m.qweight")[0] == 0x76543210);
    CHECK(words_of(four, "awq", "m.qweight")[0] == 0x75316420);
    CHECK(words_of(four, "pack-quantized", "m.weight_packed")[0] == 0x76543210);
    CHECK(words_of(four, "gptq", "m.qzeros") == std::vector<std::uint32_t>(4, 0x77777777));
    CHECK(words_of(four, "auto_round:auto_gptq", "m.qzeros") == std::vector<std::uint32_t>(4, 0x77777777));
    CHECK(words_of(four, "gptq_v2", "m.qzeros") == std::vector<std::uint32_t>(4, 0x88888888));
    CHECK(words_of(four, "auto_round", "m.qzeros") == std::vector<std::uint32_t>(4, 0x88888888));
    auto const straddling = words_of(three, "gptq", "m.qweight"); // of output 0: one word of each 32
    CHECK(straddling[0] == 0x88fac688);
    CHECK(straddling[32] == 0xc688fac6);
    CHECK(straddling[64] == 0xfac688fa);
    written const no_zeros(words::write("m", four, {"pack-quantized", 4, 32}));
    CHECK(no_zeros.file.find("m.weight_zero_point") == nullptr);
}

TEST_CASE("a checkpoint with act-order is multiplied: x permuted once, the layer's columns in its groups")
{
    constexpr std::size_t rows = 32, cols = 96;
    auto before = random_layer<4>({rows, cols, 32}, 0, 5);
    before.order = shuffled(cols, 6);
    auto const s = settings_of("gptq_v2", 4, 32, true);
    written const file(words::write("m", before, s));
    auto const l = words::read<4>(file.file, "m", s);
    auto const x = models::values(models::matrix<packed<planes<4>>>(1, cols, 32, 3));
    std::vector<float> y(rows);
    multiply(pack<planes<4>>(l.codes), words::permuted(x, l.order), y);

    auto const index = safetensors::read<std::int32_t>(file.file.at("m.g_idx"));
    auto const codes = file.words("m.qweight"), zeros = file.words("m.qzeros");
    auto const scales = safetensors::read<half>(file.file.at("m.scales"));
    for (std::size_t n = 0; n < rows; ++n)
    {
        double sum = 0, magnitude = 0;
        for (std::size_t k = 0; k < cols; ++k) // as a reader of the file does it
        {
            auto const g = static_cast<std::size_t>(index[k]);
            double const q = codes[k / 8 * rows + n] >> k % 8 * 4 & 15u;
            double const z = zeros[g * rows / 8 + n / 8] >> n % 8 * 4 & 15u;
            double const scale = to_float(scales[g * rows + n]);
            sum += scale * (q - z) * double{x[k]};
            magnitude += std::abs(scale * x[k]) * (q + z);
        }
        CHECK(std::abs(y[n] - sum) <= 11 * 0x1p-23 * magnitude);
    }
    CHECK(error_of([&] { words::permuted(x, std::vector<std::uint32_t>(3)); }).find("permute 1 x 96 by 3 places") == 0);
}

TEST_CASE("whole groups in another order are put into that of x, with their scales and zeros; others stay")
{
    for (std::size_t const cols : {96u, 80u}) // three groups; the last one shorter
    {
        auto const straight = random_layer<4>({32, cols, 32}, 0, 7);
        words::layer<4> turned{{{}, 32, cols, straight.codes.grid, {}, {}, {}}, {}};
        for (std::size_t k = 0; k < cols; ++k) // the first two groups change places
            turned.order.push_back(static_cast<std::uint32_t>(k < 64 ? (k + 32) % 64 : k));
        for (std::size_t n = 0; n < 32; ++n)
        {
            for (std::size_t const k : turned.order)
                turned.codes.codes.push_back(straight.codes.codes[n * cols + k]);
            for (std::size_t const group : {3 * n + 1, 3 * n, 3 * n + 2})
                turned.codes.scales.push_back(straight.codes.scales[group]),
                    turned.codes.zeros.push_back(straight.codes.zeros[group]);
        }
        for (std::size_t const at : {0u, 31u}) // inside a group; between two
        {
            auto mixed = turned;
            std::swap(mixed.order[at], mixed.order[at + 1]);
            auto const before = mixed;
            words::order_groups(mixed);
            expect_same(mixed, before);
        }
        words::order_groups(turned);
        expect_same(turned, straight);
    }
}

TEST_CASE("what a format does not hold is an error with the tensor, the format and the numbers")
{
    auto const l = random_layer<4>({64, 128, 32}, 1, 1);
    auto const refusal = [](auto const& of, words::settings const& s)
    { return error_of([&] { words::write("m", of, s); }); };
    auto with = [&](auto&& change)
    {
        auto changed = l;
        change(changed);
        return changed;
    };
    auto const zero = with([](auto& each) { each.codes.zeros[5] = 0; });
    CHECK(refusal(zero, settings_of("gptq", 4, 32)) ==
          "'m', gptq: the zero of group 1 in row 1 is 0; it holds 1 to 15");
    CHECK(refusal(zero, settings_of("gptq_v2", 4, 32)) == "");
    CHECK(refusal(with([](auto& each) { each.codes.zeros[4] = 16; }), settings_of("pack-quantized", 4, 32)) ==
          "'m', pack-quantized: the zero of group 0 in row 1 is 16; it holds 0 to 15");
    CHECK(refusal(l, {"gptq", 4, 32}).find("; it holds 8 to 8 where all are symmetric") != std::string::npos);
    CHECK(refusal(l, settings_of("gptq", 4, 64)) == "'m', gptq: groups of 32 columns; the settings say 64");
    CHECK(refusal(l, settings_of("gptq", 3, 32)) == "'m', gptq: codes of 3 bits read as 4");
    CHECK(refusal(l, settings_of("marlin", 4, 32)) ==
          "no format 'marlin' among gptq, gptq_v2, gptq_p, auto_round, auto_round:auto_gptq, awq, pack-quantized");
    CHECK(refusal(random_layer<5>({64, 128, 32}, 1, 1), settings_of("gptq", 5, 32)) ==
          "'m', gptq: codes of 5 bits; it holds 2, 3, 4, 8");
    CHECK(refusal(random_layer<8>({64, 128, 32}, 1, 1), settings_of("awq", 8, 32)) ==
          "'m', awq: codes of 8 bits; it holds 4");
    CHECK(refusal(random_layer<4>({64, 100, 32}, 1, 1), settings_of("gptq", 4, 32)) ==
          "'m', gptq: 64 x 100; it holds rows in 32, columns in 32");
    CHECK(refusal(random_layer<4>({64, 100, 32}, 1, 1), settings_of("awq", 4, 32)) ==
          "'m', awq: 64 x 100; it holds rows in 8, columns in 32");
    CHECK(refusal(random_layer<4>({12, 64, 32}, 1, 1), settings_of("awq", 4, 32)) ==
          "'m', awq: 12 x 64; it holds rows in 8, columns in 32");
    auto const ordered = with([](auto& each) { each.order = shuffled(128, 1); });
    CHECK(refusal(ordered, settings_of("gptq", 4, 32)) == "'m', gptq: an order of columns; the settings say none");
    CHECK(refusal(ordered, settings_of("awq", 4, 32, true)) == "'m', awq: an order of columns; it holds none");
    CHECK(refusal(ordered, settings_of("auto_round", 4, 32, true)) ==
          "'m', auto_round: an order of columns; it holds none");
    CHECK(refusal(with([](auto& each) { each.order.assign(128, 3); }), settings_of("gptq", 4, 32, true)) ==
          "'m', gptq: an order of 128 places is no permutation of 128 columns");
}

TEST_CASE("a file that is not what its settings say is an error, not a matrix")
{
    auto const l = random_layer<4>({64, 128, 32}, 1, 1);
    auto const s = settings_of("gptq", 4, 32);
    auto const reading = [](words::tensors const& all, words::settings const& as, char const* name = "m")
    {
        written const file(all);
        return error_of([&] { words::read<4>(file.file, name, as); });
    };
    CHECK(reading(words::write("m", l, s), s) == "");
    CHECK(reading(words::write("m", l, s), s, "n") == "'n.qweight', gptq: there is no such tensor");
    CHECK(reading(words::write("m", l, s), settings_of("gptq", 4, 64)) ==
          "tensor 'm.scales': expected shape [2, 64], found [4, 64]");
    CHECK(reading(words::write("m", l, s), settings_of("awq", 4, 32)).find("shape") != std::string::npos);
    CHECK(error_of([&] {
              written const file(words::write("m", l, s));
              words::read<4, bfloat16>(file.file, "m", s);
          }) == "tensor 'm.scales': expected BF16, found F16");
    struct without_zeros
    {
        safetensors::file file;
        safetensors::tensor const* find(std::string const& name) const
        {
            return name == "m.qzeros" ? nullptr : file.find(name);
        }
    };
    for (std::string const format : {"awq", "gptq"}) // symmetric or not
        for (bool const symmetric : {false, true})
        {
            written const whole(words::write("m", l, settings_of(format, 4, 32)));
            without_zeros const file{whole.file};
            CHECK(error_of([&] { words::read<4>(file, "m", words::settings{format, 4, 32, symmetric, false}); }) ==
                  "'m.qzeros', " + format +
                      ": there is no such tensor; it stores the zeros of symmetric codes, too");
        }
    auto const index = [&](std::int32_t group)
    {
        std::vector<std::int32_t> all(128, group);
        words::tensors out;
        out.add<std::int32_t>("m.g_idx", {128}, all);
        auto v2 = words::write("m", l, settings_of("auto_round", 4, 32));
        out.add(std::move(v2));
        return reading(out, settings_of("gptq_v2", 4, 32));
    };
    CHECK(index(4) == "'m.g_idx', gptq_v2: column 0 is in group 4 of 4");
    CHECK(index(-1) == "'m.g_idx', gptq_v2: column 0 is in group -1 of 4");
    CHECK(index(0) == "'m.g_idx', gptq_v2: group 0 has 128 columns, not 32");
}

TEST_CASE("quantization_config: what is written is read, for every format")
{
    for (char const* format :
         {"gptq", "gptq_v2", "gptq_p", "auto_round", "auto_round:auto_gptq", "awq", "pack-quantized"})
        for (std::size_t const group : {0u, 32u, 128u})
            for (bool const flag : {false, true})
            {
                bool const orders = std::string_view(format).starts_with("gptq") || format[0] == 'p';
                words::settings const s{format, 4, group, flag, flag && orders};
                std::vector<std::string> const left_out{"lm_head"};
                std::string const json = words::write_config(s, left_out);
                CAPTURE(json);
                CHECK(words::read_config("f", json) == s);
                CHECK(words::read_config("f", R"({"model_type":"llama","quantization_config":)" + json + "}") == s);
            }
}

TEST_CASE("quantization_config as others write it, and what is refused")
{
    auto const read = [](char const* json) { return words::read_config("config.json", json); };
    CHECK(read(R"({"bits":3,"group_size":-1,"damp_percent":0.01,"desc_act":true,"sym":false,"quant_method":"gptq"})") ==
          words::settings{"gptq", 3, 0, false, true});
    CHECK(read(R"({"w_bit":4,"q_group_size":128,"zero_point":true,"version":"GEMM","quant_method":"awq"})") ==
          words::settings{"awq", 4, 128, false, false});
    CHECK(read(R"({"bits":4,"group_size":128,"sym":true,"quant_method":"auto-round","extra_config":{},)"
               R"("packing_format":"auto_round:auto_awq"})") == words::settings{"awq", 4, 128, true, false});
    CHECK(read(R"({"quant_method":"compressed-tensors","format":"pack-quantized","config_groups":{"group_0":{)"
               R"("targets":["Linear"],"weights":{"num_bits":8,"type":"int","symmetric":true,"strategy":"channel",)"
               R"("group_size":null,"actorder":null}}}})") == words::settings{"pack-quantized", 8, 0, true, false});
    auto const refusal = [&](char const* json) { return error_of([&] { read(json); }); };
    std::string const methods = "; there are gptq, awq (version gemm), auto-round, compressed-tensors";
    CHECK(refusal(R"({"bits":4,"group_size":128,"quant_method":"fp8"})") ==
          "config.json: quantization_config: quant_method 'fp8' (version '') is not known" + methods);
    CHECK(refusal(R"({"load_in_4bit":true,"quant_method":"bitsandbytes"})") ==
          "config.json: quantization_config: quant_method 'bitsandbytes' (version '') is not known" + methods);
    CHECK(refusal(R"({"bits":4,"group_size":128,"quant_method":"awq","version":"gemv"})") ==
          "config.json: quantization_config: quant_method 'awq' (version 'gemv') is not known" + methods);
    CHECK(refusal(R"({"bits":16,"group_size":128,"quant_method":"gptq"})") ==
          "config.json: quantization_config: bits from 1 to 8 wanted, found 16");
    CHECK(refusal(R"({"bits":4,"group_size":0,"quant_method":"gptq"})") ==
          "config.json: quantization_config: group_size is 0");
    CHECK(refusal(R"({"bits":4,"group_size":64,"quant_method":"gptq","checkpoint_format":"marlin"})")
              .find("the format 'marlin' is not among gptq, gptq_v2") != std::string::npos);
    CHECK(refusal(R"({"bits":4,"group_size":64,"quant_method":"gptq","dynamic":{"-:.*down.*":{}}})") ==
          "config.json: quantization_config: dynamic: settings of single layers are not read");
    CHECK(refusal(R"({"quant_method":"compressed-tensors","format":"pack-quantized","config_groups":{}})") ==
          "config.json: quantization_config: config_groups: one group of layers wanted");
}
