// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "layer.hpp"
#include "tensors.hpp"

// The tensors of compressed-tensors, pack-quantized. Of a layer P, K inputs and N outputs, g columns a group:
//     P.weight_packed     I32 [N, ceil(K bits / 32)]   signed codes + 2^(bits - 1), along K
//     P.weight_scale      F16, BF16 or F32 [N, K / g]
//     P.weight_zero_point I32 [ceil(N bits / 32), K / g]   signed zeros + 2^(bits - 1), along N; none: all 2^(bits - 1)
//     P.weight_g_idx      I32 [K]   the group of each column, where they are ordered      P.weight_shape I64 [2]
// What is stored is the unsigned code and zero of ours: both are moved, so their difference stays.
namespace jackplane::inline v0::inline JACKPLANE_TARGET::words
{
    // compressed-tensors, pack-quantized.
    struct compressed_tensors
    {
        static constexpr char const* name() noexcept { return "pack-quantized"; }

        // Throws format_error, shape_error, width_error, value_error with the tensor and the numbers.
        template <unsigned B, scale_number S = half, class Tensors, parallel_policy Parallel = serial>
        static layer<B, S> read(Tensors const& from, std::string const& layer_name, settings const& s,
                                Parallel parallel = {})
        {
            detail::expect_bits(name(), layer_name, s.bits, B, widths);
            auto const& weights = detail::tensor_of(from, layer_name + ".weight_packed", name());
            auto const& shape = detail::tensor_of(from, layer_name + ".weight_shape", name());
            auto const whole = safetensors::read<std::int64_t>(shape, {2});
            if (whole[0] <= 0 || whole[1] <= 0 || whole[1] > std::int64_t{1} << 40)
                detail::refuse<shape_error>(name(), shape.name, whole[0], " x ", whole[1]);
            auto const rows = static_cast<std::size_t>(whole[0]), cols = static_cast<std::size_t>(whole[1]);
            layer<B, S> to;
            auto& q = to.codes;
            q.rows = rows, q.cols = cols, q.grid = detail::grid_of(s, cols);
            std::size_t const groups = q.grid.per_row;
            expect_whole_groups(weights.name, cols, q.grid.columns);
            auto const words = detail::read_words(weights, rows, ceil_div(cols * B, 32)); // so there are so many codes
            q.scales = detail::read<S>(detail::tensor_of(from, layer_name + ".weight_scale", name()), rows, groups);
            if (auto const* const index = from.find(layer_name + ".weight_g_idx"); index != nullptr)
                to.order = detail::order_of(*index, q.grid, cols, name());

            q.codes.resize(rows * cols);
            std::vector<std::size_t> const column = detail::columns_of(to.order, cols);
            detail::lines{rows, cols, true}.template unpack<stream_order>(
                words, B, parallel, [&](std::size_t n, std::size_t k, code c) { q.codes[n * cols + column[k]] = c; });
            q.zeros.assign(rows * groups, static_cast<integer_zero>(1u << (B - 1)));
            if (auto const* const zeros = from.find(layer_name + ".weight_zero_point"); zeros != nullptr)
                detail::lines{groups, rows, false}.template unpack<stream_order>(
                    detail::read_words(*zeros, ceil_div(rows * B, 32), groups), B, parallel,
                    [&](std::size_t g, std::size_t n, code z) { q.zeros[n * groups + g] = z; });
            else if (!s.symmetric)
                detail::refuse<format_error>(name(), layer_name + ".weight_zero_point",
                                             "there is none, but zeros are said to be stored");
            q.expect_whole(layer_name);
            return to;
        }

        // The tensors of a layer; of symmetric codes without zeros. Throws as read does where they do not hold it.
        template <unsigned B, scale_number S, parallel_policy Parallel = serial>
        static tensors write(std::string const& layer_name, layer<B, S> const& from, settings const& s,
                             Parallel parallel = {})
        {
            auto const& q = from.codes;
            detail::expect_layer(name(), layer_name, from, s, widths, 0);
            expect_whole_groups(layer_name, q.cols, q.grid.columns);
            std::size_t const groups = q.grid.per_row;
            std::vector<std::size_t> const column = detail::columns_of(from.order, q.cols);
            tensors to;
            to.add<std::int32_t>(
                layer_name + ".weight_packed", {q.rows, ceil_div(q.cols * B, 32)},
                detail::lines{q.rows, q.cols, true}.template pack<stream_order>(
                    B, parallel, [&](std::size_t n, std::size_t k) { return q.codes[n * q.cols + column[k]]; }));
            to.add<S>(layer_name + ".weight_scale", {q.rows, groups}, q.scales);
            if (!s.symmetric)
                to.add<std::int32_t>(
                    layer_name + ".weight_zero_point", {ceil_div(q.rows * B, 32), groups},
                    detail::lines{groups, q.rows, false}.template pack<stream_order>(
                        B, parallel, [&](std::size_t g, std::size_t n) { return q.zeros[n * groups + g]; }));
            if (!from.order.empty())
                to.add<std::int32_t>(layer_name + ".weight_g_idx", {q.cols},
                                     detail::index_of(from.order, q.grid, q.cols));
            std::array<std::int64_t, 2> const shape{static_cast<std::int64_t>(q.rows),
                                                    static_cast<std::int64_t>(q.cols)};
            to.add<std::int64_t>(layer_name + ".weight_shape", {2}, shape);
            return to;
        }

    private:
        static constexpr std::array widths{1u, 2u, 3u, 4u, 5u, 6u, 7u, 8u};

        static void expect_whole_groups(std::string_view where, std::size_t cols, std::size_t columns)
        {
            if (cols % columns != 0)
                detail::refuse<shape_error>(name(), where, cols, " columns in groups of ", columns,
                                            "; it holds whole groups");
        }
    };
}
