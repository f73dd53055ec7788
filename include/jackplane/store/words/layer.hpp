// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>
#include "../../core/parallel.hpp"
#include "../../quantize/quantized.hpp"
#include "../../quantize/scale.hpp"
#include "../safetensors.hpp"
#include "../safetensors_write.hpp"
#include "order.hpp"

// A linear layer out of a checkpoint whose codes lie in 32-bit words: the GPTQ family.
namespace jackplane::inline v0::inline JACKPLANE_TARGET::words
{
    // What a checkpoint says of its layers; config.hpp reads and writes it.
    struct settings
    {
        std::string format; // the name of a format: "gptq"
        unsigned bits = 4;
        std::size_t group = 128; // columns that share a scale; 0: all of a row
        bool symmetric = true;   // every zero is 2^(bits - 1); a file may leave them out
        bool act_order = false;  // columns are grouped by importance, not by place

        friend bool operator==(settings const&, settings const&) = default;
    };

    // y[n] = sum over k of  scale (code[n, k] - zero) x[order[k]]
    template <unsigned B, scale_number S = half>
    struct layer
    {
        quantized<uniform<B>, S, integer_zero> codes; // [N, K], columns that share a scale side by side
        std::vector<std::uint32_t> order; // [K], of a checkpoint with act-order; empty: column k multiplies x[k]
    };

    // The columns of each vector in another order: x of a layer with an order, permuted once for all layers that have
    // the same one. x, out [n, K].
    //     words::permute(x, layer.order, into);     multiply(pack<planes<4>>(layer.codes), into, y);
    template <class T>
    void permute(matrix_view<T const> x, std::span<std::uint32_t const> order, matrix_view<T> out)
    {
        JACKPLANE_EXPECTS(x.rows == out.rows && x.cols == out.cols && (order.empty() || order.size() == x.cols),
                          shape_error, "permute ", x.rows, " x ", x.cols, " by ", order.size(), " places into ",
                          out.rows, " x ", out.cols);
        for (std::size_t n = 0; n < x.rows; ++n)
            for (std::size_t k = 0; k < x.cols; ++k)
                out(n, k) = x(n, order.empty() ? k : order[k]);
    }
    inline std::vector<float> permuted(std::span<float const> x, std::span<std::uint32_t const> order)
    {
        std::vector<float> out(x.size());
        permute<float>({x.data(), 1, x.size()}, order, {out.data(), 1, out.size()});
        return out;
    }

    // Where groups are whole and only stand in another order than in x, puts them into that of x; then
    // `order` is empty. Others stay.
    template <unsigned B, scale_number S>
    void order_groups(layer<B, S>& l)
    {
        auto& q = l.codes;
        std::size_t const width = q.grid.columns;
        for (std::size_t k = 0; k < l.order.size(); ++k)
            if (l.order[k] != l.order[k - k % width] + k % width || l.order[k] % width != k % width)
                return;
        layer<B, S> const from = l;
        for (std::size_t n = 0; n < q.rows; ++n)
            for (std::size_t k = 0; k < l.order.size(); ++k)
            {
                q.codes[n * q.cols + l.order[k]] = from.codes.codes[n * q.cols + k];
                q.scales[q.grid.at(n, l.order[k])] = from.codes.scales[q.grid.at(n, k)];
                q.zeros[q.grid.at(n, l.order[k])] = from.codes.zeros[q.grid.at(n, k)];
            }
        l.order.clear();
    }

    // Symmetric codes with their zero written out.
    template <unsigned B, scale_number S>
    quantized<uniform<B>, S, integer_zero> with_zeros(quantized<uniform<B>, S> q)
    {
        aligned_vector<integer_zero> zeros(q.scales.size(), static_cast<integer_zero>(1u << (B - 1)));
        return {q.book, q.rows, q.cols, q.grid, std::move(q.codes), std::move(q.scales), std::move(zeros)};
    }

    namespace detail
    {
        // The one line of errors here: a layer or one of its tensors, and what its format does not hold.
        template <class E, class... Args>
        [[noreturn]] void refuse(std::string_view format, std::string_view name, Args const&... what)
        {
            fail<E>(text("'", jackplane::detail::printable(name), "', ", format, ": ", what...));
        }

