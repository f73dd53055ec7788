// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "methods/rtn.hpp"
#include <cstddef>
#include <type_traits>
#include <utility>
#include <variant>
#if !defined(ENGINE_QUICK_BUILD)
#include "methods/awq.hpp"
#include "methods/efficientqat.hpp"
#include "methods/gptq.hpp"
#include "methods/matgptq.hpp"
#include "methods/mse.hpp"
#include "methods/nested_gptq.hpp"
#include "methods/omniquant.hpp"
#include "methods/qat.hpp"
#include "methods/signround.hpp"
#include "methods/squeezellm.hpp"
#include "methods/stored.hpp"
#endif

namespace engine
{
    // The list of methods, in the order in which a user is told of them. Each is a type with its settings:
    //     static constexpr method_facts facts
    //     void options(auto&& to)                 to(option, field) of each setting that it reads
    //     void run(job&) const                    makes the matrices of all layers
    // and, where it has something to say:
    //     void options_in_blocks(auto&& to)       of those, what it reads where matrices become blocks of a GGUF file
    //     void check(auto&& given, auto&& refuse) const              options that contradict each other
    //     bool keeps_codes() const                                   of a file, so that no weight may leave before
    //     void expect_possible(quantize_settings const&, bool) const throws; true: weights stand beside the planes
    //     std::vector<unsigned> widths, or tuning_settings tuning    of the latter, all that options() does not name
    //                                                                stays as it is
    //     static constexpr effort efforts[]                          names for several settings at once
    // The first is the quickest, because it looks at weights alone: it stands in for the others where many models are
    // tried (detach_model.cpp).
#if defined(ENGINE_QUICK_BUILD) // for the demo, which learns nothing
    using any_method = std::variant<rtn>;
#else
    using any_method = std::variant<rtn, mse, awq, gptq, matgptq, nested_gptq, signround, omniquant, efficientqat, qat,
                                    squeezellm, stored>;
#endif

    inline method_facts facts_of(any_method const& how)
    {
        return std::visit([]<class M>(M const&) { return M::facts; }, how);
    }
    // body(method with its usual settings) of each, in order
    template <class Body>
    void for_each_method(Body&& body)
    {
        [&]<std::size_t... I>(std::index_sequence<I...>) { (body(std::variant_alternative_t<I, any_method>{}), ...); }
        (std::make_index_sequence<std::variant_size_v<any_method>>{});
    }
    // Whether the list has any such method.
    template <class... M>
    constexpr bool has_any(std::type_identity<std::variant<M...>>, auto is)
    {
        return (is(M::facts) || ...);
    }
    inline constexpr bool some_learn =
        has_any(std::type_identity<any_method>{}, [](method_facts const& of) { return of.learns; });
    inline constexpr bool some_look_at_layers = has_any(
        std::type_identity<any_method>{}, [](method_facts const& of) { return of.looks_at == sight::layers; });
}
