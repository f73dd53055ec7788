// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <jackplane/store/digest.hpp>
#include "../describe/settings_file.hpp"
#include <span>
#include <string>

namespace engine
{
    // Everything that decides what a long run becomes, as a digest: whoever runs says it.
    class run_origin
    {
    public:
        // Settings, each in words of their own.
        template <class... P>
        run_origin& say(P const&... parts)
        {
            return add(std::span<char const>(text(parts..., "\n")));
        }
        template <class T>
        run_origin& add(std::span<T const> values)
        {
            _all.add(std::as_bytes(values));
            return *this;
        }
        std::string text_of() const { return _all.text(); }

    private:
        jackplane::digest _all;
    };
}
