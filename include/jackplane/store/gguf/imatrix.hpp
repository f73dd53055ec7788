// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <limits>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>
#include "file.hpp"
#include "write.hpp"

// Importance matrices as llama.cpp keeps them: of each column of a weight the sum of its inputs' squares. Two forms: a
// GGUF file, and an older one of i32 and f32 alone (.dat).
namespace jackplane::inline v0::inline JACKPLANE_TARGET::gguf
{
    // Of one weight, which may be several matrices of one shape: the experts of a layer.
    struct importance_sums
    {
        std::vector<float> squares; // [matrices, columns] sums over tokens
        std::vector<float> counts;  // [matrices] of tokens; 0: none came to it

        std::size_t columns() const noexcept { return counts.empty() ? 0 : squares.size() / counts.size(); }
        // The mean square of each column's inputs, for encode; 1 where no token came.
        std::vector<float> importance(std::size_t matrix = 0) const
        {
            JACKPLANE_EXPECTS(matrix < counts.size(), shape_error, "matrix ", matrix, " of ", counts.size());
            std::vector<float> of(columns(), 1.0f);
            if (counts[matrix] > 0)
                for (std::size_t i = 0; i < of.size(); ++i)
                    of[i] = squares[matrix * columns() + i] / counts[matrix];
            return of;
        }
    };

    // By the name of the weight, as "blk.0.ffn_up.weight".
    struct importance_matrix
    {
        std::vector<std::string> datasets;
        std::uint32_t chunk_count = 0, chunk_size = 0; // chunks of that many tokens; 0: not known
        std::map<std::string, importance_sums, std::less<>> of;
    };
}

namespace jackplane::inline v0::inline JACKPLANE_TARGET::gguf::detail
{
    inline constexpr std::string_view squares_end = ".in_sum2", counts_end = ".counts";

    inline void expect_sums(std::string_view file, std::string_view name, importance_sums const& s)
    {
        for (auto const* numbers : {&s.squares, &s.counts})
            for (float const x : *numbers)
                JACKPLANE_EXPECTS(x >= 0 && is_finite(x), format_error, one_line(file), ": tensor '", printable(name),
                                  "': expected sums and counts from 0, found ", x);
    }

    inline importance_matrix read_imatrix(file const& f)
    {
        importance_matrix m;
        m.datasets = f.metadata().get_or<std::vector<std::string>>("imatrix.datasets", {});
        m.chunk_count = f.metadata().get_or<std::uint32_t>("imatrix.chunk_count", 0);
        m.chunk_size = f.metadata().get_or<std::uint32_t>("imatrix.chunk_size", 0);
        for (tensor const* t : f.order())
        {
            if (!t->name.ends_with(squares_end))
                continue;
            std::string const name = t->name.substr(0, t->name.size() - squares_end.size());
            tensor const& counts = f.at(name + std::string(counts_end));
            if (t->type.id != f32::id || counts.type.id != f32::id || counts.cols() != 1 || counts.rows() != t->rows())
                reject({f.name(), counts.name, counts.offset}, text("F32 [", t->rows(), ", 1] beside F32 squares"),
                       text(counts.type.name, " ", safetensors::shape_text(counts.shape), " beside ", t->type.name));
            auto const squares = read(*t), numbers = read(counts);
            importance_sums sums{{squares.begin(), squares.end()}, {numbers.begin(), numbers.end()}};
            expect_sums(f.name(), name, sums);
            m.of.emplace(name, std::move(sums));
        }
        if (m.of.empty())
            reject({f.name(), "", 0}, text("tensors '<weight>", squares_end, "'"), "none");
        return m;
    }

    // The older form: i32 entries; of each i32 length, name, i32 calls, i32 columns, f32 sums; then i32 last chunk, i32
    // length, name of the dataset, where they are.
    class old_imatrix_reader
    {
    public:
        old_imatrix_reader(std::string_view file, std::span<std::byte const> bytes) : _file(file), _bytes(bytes) {}

        importance_matrix read()
        {
            importance_matrix m;
            auto const entries = natural("the number of entries", 12);
            for (std::size_t i = 0; i < entries; ++i)
            {
                std::size_t const at = _at;
                std::string const name = string();
                float const calls = static_cast<float>(natural("the number of calls", 0));
                importance_sums sums{std::vector<float>(natural("the number of columns", sizeof(float))), {calls}};
                auto const from = take(sums.squares.size() * sizeof(float), "sums");
                if (!from.empty())
                    std::memcpy(sums.squares.data(), from.data(), from.size());
                expect_sums(_file, name, sums);
                if (!m.of.emplace(name, std::move(sums)).second)
                    reject({_file, name, at}, "every name once", "another");
            }
            if (m.of.empty())
                reject({_file, "", 0}, "an importance matrix", "one of no entries");
            if (_at != _bytes.size())
            {
                m.chunk_count = static_cast<std::uint32_t>(natural("the last chunk", 0));
                m.datasets = {string()};
            }
            if (_at != _bytes.size())
                reject({_file, "", _at}, "the end of the file", text(_bytes.size() - _at, " bytes more"));
            return m;
        }

