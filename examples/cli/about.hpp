// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <jackplane/core/check.hpp>
#include <jackplane/store/reject.hpp>
#include <string>
#include <utility>

namespace cli
{
    // What body() gives. An error about numbers names the file that they come from, too; `other`, it may name already.
    template <class Body>
    decltype(auto) about(std::string const& file, Body&& body, std::string const& other = {})
    {
        try
        {
            return std::forward<Body>(body)();
        }
        catch (jackplane::value_error const& e)
        {
            std::string const name = jackplane::detail::one_line(file), said = e.what();
            if (said.starts_with(name) || (!other.empty() && said.starts_with(jackplane::detail::one_line(other))))
                throw;
            throw jackplane::value_error(name + ": " + said);
        }
    }
}
