// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cstring>
#include "../../detach/csr.hpp"
#include "../arch/arch.hpp"
#if JACKPLANE_HAS_avx2
#include "strips.hpp"
#endif

// Which text multiplies a sparse matrix.
namespace jackplane::inline v0::inline JACKPLANE_TARGET
{
    namespace kernel
    {
        // Finite numbers as they are stored -> floats, in functions that carry the arch.
        template <class Arch>
        struct sparse_number
        {
            [[gnu::always_inline]] static float wide(float v) noexcept { return v; }
            [[gnu::always_inline]] static float wide(bfloat16 v) noexcept
            {
                return of_bits(std::uint32_t{v.bits} << 16);
            }
            [[gnu::always_inline]] static float wide(half v) noexcept
            {
                std::uint32_t const sign = (v.bits & 0x8000u) << 16, magnitude = v.bits & 0x7fffu;
                float const normal = of_bits(sign | ((magnitude << 13) + (112u << 23)));
                float const tiny = static_cast<float>(static_cast<std::int32_t>(magnitude)) * 0x1p-24f;
                return magnitude >= 0x400u ? normal : sign != 0 ? -tiny : tiny;
            }

        private:
            [[gnu::always_inline]] static float of_bits(std::uint32_t bits) noexcept
            {
                float v;
                std::memcpy(&v, &bits, sizeof v);
                return v;
            }
        };

        // y[r] += sum of values[i] x[columns[i]] over [row_pointers[r], row_pointers[r + 1]), rows [first, last): the
        // definition, and any machine's kernel. Products are exact, error <= (u + n 2^-53) sum |a x| with u = 2^-24.
        template <class Arch, scale_number T, column_number I>
        void add_rows(csr_view<T, I> const& a, float const* x, float* y, std::size_t first, std::size_t last,
                      common const&) noexcept
        {
            for (std::size_t row = first; row < last; ++row)
            {
                double sum = 0;
                for (std::size_t i = a.row_pointers[row]; i < a.row_pointers[row + 1]; ++i)
                    sum += static_cast<double>(sparse_number<Arch>::wide(a.values[i])) *
                           static_cast<double>(x[a.columns[i]]);
                y[row] += static_cast<float>(sum + (sum - sum)); // Inf - Inf is NaN
            }
        }

#if JACKPLANE_HAS_avx2
        template <class Arch, scale_number T, column_number I>
        void add_rows(csr_view<T, I> const& a, float const* x, float* y, std::size_t first, std::size_t last,
                      avx2 const&) noexcept
        {
            add_rows_in_strips<Arch>(a, x, y, first, last);
        }
        template <class Arch, scale_number T, column_number I> // 16 lanes with masks: no faster
        void add_rows(csr_view<T, I> const& a, float const* x, float* y, std::size_t first, std::size_t last,
                      avx512 const&) noexcept
        {
            add_rows_in_strips<Arch>(a, x, y, first, last);
        }
#endif
    }
}
