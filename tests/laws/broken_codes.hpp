// SPDX-License-Identifier: BSD-3-Clause
#pragma once
// A quantized matrix filled in by hand, and all the ways in which it cannot be one.
#include <functional>
#include <limits>
#include <string>
#include <vector>
#include <doctest/doctest.h>
#include <jackplane/quantize/quantized.hpp>

namespace laws
{
    template <class Q>
    struct broken
    {
        std::string what; // in the error
        bool is_shape;    // or a value
        std::function<void(Q&)> brk;
    };

    // 3 x 10 in groups of 4
    template <class C, class S, class Z>
    jackplane::quantized<C, S, Z> whole_codes()
    {
        using namespace jackplane;
        quantized<C, S, Z> q{{}, 3, 10, group_grid::of({4}, 10), {}, {}, {}};
        for (std::size_t i = 0; i < 30; ++i)
            q.codes.push_back(static_cast<code>(i % C::size));
        q.scales.assign(9, from_float<S>(0.5f));
        if constexpr (std::is_same_v<Z, integer_zero>)
            q.zeros.assign(9, 7);
        else if constexpr (zero_as_offset<Z>)
            q.zeros.assign(9, {from_float<typename Z::number_type>(-3.75f)});
        else if constexpr (!std::is_same_v<Z, no_zero>)
            q.zeros.assign(9, from_float<Z>(7.5f));
        return q;
    }

    template <class C, class S, class Z>
    std::vector<broken<jackplane::quantized<C, S, Z>>> broken_codes()
    {
        using namespace jackplane;
        using Q = quantized<C, S, Z>;
        float const infinity = std::numeric_limits<float>::infinity(), nan = std::numeric_limits<float>::quiet_NaN();
        std::vector<broken<Q>> all{
            {"26 codes", true, [](Q& q) { q.codes.resize(26); }},
            {"31 codes", true, [](Q& q) { q.codes.push_back(0); }},
            {"8 scales", true, [](Q& q) { q.scales.pop_back(); }},
            {"0 scales", true, [](Q& q) { q.scales.clear(); }},
            {"10 scales", true, [](Q& q) { q.scales.push_back(q.scales[0]); }},
            {"4 x 10", true, [](Q& q) { q.rows = 4; }},
            {"3 x 9", true, [](Q& q) { q.cols = 9; }},
            {" x 0 ", true, [](Q& q) { q.rows = std::numeric_limits<std::size_t>::max() / 2 + 1, q.cols = 0; }},
            {" x 2 ", true, // 2^64 codes
             [](Q& q)
             {
                 q = Q{{}, std::size_t{1} << 63, 2, group_grid::of({2}, 2), {}, {}, {}};
             }},
            {"groups of 0", true, [](Q& q) { q.grid.columns = 0; }},
            {"in 4 groups of 4", true, [](Q& q) { q.grid.per_row = 4; }},
            {"in 3 groups of 3", true, [](Q& q) { q.grid.columns = 3; }},
            {"with one scale", true, [](Q& q) { q.grid.whole_tensor = true; }},
            {"the scale of group 2 in row 1 is inf", false, [=](Q& q) { q.scales[5] = from_float<S>(infinity); }},
            {"the scale of group 0 in row 0 is nan", false, [=](Q& q) { q.scales[0] = from_float<S>(nan); }},
        };
        if constexpr (C::bits < 8)
        {
            unsigned const last = (1u << C::bits) - 1;
            all.push_back({"the code at row 2, column 9 is 200", false, [](Q& q) { q.codes.back() = 200; }});
            all.push_back({"the code at row 0, column 0 is ", false,
                           [=](Q& q) { q.codes.front() = static_cast<code>(last + 1); }});
        }
        if constexpr (!std::is_same_v<Z, no_zero>)
        {
            all.push_back({"8 zeros", true, [](Q& q) { q.zeros.pop_back(); }});
            all.push_back({"0 zeros", true, [](Q& q) { q.zeros.clear(); }});
        }
        else
            all.push_back({"1 zeros", true, [](Q& q) { q.zeros.emplace_back(); }});
        if constexpr (std::is_same_v<Z, real_zero>)
            all.push_back({"the zero of group 1 in row 2 is nan", false,
                           [=](Q& q) { q.zeros[7] = from_float<half>(nan); }});
        if constexpr (zero_as_offset<Z>)
            all.push_back({"the zero of group 0 in row 1 is inf", false,
                           [=](Q& q) { q.zeros[3].value = from_float<typename Z::number_type>(infinity); }});
        return all;
    }

    // take(q) refuses every broken q with a line that begins with `name` and says what is wrong, and takes a whole one.
    template <class C, class S, class Z, class Take>
    void refuses_broken_codes(std::string const& name, Take&& take)
    {
        auto const whole = whole_codes<C, S, Z>();
        CHECK_NOTHROW(take(whole));
        for (auto const& b : broken_codes<C, S, Z>())
        {
            auto q = whole;
            b.brk(q);
            CAPTURE(b.what);
            std::string error, kind;
            try
            {
                take(q);
            }
            catch (jackplane::shape_error const& e)
            {
                error = e.what(), kind = "shape";
            }
            catch (jackplane::value_error const& e)
            {
                error = e.what(), kind = "value";
            }
            CHECK(kind == (b.is_shape ? "shape" : "value"));
            CHECK(error.starts_with(name + ": "));
            CHECK(error.find(b.what) != std::string::npos);
        }
    }
}
