// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cstring>
#include <string>
#include <utility>
#include <vector>
#include "../../core/view.hpp"
#include "../safetensors_write.hpp"

namespace jackplane::inline v0::inline JACKPLANE_TARGET::words
{
    // Tensors that own their bytes, to be written: safetensors::save(path, all.items()).
    class tensors
    {
    public:
        template <class T, class Values>
        void add(std::string name, safetensors::extents shape, Values const& values)
        {
            static_assert(sizeof(values[0]) == sizeof(T));
            aligned_vector<std::byte> bytes(values.size() * sizeof(T));
            if (!bytes.empty())
                std::memcpy(bytes.data(), values.data(), bytes.size());
            m_all.push_back({std::move(name), dtype_of<T>, std::move(shape), std::move(bytes)});
        }
        void add(tensors&& others)
        {
            for (auto& each : others.m_all)
                m_all.push_back(std::move(each));
        }
        // Views of them.
        std::vector<safetensors::item> items() const&
        {
            std::vector<safetensors::item> all;
            for (auto const& each : m_all)
                all.push_back({each.name, each.type, each.shape, each.bytes, {}});
            return all;
        }
        void items() const&& = delete; // they would point into a temporary

    private:
        struct owned
        {
            std::string name;
            dtype type;
            safetensors::extents shape;
            aligned_vector<std::byte> bytes;
        };
        std::vector<owned> m_all;
    };
}
