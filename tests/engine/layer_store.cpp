// SPDX-License-Identifier: BSD-3-Clause
// Layers come back as they were kept; what is of other sizes is made again, though its digest holds.
#include <engine/keep/layer_store.hpp>
#include <doctest/doctest.h>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <vector>

TEST_CASE("kept blocks count with the bytes of their type, rows and columns alone")
{
    using namespace engine;
    std::filesystem::path const folder = "kept_layers";
    layer_store const store(folder);
    constexpr std::uint32_t q8_0 = 8; // blocks of 32 values in 34 bytes
    std::vector<parameter> const parts{{"w", 3, 64, 0, false, {}, false}}, wider{{"w", 3, 96, 0, false, {}, false}};
    tuned_blocks const layer{{{q8_0, 3, 64, std::vector<std::byte>(3 * 2 * 34, std::byte{7})}}, {}};
    auto const back = store.keep(0, "origin", parts, layer);
    CHECK(back.matrices.at(0).bytes == layer.matrices[0].bytes);
    CHECK(store.find<block_matrix>(0, "origin", parts));
    CHECK(!store.find<block_matrix>(0, "other", parts));
    CHECK(!store.find<block_matrix>(0, "origin", wider));
    tuned_blocks shorter = layer;
    shorter.matrices[0].bytes.pop_back();
    CHECK_THROWS_AS(store.keep(1, "origin", parts, shorter), jackplane::io_error);
    shorter.matrices[0].type = 99;
    CHECK_THROWS_AS(store.keep(2, "origin", parts, shorter), jackplane::io_error);
    std::filesystem::remove_all(folder);
}
