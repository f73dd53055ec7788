// SPDX-License-Identifier: BSD-3-Clause
// Layers that are read at a width of their own: their planes stand in what all widths need.
#include <jackplane/store/cut.hpp>
#include <jackplane/store/nested_read.hpp>
#include <jackplane/store/nested_write.hpp>
#include <jackplane/store/safetensors.hpp>
#include <doctest/doctest.h>
#include <filesystem>
#include <memory>
#include <string>
#include <variant>
#include <vector>
#include "files.hpp"
#include "models.hpp"

namespace common_layers // test files are compiled together
{
    using namespace jackplane;
    using models::values;
    using bits8 = packed<bit_planes, uniform<8>, half, std::uint8_t>;
    using bits4 = packed<planes<4>, uniform<4>, half, no_zero>;
    using pairs = packed<planes<2, 2, 2, 2>, uniform<8>, half, no_zero>;

    struct sample
    {
        files::folder folder;
        bits8 head = models::matrix<bits8>(40, 70, 32, 1), layer = models::matrix<bits8>(17, 33, 16, 2);
        std::vector<float> norm{1, 2, 3};
        std::vector<triplet> beside{{0, 3, 0.5f}, {39, 69, -2}};

        sample()
        {
            nested::writer file;
            file.add(safetensors::item::of<float>("norm", {3}, norm));
            file.add_common("head", head, csr<>(40, 70, beside));
            file.add("layer", layer);
            file.metadata["note"] = "made by a test";
            file.save(folder / "a");
        }
    };

    TEST_CASE("common layers: every level has all their bits, wherever the file ends")
    {
        sample const s;
        std::string const bytes = files::get(s.folder / "a");
        CHECK(models::judge(bytes) == "");
        auto const whole = nested::open(s.folder / "a");
        CHECK(whole.described().layers.at("head").common == 8);
        CHECK(whole.described().layers.at("layer").common == 0);
        for (std::size_t i = 0; i < 8; ++i) // apart as planes of levels are
        {
            auto const strict = safetensors::open(s.folder / "a");
            auto const& t = strict.at("head.plane." + std::to_string(i));
            auto const at = static_cast<std::size_t>(reinterpret_cast<char const*>(t.bytes.data()) -
                                                     reinterpret_cast<char const*>(strict.at("norm").bytes.data()));
            CHECK(at % 4096 == i * plane_stagger % 4096); // norm begins the data, at a multiple of 4096
        }
        for (auto const& level : whole.levels())
        {
            files::put(s.folder / "b", std::string_view(bytes).substr(0, level.end));
            auto const file = nested::open(s.folder / "b");
            CHECK_NOTHROW(file.verify());
            CHECK(file.bits() == level.bits);
            for (unsigned bits = 1; bits <= 8; ++bits)
                CHECK(values(file.matrix("head"), bits) == values(s.head, bits));
            CHECK(values(file.matrix("layer"), level.bits) == values(s.layer, level.bits));
            CHECK(values(file.matrix("head", 3), 3) == values(s.head, 3));
            CHECK_THROWS_AS(values(file.matrix("head", 3), 4), width_error);
            CHECK(file.sparse("head").nonzeros() == 2);
        }
        std::string damaged = bytes;
        damaged[whole.described().common.end - 1] ^= 1; // of all levels
        files::put(s.folder / "b", damaged);
        CHECK_THROWS_AS(nested::open(s.folder / "b").verify(1), format_error);
    }

    TEST_CASE("a cut keeps common layers, or the first of their planes")
    {
        sample const s;
        for (unsigned bits = 1; bits <= 8; ++bits)
            for (unsigned common = 1; common <= 8; ++common)
            {
                nested::cut(s.folder / "a", s.folder / "b", bits, common);
                CHECK(models::judge(files::get(s.folder / "b")) == "");
                auto const file = nested::open(s.folder / "b");
                CHECK_NOTHROW(file.verify());
                CHECK(file.bits() == bits);
                CHECK(file.described().layers.at("head").common == common);
                CHECK(values(file.matrix("head"), common) == values(s.head, common));
                CHECK(values(file.matrix("layer"), bits) == values(s.layer, bits));
                CHECK_THROWS_AS(values(file.matrix("head"), common + 1), width_error);
                CHECK(file.metadata().at("note") == "made by a test");
                CHECK(safetensors::read<float>(file.at("norm")) == aligned_vector<float>{1, 2, 3});
                CHECK(file.sparse("head").nonzeros() == 2);
            }
        // in one step or two; over itself
        nested::cut(s.folder / "a", s.folder / "b", 6, 5);
        nested::cut(s.folder / "b", s.folder / "b", 3, 4);
        nested::cut(s.folder / "a", s.folder / "c", 3, 4);
        CHECK(files::get(s.folder / "b") == files::get(s.folder / "c"));
        nested::cut(s.folder / "c", s.folder / "d", 2); // all there are
        CHECK(nested::open(s.folder / "d").described().layers.at("head").common == 4);
        CHECK_THROWS_WITH_AS(nested::cut(s.folder / "c", s.folder / "d", 2, 5),
                             doctest::Contains("layer 'head' cannot be read at 5 bits, only at 1, 2, 3, 4"),
                             width_error);
    }

