// SPDX-License-Identifier: BSD-3-Clause
// libFuzzer target: every reader of files over any bytes. Nothing may happen but an error of one line.
#include <jackplane/store/nested_read.hpp>
#include <jackplane/store/npy.hpp>
#include <jackplane/store/safetensors.hpp>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>
#include "is_right.hpp"

using namespace jackplane;

namespace
{
    void touch(std::span<std::byte const> bytes)
    {
        static volatile unsigned sum = 0;
        for (std::byte const b : bytes)
            sum = sum + std::to_integer<unsigned>(b);
    }

    // Without this no mutation would come past the digest of a nested file's header.
    std::string with_right_digest(std::span<std::byte const> bytes)
    {
        constexpr std::string_view key = "\"header_digest\":\"";
        std::string file(reinterpret_cast<char const*>(bytes.data()), bytes.size());
        std::size_t const at = file.find(key) + key.size();
        if (file.find(key) == file.npos || at + 16 > file.size())
            return file;
        std::uint64_t const length = 8 + detail::read_u64(bytes.data());
        if (length < at + 16 || length > file.size())
            return file;
        file.replace(at, 16, 16, '0');
        digest d;
        d.add(std::as_bytes(std::span(file)).first(static_cast<std::size_t>(length)));
        return file.replace(at, 16, d.text());
    }

    void read_nested(std::span<std::byte const> bytes)
    {
        auto const read = nested::try_parse(bytes, "fuzz");
        if (!is_right(read))
            return;
        is_right(try_load([&] { return read->verify(), true; }));
        for (auto const* t : read->plain())
            touch(t->bytes);
        for (auto const& layer : read->described().layers)
        {
            if (auto const s = try_load([&] { return read->sparse(layer.first); }); is_right(s))
                s->nonzeros() > 0 ? touch(std::as_bytes(std::span(s->view().values, s->nonzeros()))) : void();
            for (unsigned const most : {8u, 3u})
            {
                auto const m = try_load([&] { return read->matrix(layer.first, most); });
                if (is_right(m) && layer.second.rows * layer.second.cols < 100'000)
                    std::visit([](auto const& a)
                    {
                        std::vector<float> w(a.rows() * a.cols());
                        dequantize(a, {w.data(), a.rows(), a.cols()});
                    }, *m);
            }
        }
    }
}

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size)
{
    auto const bytes = std::as_bytes(std::span(data, size));
    if (auto const read = safetensors::try_parse(bytes, "fuzz"); is_right(read))
        for (auto const& [name, t] : read->tensors())
        {
            touch(t.bytes);
            is_right(try_load([&, tensor = &t] { return safetensors::read<float>(*tensor); }));
        }
    if (auto const read = npy::try_parse(bytes, "fuzz"); is_right(read))
        touch(read->bytes);
    if (size > 8)
    {
        read_nested(bytes);
        std::string const repaired = with_right_digest(bytes);
        read_nested(std::as_bytes(std::span(repaired)));
    }
    std::string_view const json(reinterpret_cast<char const*>(data), size);
    is_right(try_load([&] { return detail::nested_reader("fuzz", json).read(); }));
    return 0;
}
