// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "layer.hpp"
#include "tensors.hpp"

// The tensors of GPTQ, which AutoRound and GPTQModel write, too, and of AWQ. Of a layer P, K inputs and N outputs, g
// columns a group:
//     P.qweight I32 [K bits / 32, N], codes along K; of AWQ [K, N bits / 32], along N
//     P.qzeros  I32 [ceil(K / g), N bits / 32], along N      P.scales F16 [ceil(K / g), N]
//     P.g_idx   I32 [K], the group of each column
namespace jackplane::inline v0::inline JACKPLANE_TARGET::words
{
    // Facts: below.
    template <class Facts>
    struct gptq_tensors
    {
        using order = typename Facts::order;
        static constexpr char const* name() noexcept { return Facts::name; }

        // Throws format_error, shape_error, width_error, value_error with the tensor and the numbers.
        template <unsigned B, scale_number S = half, class Tensors, parallel_policy Parallel = serial>
        static layer<B, S> read(Tensors const& from, std::string const& layer_name, settings const& s,
                                Parallel parallel = {})
        {
            detail::expect_bits(name(), layer_name, s.bits, B, Facts::widths);
            auto const& weights = detail::tensor_of(from, layer_name + ".qweight", name());
            auto const [height, width] = detail::sides(weights, name());
            std::size_t const packed = Facts::along_columns ? height : width;
            std::size_t const rows = Facts::along_columns ? width : packed * 32 / B;
            std::size_t const cols = Facts::along_columns ? packed * 32 / B : height;
            if (packed * 32 % B != 0 || rows * B % 32 != 0)
                detail::refuse<shape_error>(name(), weights.name, packed, " words of ", B, " bits, and ", rows,
                                            " zeros in words, are no whole codes");
            layer<B, S> to;
            auto& q = to.codes;
            q.rows = rows, q.cols = cols, q.grid = detail::grid_of(s, cols);
            std::size_t const groups = q.grid.per_row;
            auto const& scales = detail::tensor_of(from, layer_name + ".scales", name());
            q.scales = detail::transposed<S>(detail::read<S>(scales, groups, rows), groups, rows);
            if (auto const* const index = from.find(layer_name + ".g_idx"); index != nullptr)
                to.order = detail::order_of(*index, q.grid, cols, name());

            q.codes.resize(rows * cols);
            std::vector<std::size_t> const column = detail::columns_of(to.order, cols); // of the k-th input
            lines_of(rows, cols).template unpack<order>(
                detail::read_words(weights, height, width), B, parallel,
                [&](std::size_t line, std::size_t i, code c)
                { q.codes[row_of(line, i) * q.cols + column[column_of(line, i)]] = c; });
            q.zeros.resize(rows * groups);
            auto const& zeros = detail::tensor_of(from, layer_name + ".qzeros", name(),
                                                  "; it stores the zeros of symmetric codes, too");
            detail::lines{groups, rows, true}.template unpack<order>(
                detail::read_words(zeros, groups, rows * B / 32), B, parallel, [&](std::size_t g, std::size_t n, code z)
                { q.zeros[n * groups + g] = static_cast<integer_zero>((z + Facts::less) & ((1u << B) - 1)); });
            q.expect_whole(layer_name);
            return to;
        }

