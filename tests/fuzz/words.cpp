// SPDX-License-Identifier: BSD-3-Clause
// libFuzzer target: layers in words, of any types, shapes and bytes, and any settings. Nothing may happen but an error
// of one line; what is read can be written, and is then read again.
#include <jackplane/store/words/config.hpp>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <string>
#include <vector>
#include "is_right.hpp"

using namespace jackplane;

namespace
{
    class input
    {
    public:
        explicit input(std::span<std::uint8_t const> all) : m_all(all) {}
        unsigned next() // 0 behind the end
        {
            return m_at < m_all.size() ? m_all[m_at++] : 0u;
        }
        std::string_view rest() const
        {
            return {reinterpret_cast<char const*>(m_all.data()) + m_at, m_all.size() - m_at};
        }

    private:
        std::span<std::uint8_t const> m_all;
        std::size_t m_at = 0;
    };

    // Tensors of all names that a format asks for, as the input says.
    class tensors
    {
    public:
        explicit tensors(input& from)
        {
            constexpr std::array types{dtype::I32, dtype::F16, dtype::I64, dtype::F32, dtype::I32};
            for (char const* name : {"qweight", "qzeros", "scales", "g_idx", "weight_packed", "weight_scale",
                                     "weight_zero_point", "weight_g_idx", "weight_shape"})
            {
                unsigned const kind = from.next();
                if (kind % 8 == 7)
                    continue;
                safetensors::tensor t;
                t.name = std::string("m.") + name;
                t.type = types[kind / 8 % types.size()];
                for (unsigned i = 0; i < (kind % 8 < 5 ? 2 : kind % 4); ++i)
                    t.shape.push_back(from.next() % 80);
                t.size = *safetensors::byte_size(t.type, t.shape);
                auto& bytes = m_bytes.emplace_back(static_cast<std::size_t>(t.size));
                for (std::byte& each : bytes)
                    each = std::byte{static_cast<unsigned char>(from.next())};
                t.bytes = bytes;
                m_all.emplace(t.name, t);
            }
        }
        explicit tensors(std::vector<safetensors::item> const& items)
        {
            for (auto const& i : items)
            {
                safetensors::tensor t;
                t.name = i.name, t.type = i.type, t.shape = i.shape, t.size = i.bytes.size(), t.bytes = i.bytes;
                m_all.emplace(t.name, t);
            }
        }
        safetensors::tensor const* find(std::string const& name) const
        {
            auto const found = m_all.find(name);
            return found == m_all.end() ? nullptr : &found->second;
        }

    private:
        std::vector<aligned_vector<std::byte>> m_bytes;
        std::map<std::string, safetensors::tensor> m_all;
    };

    template <unsigned B>
    void read(tensors const& from, words::settings const& s)
    {
        auto const l = try_load([&] { return words::read<B>(from, "m", s); });
        if (!is_right(l))
            return;
        auto const again = try_load([&] { return words::write("m", *l, s); });
        if (!is_right(again)) // a zero of 0, sides that are no multiples ...
            return;
        auto const same = words::read<B>(tensors(again->items()), "m", s);
        require(same.codes.codes == l->codes.codes && same.codes.zeros == l->codes.zeros && same.order == l->order);
    }
}

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size)
{
    input from({data, size});
    constexpr std::array names{"gptq", "gptq_v2", "gptq_p", "auto_round", "awq", "pack-quantized", "none"};
    words::settings s{names[from.next() % names.size()], 4, from.next(), false, false};
    unsigned const flags = from.next();
    s.symmetric = flags & 1u, s.act_order = flags & 2u;
    s.bits = std::array{4u, 3u, 2u, 7u}[flags / 4 % 4];
    std::string_view const text = from.rest();
    is_right(try_load([&] { return words::read_config("fuzz", text); }));
    tensors const all(from);
    switch (s.bits)
    {
    case 2:
        read<2>(all, s);
        break;
    case 3:
        read<3>(all, s);
        break;
    case 7:
        read<7>(all, s);
        break;
    default:
        read<4>(all, s);
    }
    return 0;
}
