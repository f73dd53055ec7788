// SPDX-License-Identifier: BSD-3-Clause
#include "decode.hpp"
#include <jackplane/detach/detach.hpp>
#include <jackplane/multiply/dispatch.hpp>
#include <jackplane/multiply/sparse.hpp>
#include "../pack/format/formats.hpp"
#include <algorithm>
#include <concepts>
#include <functional>
#include <variant>

namespace engine
{
    namespace
    {
        using kernels = jackplane::dispatched;

        jackplane::exact_view floats_of(prepared_x const& x)
        {
            return std::visit([](auto const& ready) { return ready.floats(); }, x);
        }

        // A matrix whose weights can be read: what reads them is compiled once, not for each format.
        struct weights_of
        {
            std::size_t row_count, col_count;
            std::function<float(std::size_t, std::size_t)> weight;

            std::size_t rows() const { return row_count; }
            std::size_t cols() const { return col_count; }
            float at(std::size_t row, std::size_t col) const { return weight(row, col); }
        };

        // Columns of one group; 0 when a row is one.
        std::size_t group_of(jackplane::any_packed const& a)
        {
            return std::visit([](auto const& m) { return m.view().groups == 1 ? 0 : m.view().group; }, a);
        }
    }

    char const* kernels_name() { return kernels::name(); }

    std::size_t matrices_in_fp32(packed_model const& m, activation const& how)
    {
        auto const count = [&]<class A>(A const&)
        {
            auto const reads_fp32 = []<class M>(M const& a)
            {
                if constexpr (common_format<M>)
                    return !jackplane::takes_integers<kernels>(a, typename A::prepared{});
                return true;
            };
            std::size_t sum = 0;
            if constexpr (requires { A::count; })
                for (packed_model::matrix const& each : m.matrices)
                    sum += each.is_packed && std::visit(reads_fp32, each.packed) ? 1 : 0;
            return sum;
        };
        return std::visit(count, how);
    }

    void decoder::open_widths()
    {
        JACKPLANE_EXPECTS(_bits.size() == _model->matrices.size(), jackplane::shape_error, _bits.size(), " widths for ",
                          _model->matrices.size(), " matrices");
        for (std::size_t i = 0; i < _bits.size(); ++i)
        {
            packed_model::matrix const& m = _model->matrices[i];
            any_residuals beside;
            auto const by = [&](auto const& a) -> weights_of
            {
                auto const dense = a.prefix(_bits[i]); // or an error
                return {dense.rows(), dense.cols(), [=](auto row, auto col) { return dense.at(row, col); }};
            };
            if (m.is_packed)
                if (auto const dense = std::visit(by, m.packed); m.sparse.nonzeros() != 0)
                    beside = m.sparse.visit([&](auto const& of) -> any_residuals { return residuals(of, dense); });
            _residuals.push_back(std::move(beside));
        }
    }

    activation decoder::fitted(activation how, packed_model const& m)
    {
        auto const fit = [&](auto& a)
        {
            if constexpr (requires { a.group; })
                for (packed_model::matrix const& matrix : m.matrices)
                    if (matrix.is_packed && group_of(matrix.packed) % 32 == 0) // others are read with fp32 x
                        while (group_of(matrix.packed) % a.group != 0)
                            a.group /= 2;
        };
        std::visit(fit, how);
        return how;
    }

    // bfloat16 is rounded here: machines that do not multiply pairs of them shall read the same x as those that do.
    void decoder::prepare(jackplane::matrix_view<float const> x)
    {
        auto const by = [&]<class A>(A const& how)
        {
            using ready = typename A::prepared;
            if (!std::holds_alternative<ready>(_prepared))
                _prepared.emplace<ready>();
            if constexpr (std::same_as<A, jackplane::bf16>)
            {
                _rounded.resize(x.rows * x.cols);
                std::transform(x.data, x.data + _rounded.size(), _rounded.begin(),
                               [](float v) { return jackplane::from_float<jackplane::bfloat16>(v); });
                jackplane::matrix_view<jackplane::bfloat16 const> const rounded{_rounded.data(), x.rows, x.cols};
                how.template prepare<kernels>(rounded, std::get<ready>(_prepared));
            }
            else
                how.template prepare<kernels>(x, std::get<ready>(_prepared));
        };
        std::visit(by, _how);
    }

    void decoder::product(std::size_t i, jackplane::matrix_view<float> y)
    {
        packed_model::matrix const& m = _model->matrices[i];
        auto const by = [&]<class M>(M const& a)
        {
            if constexpr (common_format<M>)
                std::visit([&](auto const& ready) { multiply<kernels>(a.prefix(_bits[i]), ready, y, _team); },
                           _prepared);
            else
                multiply_other(m.packed, _bits[i], floats_of(_prepared), y, _team);
        };
        std::visit(by, m.packed);
        auto const add = [&](auto const& beside, auto const& ready)
        {
            if (beside.nonzeros() != 0)
                multiply_add<kernels>(beside, ready, y, _team);
        };
        std::visit(add, _residuals[i], _prepared);
    }
}