    TEST_CASE("common layers beside levels of other widths; what cannot be one")
    {
        sample const s;
        auto const four = models::matrix<bits4>(20, 40, 10, 3);
        auto const wide = models::matrix<pairs>(20, 40, 10, 4);
        nested::writer out;
        out.add("layer", four);
        out.add_common("head", any_packed(s.head));
        out.add_common("wide", wide);
        out.save(s.folder / "b");
        auto const file = nested::open(s.folder / "b");
        CHECK(file.levels().size() == 1);
        CHECK(values(file.matrix("layer"), 4) == values(four, 4));
        CHECK(values(file.matrix("head"), 7) == values(s.head, 7));
        nested::cut(file, s.folder / "c", 4, 6);
        CHECK(nested::open(s.folder / "c").described().layers.at("wide").common == 6);
        for (unsigned const bits : {1u, 5u})
            CHECK_THROWS_WITH_AS(nested::cut(file, s.folder / "c", 4, bits),
                                 doctest::Contains("layer 'wide' cannot be read at"), width_error);

        bits8::width_scales own{};
        own[2] = {s.head.view().scales, s.head.view().zeros};
        auto const other = models::matrix<bits8>(40, 70, 32, 5);
        bits8 const of_width(other.view(), std::make_shared<std::pair<bits8, bits8>>(other, s.head), own);
        CHECK_THROWS_WITH_AS(nested::writer{}.add_common("m", of_width), doctest::Contains("scales for 2 bits alone"),
                             width_error);
        nested::writer alone;
        alone.add_common("head", s.head);
        CHECK_THROWS_AS(alone.save(s.folder / "d"), format_error); // no level
    }

    TEST_CASE("a slice that rounds reads one plane more of a common layer: a cut keeps it")
    {
        sample const s;
        nested::writer out;
        out.slice = round_clamp::name();
        out.add_common("head", s.head);
        out.add("layer", s.layer);
        out.save(s.folder / "b");
        nested::cut(s.folder / "b", s.folder / "c", 4, 5);
        auto const file = nested::open(s.folder / "c");
        CHECK(file.described().layers.at("head").common == 6);
        CHECK(file.described().common_widths(file.described().layers.at("head")) ==
              std::vector<unsigned>{1, 2, 3, 4, 5});
        CHECK_THROWS_WITH_AS(nested::cut(s.folder / "c", s.folder / "d", 4, 6),
                             doctest::Contains("only at 1, 2, 3, 4, 5"), width_error);
    }

    TEST_CASE("a file with common layers is of version 2; both versions are read")
    {
        sample const s;
        auto const version = [](std::filesystem::path const& path)
        { return nested::open(path).metadata().at("format_version"); };
        CHECK(version(s.folder / "a") == "2");
        nested::cut(s.folder / "a", s.folder / "b", 3);
        CHECK(version(s.folder / "b") == "2");
        nested::cut(s.folder / "a", s.folder / "b", 3, 3);
        CHECK(version(s.folder / "b") == "2");
        std::string const bytes = files::get(s.folder / "a"), said = R"("format_version":"2")";
        std::string head = models::header_of(bytes);
        REQUIRE(head.find(said) != std::string::npos);
        head.replace(head.find(said), said.size(), R"("format_version":"1")"); // as they were written for a while
        files::put(s.folder / "b", models::with_header(bytes, head));
        CHECK(values(nested::open(s.folder / "b").matrix("head"), 8) == values(s.head, 8));

        nested::writer plain;
        plain.add("layer", s.layer);
        plain.save(s.folder / "b");
        CHECK(version(s.folder / "b") == "1");
        CHECK_THROWS_WITH_AS(nested::cut(s.folder / "b", s.folder / "c", 4, 4),
                             doctest::Contains("no layer has a width of its own"), width_error);
    }

    TEST_CASE("a header that says other bits of a common layer than it has is refused")
    {
        sample const s;
        std::string const bytes = files::get(s.folder / "a"), head = models::header_of(bytes);
        std::string const said = R"(\"common\":8)";
        REQUIRE(head.find(said) != std::string::npos);
        for (char const* const other : {R"(\"common\":0)", R"(\"common\":9)", R"(\"common\":-1)", R"(\"common\":true)",
                                        R"(\"common\":\"8\")", R"(\"commoner\":8)"})
        {
            std::string changed = head;
            changed.replace(changed.find(said), said.size(), other);
            files::put(s.folder / "b", models::with_header(bytes, changed));
            CHECK_THROWS_AS(nested::open(s.folder / "b"), format_error);
        }
        std::string fewer = head; // fewer than there are: planes that nothing names
        fewer.replace(fewer.find(said), said.size(), R"(\"common\":7)");
        files::put(s.folder / "b", models::with_header(bytes, fewer));
        CHECK_THROWS_AS(values(nested::open(s.folder / "b").matrix("head"), 8), width_error);
    }
}
