// SPDX-License-Identifier: BSD-3-Clause
#include "../laws/scale.hpp"
using namespace jackplane;
using laws::on;
using search_absmax = mse_search<absmax>;
using search_full = mse_search<full_range>;
using search_whole = mse_search<minmax<integer_zero>>;
using search_real = mse_search<minmax<real_zero>>;
using search_gptq = mse_search<gptq_symmetric>;

TEST_CASE_TEMPLATE_INVOKE(scale_law, on<uniform<1>, search_absmax>, on<uniform<2>, search_absmax>);
TEST_CASE_TEMPLATE_INVOKE(scale_law, on<uniform<4>, search_absmax>, on<uniform<8>, search_absmax>);
TEST_CASE_TEMPLATE_INVOKE(scale_law, on<nf4, search_absmax>, on<fp4, search_absmax>);
TEST_CASE_TEMPLATE_INVOKE(scale_law, on<uniform<1>, search_full>, on<uniform<3>, search_full>);
TEST_CASE_TEMPLATE_INVOKE(scale_law, on<uniform<5>, search_full>, on<uniform<8>, search_full>);
TEST_CASE_TEMPLATE_INVOKE(scale_law, on<nf4, search_full>, on<fp4, search_full>);
TEST_CASE_TEMPLATE_INVOKE(scale_law, on<uniform<1>, search_whole>, on<uniform<2>, search_whole>);
TEST_CASE_TEMPLATE_INVOKE(scale_law, on<uniform<6>, search_whole>, on<uniform<8>, search_whole>);
TEST_CASE_TEMPLATE_INVOKE(scale_law, on<uniform<1>, search_real>, on<uniform<4>, search_real>);
TEST_CASE_TEMPLATE_INVOKE(scale_law, on<uniform<7>, search_real>, on<nf4, search_real>, on<fp4, search_real>);
TEST_CASE_TEMPLATE_INVOKE(scale_law, on<uniform<2>, search_gptq>, on<uniform<8>, search_gptq>);
TEST_CASE_TEMPLATE_INVOKE(scale_law, on<uniform<2, 8>, mse_search<parent_scale<minmax<>>>>,
                          on<uniform<3, 8>, parent_scale<search_full>>);

namespace
{
    // sum of importance * (w - scale (decode(encode(w / scale + zero)) - zero))^2, in double
    template <class C>
    double squared_error(std::vector<float> const& w, C const& book, std::vector<float> const& importance,
                         scale_and_zero s)
    {
        double sum = 0;
        for (std::size_t i = 0; i < w.size(); ++i)
        {
            double const decoded = book.decode(book.encode(w[i] / s.scale + s.zero));
            double const error = w[i] - s.scale * (decoded - s.zero);
            sum += (importance.empty() ? 1.0 : static_cast<double>(importance[i])) * error * error;
        }
        return sum;
    }
    struct group_and_importance
    {
        std::vector<float> w, importance;
    };
    group_and_importance draw(laws::sequence& next, std::size_t n)
    {
        group_and_importance g{std::vector<float>(n), std::vector<float>(n)};
        for (float& x : g.w)
            x = next.bell() * (next() % 16 == 0 ? 6.0f : 1.0f);
        for (float& x : g.importance)
            x = next() % 8 == 0 ? 0.0f : next.unit() * 100;
        return g;
    }
}

TEST_CASE_TEMPLATE("mse_search is never worse than its base, weighted or not, and often better", T,
                   on<uniform<2>, absmax>, on<uniform<3>, full_range>, on<uniform<4>, minmax<integer_zero>>,
                   on<uniform<2>, minmax<real_zero>>, on<nf4, absmax>, on<fp4, full_range>)
{
    using P = typename T::policy;
    typename T::book const book{};
    laws::sequence next{33};
    int better = 0;
    for (int trial = 0; trial < 40; ++trial)
    {
        auto const [w, importance] = draw(next, 64);
        for (std::vector<float> const& weighted : {std::vector<float>{}, importance})
        {
            // Each term is compared after rounding to float at most twice, so sums that differ by less than a factor of
            // (1 + u)^4 may be mistaken for each other; u = 2^-24.
            double const base = squared_error(w, book, weighted, P{}(w, book, weighted));
            double const found = squared_error(w, book, weighted, mse_search<P>{}(w, book, weighted));
            CHECK(found <= base * (1 + 0x1p-21));
            better += found < base * 0.99;
        }
    }
    CHECK(better > 0);
}

TEST_CASE("mse_search finds the best of its own steps, and never looks below the narrowest")
{
    laws::sequence next{8};
    for (int trial = 0; trial < 10; ++trial)
    {
        auto const [w, importance] = draw(next, 32);
        mse_search<absmax> const search{.steps = 16, .narrowest = 0.5f};
        float const widest = absmax{}(w, uniform<2>{}).scale;
        scale_and_zero const found = search(w, uniform<2>{}, importance);
        double least = std::numeric_limits<double>::infinity();
        for (unsigned k = 0; k <= 16; ++k) // k / 16 and these products of it are exact
            least = std::min(least, squared_error(w, uniform<2>{}, importance,
                                                  {widest * (1 - 0.5f * static_cast<float>(k) / 16), 2}));
        CHECK(squared_error(w, uniform<2>{}, importance, found) <= least * (1 + 0x1p-21));
        CHECK(found.scale >= widest * 0.5f);
        CHECK(found.scale <= widest);
    }
}

TEST_CASE("importance decides: an outlier that does not matter does not widen the scale")
{
    std::vector<float> w, matters;
    laws::sequence next{12};
    for (int i = 0; i < 64; ++i)
        w.push_back(next.bell()), matters.push_back(1);
    w[10] = 12;
    float const all = mse_search<absmax>{}(w, uniform<4>{}, matters).scale;
    matters[10] = 0;
    float const others = mse_search<absmax>{}(w, uniform<4>{}, matters).scale;
    CHECK(others < all * 0.75f);
    matters[10] = 1e6f;
    float const outlier = mse_search<absmax>{}(w, uniform<4>{}, matters).scale;
    CHECK(std::abs(outlier * std::round(12 / outlier) - 12) < 0.1f);
    CHECK(outlier > others);
}

TEST_CASE("importance reaches the policy row by row, or one row for all")
{
    laws::sample const w = laws::weights(6, 50, 2), per_element = laws::importance(6, 50, 3),
                       per_column = laws::importance(1, 50, 4);
    for (auto const* matters : {&per_element, &per_column})
    {
        auto const q = quantize<float>(w.view(), uniform<3>{}, mse_search<full_range>{}, group{16}, nearest{},
                                       independent{}, {.importance = matters->view()});
        for (std::size_t row = 0; row < 6; ++row)
            for (std::size_t first = 0; first < 50; first += 16)
            {
                std::size_t const n = std::min<std::size_t>(16, 50 - first);
                scale_and_zero const s =
                    mse_search<full_range>{}(w.view().row(row).subspan(first, n), uniform<3>{},
                                             matters->view().row(matters->rows == 1 ? 0 : row).subspan(first, n));
                CHECK(q.scale_at(row, first) == s.scale);
            }
    }
}

TEST_CASE("zero importance everywhere keeps the base's scale")
{
    std::vector<float> const w{1, -2, 3}, nothing(3, 0.0f);
    CHECK(mse_search<absmax>{}(w, uniform<4>{}, nothing).scale == absmax{}(w, uniform<4>{}).scale);
}