        // The tensors of a layer. Throws as read does where they do not hold it.
        template <unsigned B, scale_number S, parallel_policy Parallel = serial>
        static tensors write(std::string const& layer_name, layer<B, S> const& from, settings const& s,
                             Parallel parallel = {})
        {
            auto const& q = from.codes;
            detail::expect_layer(name(), layer_name, from, s, Facts::widths, Facts::less);
            if (q.rows % Facts::rows_in != 0 || q.cols % Facts::columns_in(q.grid) != 0)
                detail::refuse<shape_error>(name(), layer_name, q.rows, " x ", q.cols, "; it holds rows in ",
                                            Facts::rows_in, ", columns in ", Facts::columns_in(q.grid));
            if (!Facts::writes_index && !from.order.empty())
                detail::refuse<format_error>(name(), layer_name, "an order of columns; it holds none");
            std::size_t const groups = q.grid.per_row;
            std::vector<std::size_t> const column = detail::columns_of(from.order, q.cols);
            tensors to;
            auto const pack = [&](detail::lines const& all, auto&& code_at)
            { return all.template pack<order>(B, parallel, code_at); };
            to.add<std::int32_t>(layer_name + ".qweight",
                                 Facts::along_columns ? safetensors::extents{q.cols * B / 32, q.rows}
                                                      : safetensors::extents{q.cols, q.rows * B / 32},
                                 pack(lines_of(q.rows, q.cols), [&](std::size_t line, std::size_t i)
                                      { return q.codes[row_of(line, i) * q.cols + column[column_of(line, i)]]; }));
            to.add<std::int32_t>(layer_name + ".qzeros", {groups, q.rows * B / 32},
                                 pack({groups, q.rows, true}, [&](std::size_t g, std::size_t n)
                                      { return static_cast<code>(q.zeros[n * groups + g] - Facts::less); }));
            to.add<S>(layer_name + ".scales", {groups, q.rows}, detail::transposed<S>(q.scales, q.rows, groups));
            if (Facts::writes_index)
                to.add<std::int32_t>(layer_name + ".g_idx", {q.cols}, detail::index_of(from.order, q.grid, q.cols));
            return to;
        }

    private:
        static detail::lines lines_of(std::size_t rows, std::size_t cols) noexcept
        {
            return Facts::along_columns ? detail::lines{rows, cols, false} : detail::lines{cols, rows, true};
        }
        static std::size_t row_of(std::size_t line, std::size_t i) noexcept { return Facts::along_columns ? line : i; }
        static std::size_t column_of(std::size_t line, std::size_t i) noexcept
        {
            return Facts::along_columns ? i : line;
        }
    };

    // What tells them apart: the order of codes in words; whether a word holds codes of one row (along K) or of one
    // column; what is taken from a zero before it is stored; whether g_idx is written (it is read wherever it is); what
    // rows and columns must be multiples of. GPTQ stores z - 1: a zero of 0 cannot be told from 2^bits, so it is not
    // written; read, it is 0. AutoRound has a packing of its own, and one for readers of GPTQ.
    namespace facts
    {
        // AutoGPTQ's: zeros less 1.
        struct gptq
        {
            static constexpr char const* name = "gptq";
            using order = stream_order;
            static constexpr bool along_columns = true, writes_index = true;
            static constexpr unsigned less = 1;
            static constexpr std::array widths{2u, 3u, 4u, 8u};
            static constexpr std::size_t rows_in = 32;
            static constexpr std::size_t columns_in(group_grid const&) noexcept { return 32; }
        };
        // The same with zeros as they are.
        struct gptq_v2 : gptq
        {
            static constexpr char const* name = "gptq_v2";
            static constexpr unsigned less = 0;
        };
        // The same with codes as planes of 8, 4, 2 and 1 bits.
        struct gptq_p : gptq_v2
        {
            static constexpr char const* name = "gptq_p";
            using order = plane_order;
            static constexpr std::array widths{2u, 3u, 4u, 5u, 6u, 7u, 8u};
        };
        // AutoRound's for readers of GPTQ.
        struct auto_round_gptq : gptq
        {
            static constexpr char const* name = "auto_round:auto_gptq";
        };
        // AutoRound's own: columns are in place.
        struct auto_round : gptq_v2
        {
            static constexpr char const* name = "auto_round";
            static constexpr bool writes_index = false;
        };
        // AutoAWQ's ("gemm"): 4 bits along columns, even places first.
        struct awq : auto_round
        {
            static constexpr char const* name = "awq";
            using order = interleaved_order;
            static constexpr bool along_columns = false;
            static constexpr std::array widths{4u};
            static constexpr std::size_t rows_in = 8;
            static constexpr std::size_t columns_in(group_grid const& grid) noexcept { return grid.columns; }
        };
    }
    using gptq = gptq_tensors<facts::gptq>;
    using gptq_v2 = gptq_tensors<facts::gptq_v2>;
    using gptq_p = gptq_tensors<facts::gptq_p>;
    using auto_round = gptq_tensors<facts::auto_round>;
    using auto_round_gptq = gptq_tensors<facts::auto_round_gptq>;
    using awq = gptq_tensors<facts::awq>;
}
