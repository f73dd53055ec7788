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
#include "pin.hpp"

namespace jackplane::inline v0::inline JACKPLANE_TARGET
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

    // How a team is made.
    struct team_options
    {
        // The nth thread stays on the nth of the CPUs that the thread which makes the team may use: where two CPUs are
        // one core, let taskset choose one of each. On machines of several nodes, what a pinned team packs lies in the
        // memory of the node that will multiply it: both split the panels alike. On a single node of two CPUs products
        // take the same time, pinned or not.
        bool pin = false;
    };

    // Threads that stay from one call to the next: for a token's time. A copy is the same team. A call allocates
    // nothing. A call while the team is at work (from another thread, or from inside a body) runs on the calling thread
    // alone. Every thread has a range of its own, cut into pieces, and helps the others with theirs
    // when it is done: cores are rarely all as fast as the first. A call waits for pieces that have begun, never for a
    // thread that has not come yet: other processes may hold its core.
    class team
    {
    public:
        // count: threads that work in a call, the calling one included; fewer where the system has no more.
        // Throws io_error where they cannot be pinned: more than there are CPUs, another system than Linux.
        explicit team(unsigned count = std::max(1u, std::thread::hardware_concurrency()), team_options options = {})
            : m_all(std::make_shared<shared>(std::max(1u, count)))
        {
            shared* const all = m_all.get();
            if (options.pin)
            {
                all->cpus = detail::usable_cpus();
                JACKPLANE_EXPECTS(all->workers.size() <= all->cpus.size(), io_error, "a pinned team of ",
                                  all->workers.size(), " threads; CPUs that may be used: ", all->cpus.size());
            }
            all->others.reserve(all->workers.size() - 1);
            std::size_t part = 1; // what a missing one would do, the others do
            while (part < all->workers.size() && detail::start_thread(all->others, [all, part] { all->serve(part); }))
                ++part;
            for (std::size_t i = 0; options.pin && i < all->others.size(); ++i)
                detail::pin(all->others[i].native_handle(), all->cpus[i + 1]);
        }
        // A pinned team leaves its first CPU to the thread that calls it, which stays free: threads that it starts
        // later would have that CPU alone, too. One that does nothing but call may be pinned there for good. Without
        // that the system may leave it on the CPU of another thread for a while. Throws io_error; does nothing for a
        // team that is not pinned.
        void pin_caller() const
        {
            if (!m_all->cpus.empty())
                detail::pin_this_thread(m_all->cpus[0]);
        }
        team(team const&) = default; // and no move, which would leave a team without anybody
        team& operator=(team const&) = default;

        std::size_t size() const noexcept { return m_all->others.size() + 1; }

        template <class Body>
        void operator()(std::size_t n, Body&& body) const
        {
            shared& all = *m_all;
            std::size_t const parts = std::min(size(), n);
            if (parts <= 1 || all.busy.test_and_set(std::memory_order_acquire))
                return serial{}(n, body);
            std::size_t const pieces = std::min(n, parts * pieces_each);
            auto do_piece = [&](std::size_t piece) { body(n * piece / pieces, n * (piece + 1) / pieces); };
            all.run = [](void* work, std::size_t piece) { (*static_cast<decltype(do_piece)*>(work))(piece); };
            all.work = &do_piece;
            all.call(parts, pieces);
            [[maybe_unused]] std::exception_ptr const first = all.first_failure();
            all.busy.clear(std::memory_order_release);
#if defined(__cpp_exceptions)
            if (first)
                std::rethrow_exception(first);
#endif
        }

    private:
        static constexpr std::size_t pieces_each = 8;

        struct alignas(64) worker
        {
            std::atomic<std::size_t> next = 0; // piece of its range
            std::exception_ptr failure;        // of the first piece that failed among those that it did, its own or not
            std::size_t failed_piece = 0;
        };

        struct shared
        {
            explicit shared(std::size_t count) : workers(count) {}
            shared(shared const&) = delete;
            ~shared()
            {
                ending.store(true, std::memory_order_relaxed);
                start();
                for (std::thread& other : others)
                    other.join();
            }

            void start() noexcept
            {
                calls.fetch_add(1, std::memory_order_release);
                calls.notify_all();
            }

            std::size_t first_piece(std::size_t part) const noexcept { return pieces * part / parts; }

            void call(std::size_t parts_now, std::size_t pieces_now) noexcept
            {
                parts = parts_now;
                pieces = pieces_now;
                for (std::size_t part = 0; part < parts; ++part)
                    workers[part].next.store(first_piece(part), std::memory_order_relaxed);
                at_work.fetch_and(~closed, std::memory_order_release);
                start();
                do_part(0);
                at_work.fetch_or(closed, std::memory_order_acq_rel); // every piece is taken
                for (unsigned now; (now = at_work.load(std::memory_order_acquire)) != closed;)
                    detail::await_change(at_work, now);
            }

            void serve(std::size_t part) noexcept
            {
                for (unsigned seen = 0;;)
                {
                    detail::await_change(calls, seen);
                    seen = calls.load(std::memory_order_acquire);
                    if (ending.load(std::memory_order_relaxed))
                        return;
                    bool const in_time = (at_work.fetch_add(1, std::memory_order_acq_rel) & closed) == 0;
                    if (in_time && part < parts) // which only an open call keeps as they are
                        do_part(part);
                    if (at_work.fetch_sub(1, std::memory_order_acq_rel) == closed + 1)
                        at_work.notify_one();
                }
            }

            void do_part(std::size_t part) noexcept
            {
                for (std::size_t turn = 0; turn < parts; ++turn)
                {
                    std::size_t const whose = (part + turn) % parts, end = first_piece(whose + 1);
                    std::atomic<std::size_t>& next = workers[whose].next;
                    for (std::size_t piece; (piece = next.fetch_add(1, std::memory_order_relaxed)) < end;)
                        do_piece(piece, workers[part]);
                }
            }

            void do_piece(std::size_t piece, [[maybe_unused]] worker& by) noexcept
            {
#if defined(__cpp_exceptions)
                try
                {
                    run(work, piece);
                }
                catch (...)
                {
                    if (by.failure && by.failed_piece < piece)
                        return;
                    by.failure = std::current_exception();
                    by.failed_piece = piece;
                }
#else
                run(work, piece);
#endif
            }

            std::exception_ptr first_failure() noexcept // in the order of ranges: the same every time
            {
                worker const* first = nullptr;
                for (worker const& w : workers)
                    if (w.failure && (first == nullptr || w.failed_piece < first->failed_piece))
                        first = &w;
                std::exception_ptr const failure = first != nullptr ? first->failure : nullptr;
                for (worker& w : workers)
                    w.failure = nullptr;
                return failure;
            }

            void (*run)(void* work, std::size_t piece) = nullptr;
            void* work = nullptr;
            std::size_t parts = 0, pieces = 0; // of this call
            std::vector<worker> workers;       // the calling thread first
            std::atomic_flag busy;
            std::atomic<bool> ending = false;
            alignas(64) std::atomic<unsigned> calls = 0; // so far
            static constexpr unsigned closed = 1u << 31; // no call, or one without a piece to take
            alignas(64) std::atomic<unsigned> at_work = closed; // and how many of the others have entered
            std::vector<std::size_t> cpus; // of all threads, of a pinned team
            std::vector<std::thread> others;
        };

        std::shared_ptr<shared> m_all;
    };
}