        // Tensors: what has find(name) -> safetensors::tensor const*, null where there is none; safetensors::file does.
        // more: what is said of a missing one, too.
        template <class Tensors>
        safetensors::tensor const& tensor_of(Tensors const& from, std::string const& name, std::string_view format,
                                             std::string_view more = {})
        {
            safetensors::tensor const* const t = from.find(name);
            if (t == nullptr)
                refuse<format_error>(format, name, "there is no such tensor", more);
            return *t;
        }
        // [rows, cols] of a tensor that must have two dimensions. What follows takes time and memory as its bytes do.
        inline std::pair<std::size_t, std::size_t> sides(safetensors::tensor const& t, std::string_view format)
        {
            if (t.shape.size() != 2 || t.size == 0)
                refuse<shape_error>(format, t.name, "a matrix wanted, found shape ", safetensors::shape_text(t.shape));
            return {static_cast<std::size_t>(t.shape[0]), static_cast<std::size_t>(t.shape[1])};
        }
        template <class T>
        aligned_vector<T> read(safetensors::tensor const& t, std::size_t rows, std::size_t cols)
        {
            return safetensors::read<T>(t, {rows, cols});
        }
        inline aligned_vector<std::uint32_t> read_words(safetensors::tensor const& t, std::size_t rows,
                                                        std::size_t cols)
        {
            auto const signed_words = read<std::int32_t>(t, rows, cols);
            aligned_vector<std::uint32_t> all(signed_words.size());
            std::transform(signed_words.begin(), signed_words.end(), all.begin(),
                           [](std::int32_t w) { return static_cast<std::uint32_t>(w); });
            return all;
        }

        // Words [words of a line, lines] or, lines_first, [lines, words of a line]; body(line, place, code) for each
        // code.
        struct lines
        {
            std::size_t count, length; // lines; codes of one
            bool lines_first;

            std::size_t words(unsigned bits) const noexcept { return ceil_div(length * bits, 32); }
            std::size_t stride() const noexcept { return lines_first ? 1 : count; }
            std::size_t start(std::size_t line, unsigned bits) const noexcept
            {
                return lines_first ? line * words(bits) : line;
            }
            template <class Order, class Body, parallel_policy Parallel>
            void unpack(std::span<std::uint32_t const> from, unsigned bits, Parallel& parallel, Body&& body) const
            {
                parallel(count,
                         [&](std::size_t first, std::size_t last)
                         {
                             for (std::size_t line = first; line < last; ++line)
                                 for (std::size_t i = 0; i < length; ++i)
                                     body(line, i,
                                          read_code<Order>(from.data() + start(line, bits), stride(), bits, i));
                         });
            }
            template <class Order, class Code, parallel_policy Parallel>
            aligned_vector<std::uint32_t> pack(unsigned bits, Parallel& parallel, Code&& code_at) const
            {
                aligned_vector<std::uint32_t> to(count * words(bits));
                parallel(count,
                         [&](std::size_t first, std::size_t last)
                         {
                             for (std::size_t line = first; line < last; ++line)
                                 for (std::size_t i = 0; i < length; ++i)
                                     write_code<Order>(to.data() + start(line, bits), stride(), bits, i,
                                                       code_at(line, i));
                         });
                return to;
            }
        };

        // [rows, cols] -> [cols, rows]
        template <class T>
        aligned_vector<T> transposed(std::span<T const> m, std::size_t rows, std::size_t cols)
        {
            aligned_vector<T> to(m.size());
            for (std::size_t r = 0; r < rows; ++r)
                for (std::size_t c = 0; c < cols; ++c)
                    to[c * rows + r] = m[r * cols + c];
            return to;
        }

        // The grid that a format gives a row of so many columns.
        inline group_grid grid_of(settings const& s, std::size_t cols)
        {
            return group_grid::of(s.group == 0 ? group::per_row() : group{s.group}, cols);
        }

