// SPDX-License-Identifier: BSD-3-Clause
#include "formats.hpp"
#include <jackplane/multiply/multiply.hpp>
#include <variant>

namespace engine
{
    namespace
    {
        struct prepared_elsewhere
        {
            jackplane::exact_view x;

            jackplane::exact_view view() const noexcept { return x; }
            jackplane::exact_view floats() const noexcept { return x; }
            std::size_t cols() const noexcept { return x.cols; }
            std::size_t vectors() const noexcept { return x.vectors; }
        };
    }

    void multiply_other(jackplane::any_packed const& a, unsigned bits, jackplane::exact_view const& x,
                        jackplane::matrix_view<float> y, jackplane::team const& team)
    {
        auto const by = [&]<class M>([[maybe_unused]] M const& m)
        {
            if constexpr (!common_format<M>)
                multiply(m.prefix(bits), prepared_elsewhere{x}, y, team);
        };
        std::visit(by, a);
    }
}
