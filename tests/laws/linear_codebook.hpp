// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <doctest/doctest.h>
#include <jackplane/quantize/codebook.hpp>

TEST_CASE_TEMPLATE_DEFINE("linear codebook: decode(q) == step * q + base", C, linear_codebook_law)
{
    static_assert(jackplane::linear_codebook<C>);
    for (unsigned q = 0; q < C::size; ++q)
        CHECK(C{}.decode(static_cast<jackplane::code>(q)) == C::step * static_cast<float>(q) + C::base);
}