        // A file names the group of every column: sorts them, so that groups lie side by side. Empty where they do.
        inline std::vector<std::uint32_t> order_of(safetensors::tensor const& t, group_grid const& grid,
                                                   std::size_t cols, std::string_view format)
        {
            auto const of = safetensors::read<std::int32_t>(t, {cols});
            std::vector<std::size_t> next(grid.per_row); // first the size of a group, then where its next column goes
            for (std::size_t k = 0; k < cols; ++k)
            {
                if (of[k] < 0 || static_cast<std::size_t>(of[k]) >= grid.per_row)
                    refuse<value_error>(format, t.name, "column ", k, " is in group ", of[k], " of ", grid.per_row);
                ++next[static_cast<std::size_t>(of[k])];
            }
            for (std::size_t g = 0; g < grid.per_row; ++g)
            {
                std::size_t const wanted = std::min(grid.columns, cols - g * grid.columns);
                if (next[g] != wanted)
                    refuse<value_error>(format, t.name, "group ", g, " has ", next[g], " columns, not ", wanted);
                next[g] = g * grid.columns;
            }
            std::vector<std::uint32_t> order(cols);
            for (std::size_t k = 0; k < cols; ++k)
                order[next[static_cast<std::size_t>(of[k])]++] = static_cast<std::uint32_t>(k);
            return std::is_sorted(order.begin(), order.end()) ? std::vector<std::uint32_t>{} : order;
        }
        inline std::vector<std::int32_t> index_of(std::span<std::uint32_t const> order, group_grid const& grid,
                                                  std::size_t cols)
        {
            std::vector<std::int32_t> groups(cols);
            for (std::size_t k = 0; k < cols; ++k)
                groups[order.empty() ? k : order[k]] = static_cast<std::int32_t>(k / grid.columns);
            return groups;
        }
        // Throws value_error unless it is empty or each place once.
        inline void expect_permutation(std::span<std::uint32_t const> order, std::size_t cols, std::string_view format,
                                       std::string_view name)
        {
            std::vector<bool> seen(cols);
            bool is_whole = order.empty() || order.size() == cols;
            for (std::uint32_t const k : order)
            {
                is_whole = is_whole && k < cols && !seen[k];
                if (is_whole)
                    seen[k] = true;
            }
            if (!is_whole)
                refuse<value_error>(format, name, "an order of ", order.size(), " places is no permutation of ", cols,
                                    " columns");
        }
        // The column of the codes that holds the k-th input.
        inline std::vector<std::size_t> columns_of(std::span<std::uint32_t const> order, std::size_t cols)
        {
            std::vector<std::size_t> column(cols);
            for (std::size_t k = 0; k < cols; ++k)
                column[order.empty() ? k : order[k]] = k;
            return column;
        }

        // What every format asks of what it reads and writes.
        inline void expect_bits(std::string_view format, std::string_view name, unsigned bits, unsigned as,
                                std::span<unsigned const> held)
        {
            if (bits != as)
                refuse<width_error>(format, name, "codes of ", bits, " bits read as ", as);
            std::string list;
            for (unsigned const each : held)
                list += text(list.empty() ? "" : ", ", each);
            if (std::find(held.begin(), held.end(), bits) == held.end())
                refuse<width_error>(format, name, "codes of ", bits, " bits; it holds ", list);
        }
        // A layer to be written is what the settings, which stand for all layers, say it is.
        template <unsigned B, scale_number S>
        void expect_layer(std::string_view format, std::string_view name, layer<B, S> const& l, settings const& s,
                          std::span<unsigned const> widths, unsigned least_zero)
        {
            expect_bits(format, name, s.bits, B, widths);
            auto const& q = l.codes;
            q.expect_whole(name);
            if (q.grid.whole_tensor || q.grid.columns != grid_of(s, q.cols).columns)
                refuse<shape_error>(format, name, "groups of ", q.grid.columns, " columns",
                                    q.grid.whole_tensor ? " and all rows" : "", "; the settings say ",
                                    grid_of(s, q.cols).columns);
            expect_permutation(l.order, q.cols, format, name);
            if (!s.act_order && !l.order.empty())
                refuse<value_error>(format, name, "an order of columns; the settings say none");
            unsigned const least = s.symmetric ? 1u << (B - 1) : least_zero, most = s.symmetric ? least : (1u << B) - 1;
            for (std::size_t i = 0; i < q.zeros.size(); ++i)
                if (q.zeros[i] < least || q.zeros[i] > most)
                    refuse<value_error>(format, name, "the zero of group ", i % q.grid.per_row, " in row ",
                                        i / q.grid.per_row, " is ", q.zeros[i], "; it holds ", least, " to ", most,
                                        s.symmetric ? " where all are symmetric" : "");
        }
    }
}
