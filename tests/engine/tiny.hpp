// SPDX-License-Identifier: BSD-3-Clause
#pragma once
// A Llama of sizes that divide nothing, with random weights.
#include <engine/run/forward.hpp>
#include <engine/read/source.hpp>
#include <cstddef>
#include <filesystem>
#include <random>
#include <vector>

namespace engine
{
    inline config tiny_config(bool tied, std::size_t head_dim = 8) // 8 is hidden / heads
    {
        config c;
        c.vocabulary = 512;
        c.hidden = 64;
        c.intermediate = 172;
        c.layers = 2;
        c.heads = 8;
        c.kv_heads = 4;
        c.head_dim = head_dim;
        c.context = 80;
        c.tied = tied;
        return c;
    }

    template <class T>
    std::vector<T> random_weights(parameter_table const& table, unsigned seed = 1)
    {
        std::mt19937 random(seed);
        std::normal_distribution<double> normal;
        std::vector<T> w(table.size());
        for (parameter const& p : table.parameters())
            for (std::size_t i = 0; i < p.size(); ++i)
                w[p.offset + i] = static_cast<T>(p.norm ? 1.0 + 0.2 * normal(random) : 0.15 * normal(random));
        return w;
    }

    inline model random_model(config const& c)
    {
        model m(c);
        auto const w = random_weights<float>(m.table);
        m.w.assign(w.begin(), w.end());
        return m;
    }

    inline std::filesystem::path folder_with(model const& m)
    {
        std::filesystem::path const folder = "packed_model";
        save_model<float>(m, folder, "float32");
        return folder;
    }

    inline std::vector<token> random_tokens(std::size_t n, std::size_t vocabulary)
    {
        std::mt19937 random(2);
        std::vector<token> tokens(n);
        for (token& t : tokens)
            t = static_cast<token>(random() % vocabulary);
        return tokens;
    }
}
