// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <utility>
#include "../detach/detach.hpp"
#include "sparse.hpp"
#include "sum.hpp"

namespace jackplane::inline v0::inline JACKPLANE_TARGET
{
    // A dense matrix, and the few weights that matter beside it (Kim et al., "SqueezeLLM", arXiv 2306.07629). The
    // sparse part holds the weights themselves, so it serves every width: their difference from the dense part is
    // formed here once for a width, in fp32 (4 bytes each, the only memory that a width costs). It is a sum, and
    // multiplied as one.
    template <dense_map D, scale_number T = half, column_number I = std::uint16_t>
    class dense_sparse : public sum<D, csr<float, I>>
    {
    public:
        // Throws shape_error when both differ in shape.
        dense_sparse(D dense, csr<T, I> weights)
            : sum<D, csr<float, I>>(dense, residuals(weights, dense)), m_weights(std::move(weights))
        {
        }

        csr<T, I> const& weights() const& noexcept { return m_weights; }
        csr<T, I> weights() && { return std::move(m_weights); }
        float at(std::size_t row, std::size_t col) const noexcept
        {
            return this->first().at(row, col) + this->second().at(row, col);
        }

        // The same sparse part beside the leading bits; a view of the planes, as theirs is; a temporary's owns them.
        auto prefix(unsigned bits) const& requires requires(D const& d) { d.prefix(bits); }
        {
            return dense_sparse<decltype(this->first().prefix(bits)), T, I>(this->first().prefix(bits), m_weights);
        }
        auto prefix(unsigned bits) const&& requires requires(D d) { D(d).prefix(bits); }
        {
            return dense_sparse<decltype(D(this->first()).prefix(bits)), T, I>(D(this->first()).prefix(bits),
                                                                               m_weights);
        }

    private:
        csr<T, I> m_weights;
    };

    // Of a product: the dense part at its width, values, indices and row pointers.
    template <dense_map D, scale_number T, column_number I>
    std::size_t bytes_read(dense_sparse<D, T, I> const& a) noexcept
    {
        return bytes_read(a.first()) + bytes_read(a.second());
    }
}
