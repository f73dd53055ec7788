// SPDX-License-Identifier: BSD-3-Clause
#include <jackplane/store/digest.hpp>
#include <doctest/doctest.h>
#include <algorithm>
#include <string>
#include "files.hpp"

using namespace jackplane;

TEST_CASE("digest: golden, and the same piece by piece")
{
    std::string bytes;
    for (int i = 0; i < 1000; ++i)
        bytes += static_cast<char>(i * i);
    digest whole, pieces;
    whole.add(files::bytes(bytes));
    files::numbers random{1};
    for (std::size_t at = 0; at < bytes.size();)
    {
        std::size_t const n = std::min(random.below(70), bytes.size() - at);
        pieces.add(files::bytes(bytes).subspan(at, n));
        at += n;
    }
    CHECK(whole.text() == pieces.text());
    CHECK(whole.text() == "5434c2ecc92249e3");
    CHECK(digest{}.text() == "32d21a98cb1917b0");
    for (std::size_t i = 0; i < bytes.size(); ++i) // each single damaged byte is found
    {
        std::string damaged = bytes;
        damaged[i] = static_cast<char>(damaged[i] ^ 1 << i % 8);
        digest d;
        d.add(files::bytes(damaged));
        REQUIRE(d.value() != whole.value());
    }
}
