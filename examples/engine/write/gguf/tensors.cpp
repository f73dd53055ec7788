// SPDX-License-Identifier: BSD-3-Clause
#include "tensors.hpp"
#include "../../describe/gguf/layout.hpp"
#include "../../pack/format/storage.hpp"
#include <jackplane/store/gguf/types.hpp>
#include <algorithm>
#include <string_view>

namespace engine
{
    namespace
    {
        using jackplane::gguf::extents;
        using jackplane::gguf::item;
        constexpr std::uint32_t f32 = jackplane::gguf::f32::id;

        std::string_view type_name(std::uint32_t type)
        {
            auto const found = jackplane::gguf::find_type(type);
            return found ? found->name : "unknown";
        }

        // Of a type of numbers, which is what parameters without a matrix in blocks have (gguf_items::type_of).
        void give(std::uint32_t type, std::span<float const> values, jackplane::gguf::sink const& out)
        {
            bool given = false;
            jackplane::gguf::visit_type(type,
                                        [&]<class T>(T)
                                        {
                                            if constexpr (jackplane::gguf::plain_block<T>)
                                                give_as<typename T::element>(values, out), given = true;
                                        });
            JACKPLANE_EXPECTS(given, jackplane::format_error, values.size(), " numbers as ", type_name(type),
                              ", which is no type of numbers");
        }
    }

    gguf_items::gguf_items(model_source const& source, std::span<block_matrix const> matrices,
                           gguf_description const& about)
        : _source(source), _matrices(matrices), _about(about)
    {
        auto const& all = source.table().parameters();
        for (std::size_t i = 0; i < all.size(); ++i)
        {
            std::string const name = gguf_name_of(source.sizes(), all[i]);
            std::uint32_t const type = type_of(i);
            auto const [found, is_new] = _tensors.try_emplace(name, whole{type});
            if (is_new)
                _names.push_back(name);
            whole& t = found->second;
            t.parts.push_back(i);
            if (t.type == type)
                continue;
            parameter const& first = all[t.parts[0]];
            JACKPLANE_EXPECTS(matrix(i) == nullptr && matrix(t.parts[0]) == nullptr, jackplane::format_error,
                              "tensor '", name, "' has one type: ", first.name, " is ", type_name(t.type), ", ",
                              all[i].name, " is ", type_name(type));
            t.type = f32; // which holds half and BF16
        }
    }

    block_matrix const* gguf_items::matrix(std::size_t i) const
    {
        return i < _matrices.size() && !_matrices[i].empty() ? &_matrices[i] : nullptr;
    }

    bool gguf_items::is_matrix(std::size_t i) const
    {
        return i <= _source.table().tuned_parameters(); // the embedding is the first behind those
    }

    // Queries take what scores lack: at the norms of their heads, or at the matrix that makes them.
    double gguf_items::factor(parameter const& p) const
    {
        char const* const at = _source.sizes().block.head_norms ? ".q_norm." : ".q_proj.";
        return p.name.find(at) == p.name.npos ? 1 : _about.query_factor;
    }

    std::uint32_t gguf_items::type_of(std::size_t i) const
    {
        parameter const& p = _source.table().parameters()[i];
        if (block_matrix const* const m = matrix(i))
        {
            JACKPLANE_EXPECTS(is_matrix(i), jackplane::format_error, p.name, ": only matrices have blocks");
            auto const type = jackplane::gguf::find_type(m->type);
            auto const size = type ? jackplane::gguf::byte_size(*type, {p.rows, p.cols}) : std::nullopt;
            JACKPLANE_EXPECTS(m->rows == p.rows && m->cols == p.cols && size == m->bytes.size(), jackplane::shape_error,
                              p.name, ": ", m->bytes.size(), " bytes of ", m->rows, " x ", m->cols, " as ",
                              type_name(m->type), ", the model has ", p.rows, " x ", p.cols);
            JACKPLANE_EXPECTS(factor(p) == 1, jackplane::format_error, p.name,
                              ": llama.cpp scales scores by another "
                              "number than this model, so it has to be written dense");
            return m->type;
        }
        if (!is_matrix(i) || factor(p) != 1) // which would round it once more
            return f32;
        auto const w = values(i);
        return jackplane::gguf::find_type(jackplane::dtype_name(dense_type({w.data(), p.rows, p.cols})))->id;
    }

    std::vector<std::size_t> gguf_items::order(parameter const& p) const
    {
        std::size_t const heads = _about.pairs_side_by_side ? rotary_heads(_source.sizes(), p.name) : 0;
        std::size_t const rows = p.norm ? p.cols : p.rows, turned = heads == 0 ? 0 : rows / heads; // a bias is a column
        std::vector<std::size_t> all(heads * turned);
        for (std::size_t head = 0; head < heads; ++head)
            for (std::size_t i = 0; i < turned; ++i)
                all[head * turned + row_side_by_side(i, turned)] = head * turned + i;
        return all;
    }

    std::vector<float> gguf_items::values(std::size_t i) const
    {
        parameter const& p = _source.table().parameters()[i];
        std::vector<float> w(p.size());
        _source.read(p, w.data());
        float const shift = norm_shift_there(_source.sizes(), p.name);
        double const scale = factor(p);
        if (shift != 0 || scale != 1)
            for (float& each : w)
                each = static_cast<float>(scale * static_cast<double>(each + shift));
        auto const rows = order(p);
        if (rows.empty())
            return w;
        std::vector<float> moved(w.size());
        std::size_t const width = w.size() / rows.size();
        for (std::size_t row = 0; row < rows.size(); ++row)
            std::copy_n(w.begin() + static_cast<std::ptrdiff_t>(rows[row] * width), width,
                        moved.begin() + static_cast<std::ptrdiff_t>(row * width));
        return moved;
    }

    void gguf_items::fill(whole const& t, jackplane::gguf::sink const& out) const
    {
        for (std::size_t const i : t.parts)
        {
            block_matrix const* const m = matrix(i);
            if (m == nullptr)
            {
                give(t.type, values(i), out);
                continue;
            }
            auto const rows = order(_source.table().parameters()[i]);
            if (rows.empty())
                out(m->bytes);
            for (std::size_t const row : rows)
                out(m->row(row));
        }
    }

    extents gguf_items::shape_of(whole const& t) const
    {
        auto const& all = _source.table().parameters();
        parameter const& first = all[t.parts[0]];
        if (first.norm)
            return {first.cols};
        if (first.of_expert)
            return {t.parts.size(), first.rows, first.cols};
        std::size_t rows = 0;
        for (std::size_t const i : t.parts)
            rows += all[i].rows;
        return {rows, first.cols};
    }

    std::vector<item> gguf_items::items() const
    {
        std::vector<item> all;
        for (std::string const& name : _names)
        {
            whole const& t = _tensors.at(name);
            all.push_back({name, t.type, shape_of(t), {}, [this, &t](auto const& out) { fill(t, out); }});
        }
        for (auto const& [name, numbers] : _about.factors)
            all.push_back(item::of<jackplane::gguf::f32>(name, {numbers.size()}, std::as_bytes(std::span(numbers))));
        return all;
    }

    std::uint32_t gguf_items::commonest_type() const
    {
        std::map<std::uint32_t, std::uint64_t> weights;
        for (auto const& [name, t] : _tensors)
            for (std::size_t const i : t.parts)
                weights[t.type] += is_matrix(i) ? _source.table().parameters()[i].size() : 0;
        return std::max_element(weights.begin(), weights.end(),
                                [](auto const& a, auto const& b) { return a.second < b.second; })
            ->first;
    }
}
