// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "accumulate.hpp"
#include "operands.hpp"

// How the library's own maps are multiplied: in parts, each of some rows.
namespace jackplane::inline v0::inline JACKPLANE_TARGET
{
    template <class A, class B>
    class sum;

    namespace detail
    {
        // Y += M X of a prepared x, cut into count() parts that any threads may do, with the same bits for any cut:
        // (first, last) does the parts [first, last), add_rows(first, last) some rows. Made before any thread starts,
        // it throws what a product may throw.
        //                                         packed, prefixed: multiply.hpp; csr, sum, any_prefixed: theirs
        template <class Arch, accumulator Acc, class M, class X>
        class product_parts;
        template <class Arch, accumulator Acc, class M, class X>
        product_parts<Arch, Acc, M, X> parts_of(M const& m, X const& x, matrix_view<float> y)
        {
            return {m, x, y};
        }
        template <class M>
        inline constexpr bool has_parts = false;

        template <class M>
        concept sum_of_maps = requires(M const& m)
        {
            []<class A, class B>(sum<A, B> const&) {}(m);
        };
    }

    // A map whose rows are multiplied one by one: multiply_rows takes it.
    template <class M>
    concept map_of_rows = detail::has_parts<M>;

    namespace detail
    {
        // What the library's own multiply_add takes: also a sum in which a map is somebody else's.
        template <class M>
        concept map_or_sum = map_of_rows<M> || sum_of_maps<M>;
    }
}