    private:
        std::span<std::byte const> take(std::size_t size, std::string_view what)
        {
            if (size > _bytes.size() - _at)
                reject({_file, "", _at}, text(size, " bytes of ", what),
                       text(_bytes.size() - _at, " up to the end of the file"));
            _at += size;
            return _bytes.subspan(_at - size, size);
        }
        // A number of things that take `each` bytes or more.
        std::size_t natural(std::string_view what, std::size_t each)
        {
            std::int32_t n;
            std::memcpy(&n, take(sizeof n, what).data(), sizeof n);
            std::size_t const most = each == 0 ? 0x7fffffffu : (_bytes.size() - _at) / each;
            if (n < 0 || static_cast<std::size_t>(n) > most)
                reject({_file, "", _at - sizeof n}, text(what, ", from 0 to ", most), text(n));
            return static_cast<std::size_t>(n);
        }
        std::string string()
        {
            auto const s = take(natural("the length of a name", 1), "a name");
            return {reinterpret_cast<char const*>(s.data()), s.size()};
        }

        std::string_view _file;
        std::span<std::byte const> _bytes;
        std::size_t _at = 0;
    };
}

namespace jackplane::inline v0::inline JACKPLANE_TARGET::gguf
{
    // Of either form. Throws format_error.
    inline importance_matrix parse_imatrix(std::span<std::byte const> bytes, std::string name)
    {
        std::string_view const all(reinterpret_cast<char const*>(bytes.data()), bytes.size());
        if (all.starts_with(detail::magic))
            return detail::read_imatrix(parse(bytes, std::move(name)));
        return detail::old_imatrix_reader(name, bytes).read();
    }
    inline importance_matrix open_imatrix(std::filesystem::path const& path)
    {
        mapped_file const map(path);
        return parse_imatrix(map.bytes(), path.string());
    }
    template <class = void>
    attempt<importance_matrix> try_open_imatrix(std::filesystem::path const& path)
    {
        return try_load([&] { return open_imatrix(path); });
    }

    // As a GGUF file; commits.
    inline void save_imatrix(atomic_file& out, importance_matrix const& m)
    {
        metadata about;
        about.set("general.type", std::string("imatrix"));
        about.set("imatrix.datasets", array(m.datasets));
        about.set("imatrix.chunk_count", m.chunk_count);
        about.set("imatrix.chunk_size", m.chunk_size);
        std::vector<item> items;
        for (auto const& [name, sums] : m.of)
        {
            std::uint64_t const matrices = sums.counts.size();
            items.push_back(item::of<f32>(name + std::string(detail::squares_end), {matrices, sums.columns()},
                                          std::as_bytes(std::span(sums.squares))));
            items.push_back(item::of<f32>(name + std::string(detail::counts_end), {matrices, 1},
                                          std::as_bytes(std::span(sums.counts))));
        }
        save(out, items, about);
    }
    inline void save_imatrix(std::filesystem::path const& path, importance_matrix const& m)
    {
        atomic_file out(path);
        save_imatrix(out, m);
    }

    // As the older form, which has one count for each weight: of several matrices it keeps the means. Commits.
    inline void save_old_imatrix(atomic_file& out, importance_matrix const& m)
    {
        detail::header_writer to;
        auto const add_text = [&](std::string const& s) { to.add(static_cast<std::int32_t>(s.size())), to.head += s; };
        to.add(static_cast<std::int32_t>(m.of.size()));
        for (auto const& [name, sums] : m.of)
        {
            float const count = sums.counts.size() == 1 ? sums.counts[0] : 0;
            bool const is_whole = count >= 1 && count < 0x1p24f && count == detail::nearbyint(count);
            add_text(name);
            to.add(is_whole ? static_cast<std::int32_t>(count) : std::int32_t{1});
            to.add(static_cast<std::int32_t>(sums.squares.size()));
            for (std::size_t matrix = 0; matrix < sums.counts.size(); ++matrix)
                for (float const x : is_whole ? sums.squares : sums.importance(matrix))
                    to.add(x);
        }
        to.add(static_cast<std::int32_t>(m.chunk_count));
        add_text(m.datasets.empty() ? "" : m.datasets.front());
        out.write(std::as_bytes(std::span(to.head)));
        out.commit();
    }
    inline void save_old_imatrix(std::filesystem::path const& path, importance_matrix const& m)
    {
        atomic_file out(path);
        save_old_imatrix(out, m);
    }
}
