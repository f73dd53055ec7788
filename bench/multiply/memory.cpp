// SPDX-License-Identifier: BSD-3-Clause
#include "memory.hpp"
#include <cstdint>
#include <list>
#include <new>
#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace bench
{
    namespace
    {
        constexpr std::size_t huge_page = std::size_t{2} << 20;
        bool huge = false;

        struct kept
        {
            std::string name;
            std::size_t bytes;
            std::shared_ptr<void const> set;
        };
        std::list<kept> sets; // the last used first
        std::size_t budget = std::size_t{2} << 30;
    }

    void use_huge_pages(bool yes) { huge = yes; }
    bool uses_huge_pages() { return huge; }

    void advise([[maybe_unused]] void* from, [[maybe_unused]] std::size_t n)
    {
#if defined(MADV_HUGEPAGE)
        auto const begin = reinterpret_cast<std::uintptr_t>(from);
        std::uintptr_t const first = (begin + huge_page - 1) / huge_page * huge_page;
        std::uintptr_t const last = (begin + n) / huge_page * huge_page;
        if (huge && first < last)
            madvise(reinterpret_cast<void*>(first), last - first, MADV_HUGEPAGE); // refused: plain pages
#endif
    }

    std::shared_ptr<std::byte> allocate_bytes(std::size_t n)
    {
        std::align_val_t const alignment{huge && n >= huge_page ? huge_page : 64};
        auto* const memory = static_cast<std::byte*>(::operator new(n, alignment));
        advise(memory, n);
        return {memory, [alignment](std::byte* p) { ::operator delete(p, alignment); }};
    }

    void keep_at_most(std::size_t bytes) { budget = bytes; }
    void forget_sets() { sets.clear(); }

    std::shared_ptr<void const> keep(std::string const& name, std::size_t bytes,
                                     std::function<std::shared_ptr<void const>()> const& make)
    {
        for (auto it = sets.begin(); it != sets.end(); ++it)
            if (it->name == name)
            {
                sets.splice(sets.begin(), sets, it);
                return it->set;
            }
        std::size_t all = bytes;
        for (kept const& k : sets)
            all += k.bytes;
        for (; !sets.empty() && all > budget; sets.pop_back())
            all -= sets.back().bytes;
        sets.push_front({name, bytes, make()});
        return sets.front().set;
    }
}
