// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

namespace engine
{
    // A protocol buffer, written.
    class message
    {
    public:
        message& number(unsigned field, std::uint64_t value)
        {
            key(field, 0);
            varint(value);
            return *this;
        }
        message& real(unsigned field, float value)
        {
            key(field, 5);
            char bytes[4];
            std::memcpy(bytes, &value, 4);
            _bytes.append(bytes, 4);
            return *this;
        }
        message& bytes(unsigned field, std::string_view value)
        {
            key(field, 2);
            varint(value.size());
            _bytes += value;
            return *this;
        }
        std::string const& whole() const noexcept { return _bytes; }

    private:
        void key(unsigned field, unsigned type) { varint(std::uint64_t{field} << 3 | type); }
        void varint(std::uint64_t value)
        {
            for (; value > 127; value >>= 7)
                _bytes += static_cast<char>(value | 128);
            _bytes += static_cast<char>(value);
        }
        std::string _bytes;
    };

    // One read: its fields one after the other. What is no such buffer ends early.
    class message_reader
    {
    public:
        struct field
        {
            std::uint64_t number = 0, value = 0; // value: of a varint, or the bits of a fixed one
            std::string_view bytes{};            // of one that has a length

            float real() const noexcept { return std::bit_cast<float>(static_cast<std::uint32_t>(value)); }
        };

        explicit message_reader(std::string_view bytes) : _left(bytes) {}

        std::optional<field> next()
        {
            auto const key = varint();
            if (!key)
                return {};
            field f{*key >> 3};
            switch (*key & 7)
            {
            case 0:
                return with(f, varint());
            case 1:
                return with(f, fixed(8));
            case 2:
                if (auto const size = varint(); size && *size <= _left.size())
                {
                    f.bytes = _left.substr(0, static_cast<std::size_t>(*size));
                    _left.remove_prefix(f.bytes.size());
                    return f;
                }
                return {};
            case 5:
                return with(f, fixed(4));
            default:
                return {};
            }
        }

    private:
        static std::optional<field> with(field f, std::optional<std::uint64_t> value)
        {
            f.value = value.value_or(0);
            return value ? std::optional(f) : std::nullopt;
        }
        std::optional<std::uint64_t> varint()
        {
            std::uint64_t value = 0;
            for (unsigned shift = 0; !_left.empty() && shift < 64; shift += 7)
            {
                auto const byte = static_cast<unsigned char>(_left.front());
                _left.remove_prefix(1);
                value |= std::uint64_t{byte & 127u} << shift;
                if (byte < 128)
                    return value;
            }
            return {};
        }
        std::optional<std::uint64_t> fixed(std::size_t size) // little-endian
        {
            if (_left.size() < size)
                return {};
            std::uint64_t value = 0;
            for (std::size_t i = size; i-- > 0;)
                value = value << 8 | static_cast<unsigned char>(_left[i]);
            _left.remove_prefix(size);
            return value;
        }

        std::string_view _left;
    };
}
