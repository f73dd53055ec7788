// SPDX-License-Identifier: BSD-3-Clause
#include <jackplane/store/gguf/file.hpp>
#include <jackplane/store/gguf/write.hpp>
#include <doctest/doctest.h>
#include <algorithm>
#include <string>
#include <vector>
#include "files.hpp"

using namespace jackplane;

namespace
{
    std::string model(files::folder const& folder)
    {
        gguf::metadata about;
        about.set("general.architecture", std::string("llama"));
        about.set("llama.block_count", std::uint32_t{1});
        about.set("tokenizer.ggml.tokens", gguf::array(std::vector<std::string>{"a", "bc", ""}));
        about.set("tokenizer.ggml.scores", gguf::array(std::vector<float>{1, 2, 3}));
        about.set("tokenizer.ggml.add_bos_token", true);
        std::vector<float> x(512, 0.5f);
        std::vector<std::byte> q4_k(2 * 144), q8_0(16 * 34), f32(64);
        gguf::encode<gguf::q4_k>(x, {}, q4_k);
        gguf::encode<gguf::q8_0>(x, {}, q8_0);
        gguf::item const items[] = {gguf::item::of<gguf::q4_k>("blk.0.ffn_up.weight", {2, 256}, q4_k),
                                    gguf::item::of<gguf::f32>("output_norm.weight", {16}, f32),
                                    gguf::item::of<gguf::q8_0>("token_embd.weight", {4, 128}, q8_0)};
        gguf::save(folder / "model.gguf", items, about);
        return files::get(folder / "model.gguf");
    }

    // One way of damaging the header's `head` bytes, or the length.
    std::string damage_gguf(std::string s, std::size_t head, files::numbers& random)
    {
        auto const at = [&] { return random.below(head); };
        std::size_t const from = at(), n = std::min(random.below(40) + 1, head - from);
        switch (random.below(8))
        {
        case 0:
            s[at()] ^= static_cast<char>(1 << random.below(8));
            break;
        case 1:
            s[at()] = static_cast<char>(random());
            break;
        case 2:
            s.resize(random.below(s.size() - 1));
            break;
        case 3:
            s.append(1 + random.below(5000), static_cast<char>(random()));
            break;
        case 4:
            s.replace(8 * (1 + random.below(2)), 8, files::u64(random.below(2) == 0 ? random() : random.below(9)));
            break;
        case 5:
            s.erase(from, n);
            break;
        case 6:
            s.insert(from, s.substr(from, n));
            break;
        default:
            for (std::size_t i = 0, many = random.below(6) + 2; i < many; ++i)
                s[at()] = static_cast<char>(random());
        }
        return s;
    }

    // Whether the bytes are a right file, by the format's page and no code of the reader's: every tensor where the one
    // before it ends, all inside.
    bool lies_right(gguf::file const& f, std::size_t size)
    {
        std::uint64_t end = f.order().empty() ? 0 : f.order()[0]->offset;
        for (auto const* t : f.order())
        {
            std::uint64_t values = 1;
            for (auto const n : t->shape)
                values *= n;
            if (t->offset != end || t->bytes.size() != values / t->type.values * t->type.bytes ||
                t->offset + t->bytes.size() > size)
                return false;
            end = (t->offset + t->bytes.size() + f.alignment() - 1) / f.alignment() * f.alignment();
        }
        return size <= std::max<std::uint64_t>(end, size * f.order().empty());
    }
}

TEST_CASE("1000 damaged GGUF files: one line each, or a file that is right; nothing else")
{
    files::folder const folder;
    files::numbers random{20260101};
    std::string const whole = model(folder);
    auto const right = gguf::open(folder / "model.gguf");
    auto const head = static_cast<std::size_t>(right.order()[0]->offset);
    int refused = 0, opened = 0;
    for (int i = 0; i < 1000; ++i)
    {
        std::string const bad = damage_gguf(whole, head, random);
        files::put(folder / "bad.gguf", bad);
        auto const f = gguf::try_open(folder / "bad.gguf");
        if (f)
        {
            CHECK(lies_right(*f, bad.size()));
            for (auto const* t : f->order())
                if (t->type.is_decoded)
                    CHECK(gguf::read(*t).size() == t->rows() * t->cols());
        }
        else
            CHECK((f.error.starts_with((folder / "bad.gguf").string() + ": ") && f.error.size() < 400 &&
                   std::all_of(f.error.begin(), f.error.end(), [](char c) { return c >= ' ' && c <= '~'; })));
        ++(f ? opened : refused);
    }
    MESSAGE(refused, " refused, ", opened, " opened");
    CHECK(refused > 500); // a changed letter or number of the metadata is not seen
    for (std::size_t size = 0; size < right.order().back()->offset + right.order().back()->size; size += 1 + size % 13)
        REQUIRE_FALSE(gguf::try_parse(files::bytes(whole).first(size), "f"));
}
