// SPDX-License-Identifier: BSD-3-Clause
#include "random_model.hpp"
#include <jackplane/core/parallel.hpp>
#include <bit>
#include <cmath>
#include <cstring>
#include <memory>
#include <span>

namespace engine
{
    namespace
    {
        using jackplane::half;
        using jackplane::integer_zero;
        using matrix_type = jackplane::packed<jackplane::bit_planes, jackplane::uniform<8>, half, integer_zero>;
        using zero_type = matrix_type::zero_type;

        struct named_shape
        {
            char const* name;
            std::size_t vocabulary, hidden, intermediate, layers, heads, kv_heads, head_dim;
            expert_description experts{};
        };
        constexpr named_shape shapes[] = {
            {"tiny", 512, 128, 352, 2, 4, 2, 32},
            {"1b", 128256, 2048, 8192, 16, 32, 8, 64},
            {"3b", 128256, 3072, 8192, 28, 24, 8, 128},
            {"8b", 128256, 4096, 14336, 32, 32, 8, 128},
            {"tiny-experts", 512, 128, 352, 2, 4, 2, 32, {8, 2, 64}},
            {"30b-a3b", 151936, 2048, 6144, 48, 32, 4, 128, {128, 8, 768}},
        };

        // Word n of a stream (splitmix64): any part can be drawn alone.
        constexpr std::uint64_t draw(std::uint64_t stream, std::uint64_t n) noexcept
        {
            std::uint64_t x = stream + (n + 1) * 0x9e3779b97f4a7c15u;
            x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
            x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
            return x ^ (x >> 31);
        }
        constexpr float uniform_of(std::uint64_t word) noexcept // [0, 1)
        {
            return static_cast<float>(word >> 40) * 0x1p-24f;
        }

        struct storage
        {
            std::array<jackplane::aligned_vector<std::byte>, 8> plane;
            jackplane::aligned_vector<half> scales;
            jackplane::aligned_vector<zero_type> zeros;
        };

        matrix_type random_matrix(std::size_t rows, std::size_t cols, std::uint64_t stream)
        {
            constexpr std::size_t group = 64;
            using jackplane::block;
            std::size_t const panels = rows / block::rows, blocks = cols / block::cols,
                              groups = jackplane::ceil_div(cols, group);
            auto s = std::make_shared<storage>();
            std::uint64_t next = 0;
            matrix_type::view_type v{{},    nullptr, nullptr, rows,   cols, panels, blocks, blocks,
                                     group, groups,  groups,  8,      8,    1,      0,      {}};
            for (std::size_t p = 0; p < 8; ++p)
            {
                std::size_t const bytes = panels * blocks * block::lanes, words = bytes / sizeof(std::uint64_t);
                s->plane[p].resize(p * jackplane::plane_stagger + bytes);
                std::byte* const plane = s->plane[p].data() + p * jackplane::plane_stagger;
                jackplane::threads{}(words,
                                     [&](std::size_t first, std::size_t last)
                                     {
                                         for (std::size_t i = first; i < last; ++i)
                                         {
                                             std::uint64_t const word = draw(stream, next + i);
                                             std::memcpy(plane + i * sizeof word, &word, sizeof word);
                                         }
                                     });
                next += words;
                v.plane[p] = plane;
            }
            s->scales.resize(panels * groups * block::rows);
            s->zeros.resize(s->scales.size());
            float const scale = 1 / (74 * std::sqrt(static_cast<float>(cols))); // 74: deviation of a random byte
            for (std::size_t i = 0; i < s->scales.size(); ++i)
            {
                std::uint64_t const word = draw(stream, next + i);
                s->scales[i] = jackplane::from_float<half>(scale * (0.75f + uniform_of(word) / 2));
                s->zeros[i] = static_cast<zero_type>(120 + word % 16);
            }
            v.scales = s->scales.data();
            v.zeros = s->zeros.data();
            return {v, s};
        }
    }

    std::vector<std::string> shape_names()
    {
        std::vector<std::string> names;
        for (named_shape const& s : shapes)
            names.emplace_back(s.name);
        return names;
    }

    config shape_of(std::string_view name)
    {
        for (named_shape const& s : shapes)
            if (name == s.name)
            {
                config c;
                c.vocabulary = s.vocabulary;
                c.hidden = s.hidden;
                c.intermediate = s.intermediate;
                c.layers = s.layers;
                c.heads = s.heads;
                c.kv_heads = s.kv_heads;
                c.head_dim = s.head_dim;
                c.context = 2048;
                c.rope_theta = 500000.0;
                c.tied = false;
                c.block.experts = s.experts;
                c.block.layers.assign(s.experts.count != 0 ? s.layers : 0, {0, 0, true});
                return c;
            }
        std::string list;
        for (std::string const& one : shape_names())
            list += text(list.empty() ? "" : ", ", one);
        jackplane::fail<jackplane::value_error>(text("no shape '", name, "'; there are ", list));
    }

    packed_model random_planes(config const& c, std::uint64_t seed)
    {
        packed_model m(c);
        auto const& all = m.table.parameters();
        for (std::size_t i = 0; i < m.matrices.size(); ++i)
        {
            parameter const& p = all[i];
            JACKPLANE_EXPECTS(p.rows % jackplane::block::rows == 0 && p.cols % jackplane::block::cols == 0,
                              jackplane::shape_error, p.name, ": ", p.rows, " x ", p.cols,
                              ", expected whole blocks of 16 x 32");
            m.matrices[i] = {random_matrix(p.rows, p.cols, draw(seed, i)), true, {}, {}};
        }
        m.rest.assign(m.table.size() - m.table.tuned_size(), 1.0f);          // the norms keep it
        for (parameter const& p : std::span(all).subspan(m.matrices.size())) // embedding, routers
            jackplane::threads{}(p.norm ? 0 : p.size(),
                                 [&](std::size_t first, std::size_t last)
                                 {
                                     std::size_t const at = p.offset - m.table.tuned_size();
                                     for (std::size_t i = at + first; i < at + last; ++i)
                                         m.rest[i] = 2 * uniform_of(draw(~seed, i)) - 1;
                                 });
        return m;
    }
}
