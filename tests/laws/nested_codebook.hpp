// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cmath>
#include <utility>
#include <doctest/doctest.h>
#include <jackplane/quantize/codebook.hpp>

namespace laws
{
    // The leading K bits decode within half the cell of the codes that they stand for.
    template <class C, unsigned K>
    void narrows_to()
    {
        using narrowed = typename C::template narrowed<K>;
        static_assert(jackplane::codebook<narrowed> && narrowed::bits == K);
        static_assert(narrowed::centre == C::centre); // the zero of symmetric schemes stays where it was
        constexpr unsigned dropped = C::bits - K;
        for (unsigned q = 0; q < C::size; ++q)
        {
            auto const decode = [](auto book, unsigned x) { return book.decode(static_cast<jackplane::code>(x)); };
            float const first = decode(C{}, q >> dropped << dropped);
            float const last = decode(C{}, (q >> dropped << dropped) + (1u << dropped) - 1);
            float const value = decode(narrowed{}, q >> dropped);
            CHECK(std::abs(value - decode(C{}, q)) <= (last - first) / 2);
        }
    }
}

TEST_CASE_TEMPLATE_DEFINE("nested codebook: narrowed forms decode within half their cell", C, nested_codebook_law)
{
    static_assert(jackplane::nested_codebook<C>);
    []<unsigned... K>(std::integer_sequence<unsigned, K...>) { (laws::narrows_to<C, K + 1>(), ...); }(
        std::make_integer_sequence<unsigned, C::bits>{});
}
