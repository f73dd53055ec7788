// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "../pack/nested_model.hpp"
#include "job.hpp"
#include <concepts>

namespace engine
{
    // Of everything that decides what a run of this method becomes but the weights: its name, the settings that it
    // reads, and those of all methods.
    template <class Method>
    run_origin origin_of(Method how, job const& j)
    {
        run_origin all = j.origin();
        all.say(Method::facts.name);
        auto const say = [&]<class T>(auto const& of, T const& value)
        {
            all.say(of.name);
            if constexpr (std::same_as<T, given_model>)
                all.say(value.digest);
            else if constexpr (requires { value.begin(); })
                for (auto const& each : value)
                    all.say(each);
            else
                all.say(value);
        };
        how.options(say);
        if constexpr (requires { how.tuning; })
            all.say(how.tuning.seed);
        return all;
    }
}
