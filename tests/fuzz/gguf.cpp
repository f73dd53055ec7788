// SPDX-License-Identifier: BSD-3-Clause
// libFuzzer target: GGUF files and importance matrices over any bytes. Nothing may happen but an error of one line.
#include <jackplane/store/gguf/imatrix.hpp>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <string>
#include <vector>
#include "is_right.hpp"

using namespace jackplane;

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size)
{
    auto const bytes = std::as_bytes(std::span(data, size));
    if (auto const f = gguf::try_parse(bytes, "fuzz"); is_right(f))
    {
        for (auto const* t : f->order())
            if (is_right(try_load([&] { return gguf::read(*t); })) != t->type.is_decoded)
                std::abort();
        for (auto const& entry : f->metadata())
        {
            is_right(try_load([&] { return f->metadata().get<std::uint16_t>(entry.first); }));
            is_right(try_load([&] { return f->metadata().get<std::vector<float>>(entry.first); }));
        }
        std::vector<gguf::item> items;
        for (auto const* t : f->order())
            items.push_back(gguf::item::of(*t));
        is_right(try_load([&] { return gguf::write_header(items, f->metadata()); }));
    }
    is_right(try_load([&] { return gguf::parse_imatrix(bytes, "fuzz"); }));
    return 0;
}
