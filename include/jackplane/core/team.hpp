// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <exception>
#include <memory>
#include <thread>
#include <vector>
#include "parallel.hpp"

namespace jackplane::inline v0
{
    namespace detail
    {
        inline void pause() noexcept
        {
#if defined(__x86_64__) || defined(__i386__)
            __builtin_ia32_pause();
#elif defined(__aarch64__)
            asm volatile("yield");
#endif
        }

        // Waits until value is another than `old`: spins at first, since one product follows the next within
        // microseconds, then sleeps, since a core that spins through the rest of a token is taken from somebody. It may
        // be taken from the very thread that is awaited: where others are busy, two of a team share a core (measured: a
        // call of two takes 106 us without the yield, 6 us with it).
        inline void await_change(std::atomic<unsigned> const& value, unsigned old) noexcept
        {
            using clock = std::chrono::steady_clock;
            constexpr auto spin = std::chrono::microseconds(50);
            constexpr int looks = 64; // between two looks at the clock
            for (auto const begin = clock::now(); clock::now() - begin < spin; std::this_thread::yield())
                for (int i = 0; i < looks; ++i, pause())
                    if (value.load(std::memory_order_acquire) != old)
                        return;
            value.wait(old, std::memory_order_acquire);
        }
    }

    // Threads that stay from one call to the next: for a token's time. A copy is the same team. No thread is pinned; a
    // call allocates nothing. A call while the team is at work (from another thread, or from inside a body) runs on
    // the calling thread alone.
    class team
    {
    public:
        // count: threads that work in a call, the calling one included.
        explicit team(unsigned count = std::max(1u, std::thread::hardware_concurrency()))
            : m_all(std::make_shared<shared>(std::max(1u, count)))
        {
            for (std::size_t part = 1; part < m_all->failed.size(); ++part)
                m_all->others.emplace_back([all = m_all.get(), part] { all->serve(part); });
        }

        std::size_t size() const noexcept { return m_all->failed.size(); }

        template <class Body>
        void operator()(std::size_t n, Body&& body) const
        {
            shared& all = *m_all;
            std::size_t const parts = std::min(all.failed.size(), n);
            if (parts <= 1 || all.busy.test_and_set(std::memory_order_acquire))
                return serial{}(n, body);
            auto part_of = [&](std::size_t part) { body(n * part / parts, n * (part + 1) / parts); };
            all.run = [](void* work, std::size_t part) { (*static_cast<decltype(part_of)*>(work))(part); };
            all.work = &part_of;
            all.parts = parts;
            all.call();
            [[maybe_unused]] std::exception_ptr const first = all.first_failure();
            all.busy.clear(std::memory_order_release);
#if defined(__cpp_exceptions)
            if (first)
                std::rethrow_exception(first);
#endif
        }

    private:
        struct shared
        {
            explicit shared(std::size_t count) : failed(count) {}
            shared(shared const&) = delete;
            ~shared()
            {
                run = nullptr;
                start();
                for (std::thread& other : others)
                    other.join();
            }

            void start() noexcept
            {
                calls.fetch_add(1, std::memory_order_release);
                calls.notify_all();
            }

            void call() noexcept
            {
                working.store(static_cast<unsigned>(others.size()), std::memory_order_relaxed);
                start();
                do_part(0);
                while (unsigned const left = working.load(std::memory_order_acquire))
                    detail::await_change(working, left);
            }

            void serve(std::size_t part) noexcept
            {
                for (unsigned seen = 0;; ++seen) // the caller waits for all, so nobody falls behind by two calls
                {
                    detail::await_change(calls, seen);
                    if (run == nullptr)
                        return;
                    if (part < parts)
                        do_part(part);
                    if (working.fetch_sub(1, std::memory_order_acq_rel) == 1)
                        working.notify_one();
                }
            }

            void do_part(std::size_t part) noexcept
            {
#if defined(__cpp_exceptions)
                try
                {
                    run(work, part);
                }
                catch (...)
                {
                    failed[part] = std::current_exception();
                }
#else
                run(work, part);
#endif
            }

            std::exception_ptr first_failure() noexcept // in the order of ranges: the same every time
            {
                std::exception_ptr first;
                for (std::exception_ptr& failure : failed)
                {
                    if (!first)
                        first = failure;
                    failure = nullptr;
                }
                return first;
            }

            void (*run)(void* work, std::size_t part) = nullptr;
            void* work = nullptr;
            std::size_t parts = 0;
            std::vector<std::exception_ptr> failed; // one for each thread
            std::atomic_flag busy;
            alignas(64) std::atomic<unsigned> calls = 0;   // so far
            alignas(64) std::atomic<unsigned> working = 0; // others that have not ended their part
            std::vector<std::thread> others;
        };

        std::shared_ptr<shared> m_all;
    };
}
