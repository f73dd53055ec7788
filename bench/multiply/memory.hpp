// SPDX-License-Identifier: BSD-3-Clause
#pragma once
// Large memory: on plain or on huge pages, and the sets of matrices in it.
#include <cstddef>
#include <functional>
#include <memory>
#include <string>

namespace bench
{
    void use_huge_pages(bool yes);
    bool uses_huge_pages();

    // On a cache line; with huge pages on 2 MiB, and the system is asked for them.
    std::shared_ptr<std::byte> allocate_bytes(std::size_t n);

    template <class T>
    std::shared_ptr<T> allocate(std::size_t n)
    {
        std::shared_ptr<std::byte> const memory = allocate_bytes(n * sizeof(T));
        return {memory, reinterpret_cast<T*>(memory.get())};
    }

    // Asks for huge pages, if they are used, where somebody else allocated.
    void advise(void* from, std::size_t n);

    // Sets of matrices stay from one benchmark to the next, in random order, as long as they fit; then the one that was
    // longest unused goes.
    void keep_at_most(std::size_t bytes);
    void forget_sets();
    std::shared_ptr<void const> keep(std::string const& name, std::size_t bytes,
                                     std::function<std::shared_ptr<void const>()> const& make);

    template <class T, class Make>
    std::shared_ptr<T const> set_of(std::string const& name, std::size_t bytes, Make make)
    {
        return std::static_pointer_cast<T const>(keep(name, bytes, make));
    }
}
