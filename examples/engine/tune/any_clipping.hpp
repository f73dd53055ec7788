// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <jackplane/tune/clipping.hpp>
#include <jackplane/tune/rate.hpp>
#include <jackplane/tune/step.hpp>
#include <cstddef>
#include <functional>
#include <span>
#include <type_traits>
#include <variant>

// Policies that are chosen at run time. They decide once for each group or step; a type of its own for every
// combination would compile the loops over weights a hundred times.
namespace engine
{
    namespace detail
    {
        template <class... P>
        using scales_of =
            std::variant<jackplane::parent_scale<P>..., jackplane::mse_search<jackplane::parent_scale<P>>...>;
    }

    // How groups get their scales: any scheme with this kind of zero, for the width or its parent, searched or not.
    template <jackplane::zero_number Z>
    struct any_scale
    {
        using zero_type = Z;
        using choice =
            std::conditional_t<std::same_as<Z, jackplane::no_zero>,
                               detail::scales_of<jackplane::absmax, jackplane::gptq_symmetric, jackplane::full_range>,
                               detail::scales_of<jackplane::minmax<>>>;
        choice chosen{};

        template <jackplane::codebook C>
        jackplane::scale_and_zero operator()(std::span<float const> group, C const& book,
                                             std::span<float const> importance = {}) const
        {
            return std::visit([&](auto const& policy) { return policy(group, book, importance); }, chosen);
        }
    };

    // Found by clip_range, which learns the range of a policy that does not search.
    template <jackplane::zero_number Z, jackplane::codebook C>
    jackplane::parameter_pair range_slope(any_scale<Z> const& of, jackplane::value_range at,
                                          jackplane::scale_and_zero s, jackplane::scale_and_zero slope, C const& book)
    {
        return std::visit(
            [&](auto const& policy) -> jackplane::parameter_pair
            {
                if constexpr (requires { range_slope(policy, at, s, slope, book); })
                    return range_slope(policy, at, s, slope, book);
                else
                    jackplane::fail<jackplane::value_error>("the range of a searched scale has no slope");
            },
            of.chosen);
    }

    // What of a scale is learned.
    template <jackplane::zero_number Z>
    struct any_clipping
    {
        using zero_type = Z;
        using policy = any_scale<Z>;
        struct moves_zero : jackplane::adjust_scale<policy, !std::same_as<Z, jackplane::no_zero>> // if there is one
        {
        };
        using choice = std::variant<jackplane::clip_range<policy>, jackplane::clip_range<policy, jackplane::sigmoid>,
                                    jackplane::adjust_scale<policy>, moves_zero>;
        using group_type = std::variant<jackplane::value_range, jackplane::scale_and_zero>;
        choice chosen{};

        template <jackplane::codebook C>
        group_type start(std::span<float const> group, C const& book, std::span<float const> importance = {}) const
        {
            return std::visit([&](auto const& k) { return group_type(k.start(group, book, importance)); }, chosen);
        }
        jackplane::parameter_pair initial() const
        {
            return std::visit([](auto const& k) { return k.initial(); }, chosen);
        }
        template <jackplane::codebook C>
        jackplane::scale_and_zero scale(group_type const& of, jackplane::parameter_pair p, C const& book) const
        {
            return std::visit(
                [&]<class K>(K const& k) { return k.scale(std::get<typename K::group_type>(of), p, book); }, chosen);
        }
        template <jackplane::codebook C>
        jackplane::parameter_pair slope(group_type const& of, jackplane::parameter_pair p, jackplane::scale_and_zero s,
                                        jackplane::scale_and_zero along, C const& book) const
        {
            return std::visit([&]<class K>(K const& k)
                              { return k.slope(std::get<typename K::group_type>(of), p, s, along, book); },
                              chosen);
        }
        jackplane::parameter_pair limit(jackplane::parameter_pair p) const
        {
            return std::visit([&](auto const& k) { return k.limit(p); }, chosen);
        }
    };
    static_assert(jackplane::clipping<any_clipping<jackplane::no_zero>, jackplane::uniform<2, 8>>);
    static_assert(jackplane::clipping<any_clipping<jackplane::integer_zero>, jackplane::uniform<8>>);

    struct any_step
    {
        std::variant<jackplane::sign_step, jackplane::adam> chosen{};

        void operator()(std::span<float> v, std::span<float const> g, float rate)
        {
            std::visit([&](auto& step) { step(v, g, rate); }, chosen);
        }
    };
    struct any_rate
    {
        std::size_t steps;
        std::function<float(std::size_t)> at;

        template <jackplane::rate_schedule R>
        any_rate(R const& rate) : steps(rate.steps), at(rate)
        {
        }
        float operator()(std::size_t k) const { return at(k); }
    };
    static_assert(jackplane::update_step<any_step>);
}
