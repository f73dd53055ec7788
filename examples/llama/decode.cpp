// SPDX-License-Identifier: BSD-3-Clause
#include "decode.hpp"
#include <jackplane/multiply/dispatch.hpp>
#include <concepts>
#include <variant>

namespace llama
{
    namespace
    {
        using kernels = jackplane::dispatched;

        // What this engine's own files hold.
        template <class M>
        concept common_format =
            std::same_as<M, jackplane::packed<jackplane::bit_planes, jackplane::uniform<8>, jackplane::half>> ||
            std::same_as<M, jackplane::packed<jackplane::bit_planes, jackplane::uniform<8>, jackplane::half,
                                              jackplane::integer_zero>>;

        // The fp32 x in whatever was prepared.
        struct as_floats
        {
            jackplane::exact_view x;

            jackplane::exact_view view() const noexcept { return x; }
            jackplane::exact_view floats() const noexcept { return x; }
            std::size_t cols() const noexcept { return x.cols; }
            std::size_t vectors() const noexcept { return x.vectors; }
        };

        jackplane::exact_view floats_of(prepared_x const& x)
        {
            return std::visit([](auto const& ready) { return ready.floats(); }, x);
        }

        // y = A x: any format of a file, by kernels of this unit's flags
        template <class M>
        void multiply_as(M const& a, unsigned bits, prepared_x const& x, std::span<float> y, jackplane::team const& team)
        {
            multiply(a.prefix(bits), as_floats{floats_of(x)}, y, team);
        }
        // by the best kernels of the machine
        template <common_format M>
        void multiply_as(M const& a, unsigned bits, prepared_x const& x, std::span<float> y, jackplane::team const& team)
        {
            auto const by = [&](auto const& ready)
            { jackplane::multiply<jackplane::compensated, kernels>(a.prefix(bits), ready, y, team); };
            std::visit(by, x);
        }
    }

    char const* kernels_name() { return kernels::name(); }

    activation decoder::fitted(activation how, packed_model const& m)
    {
        auto const fit = [&](auto& a)
        {
            if constexpr (requires { a.group; })
                for (auto const& matrix : m.matrices)
                    if (matrix.is_packed)
                    {
                        auto const group = std::visit(
                            [](auto const& p) { return p.view().groups == 1 ? 0 : p.view().group; }, matrix.packed);
                        while (group % 32 == 0 && group % a.group != 0)
                            a.group /= 2;
                    }
        };
        std::visit(fit, how);
        return how;
    }

    void decoder::prepare(std::span<float const> x)
    {
        auto const by = [&]<class A>(A const& how)
        {
            using ready = typename A::prepared;
            if (!std::holds_alternative<ready>(_prepared))
                _prepared.emplace<ready>();
            how.template prepare<kernels>(x, std::get<ready>(_prepared));
        };
        std::visit(by, _how);
    }

    void decoder::product(std::size_t i, std::span<float> y)
    {
        packed_model::matrix const& m = _model->matrices[i];
        if (m.is_packed)
            return std::visit([&](auto const& a) { multiply_as(a, _bits, _prepared, y, _team); }, m.packed);
        jackplane::exact_view const x = floats_of(_prepared);
        linear(x.x, m.dense.data(), y.data(), 1, x.cols, y.size());
    }
}
