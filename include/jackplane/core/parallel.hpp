// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <cstddef>
#include <exception>
#include <thread>
#include <utility>
#include <vector>
#include "serial.hpp"

namespace jackplane::inline v0::inline JACKPLANE_TARGET
{
    namespace detail
    {
        // body on the parts of [0, n), from any thread. What they throw is kept until finish(), which throws the first
        // of it in the order of ranges: the same every time.
        template <class Body>
        class split_range
        {
        public:
            split_range(std::size_t range, std::size_t parts, Body& body)
                : m_body(body), m_n(range), m_failed(parts)
            {
            }

            void operator()(std::size_t part)
            {
                std::size_t const parts = m_failed.size(), begin = m_n * part / parts, end = m_n * (part + 1) / parts;
#if defined(__cpp_exceptions)
                try
                {
                    m_body(begin, end);
                }
                catch (...)
                {
                    m_failed[part] = std::current_exception();
                }
#else
                m_body(begin, end);
#endif
            }
            void finish() const
            {
#if defined(__cpp_exceptions)
                for (std::exception_ptr const& failure : m_failed)
                    if (failure)
                        std::rethrow_exception(failure);
#endif
            }

        private:
            Body& m_body;
            std::size_t m_n;
            std::vector<std::exception_ptr> m_failed;
        };

        // False where the system has no thread left. `to` has room for one more.
        template <class Body>
        bool start_thread(std::vector<std::thread>& to, Body body)
        {
#if defined(__cpp_exceptions)
            try
            {
                to.emplace_back(std::move(body));
            }
            catch (...) // system_error, bad_alloc
            {
                return false;
            }
#else
            to.emplace_back(std::move(body));
#endif
            return true;
        }
    }

    // Starts threads for one call: for offline work (quantize, decode), too slow for single tokens. Where the system
    // gives fewer than `count`, the calling thread does the rest.
    struct threads
    {
        unsigned count = std::max(1u, std::thread::hardware_concurrency());

        template <class Body>
        void operator()(std::size_t n, Body&& body) const
        {
            std::size_t const parts = std::min<std::size_t>(std::max(1u, count), n);
            if (parts <= 1)
                return serial{}(n, body);
            detail::split_range run(n, parts, body);
            std::vector<std::thread> others;
            others.reserve(parts - 1);
            std::size_t given = 1; // the first is the calling thread's
            while (given < parts && detail::start_thread(others, [&run, given] { run(given); }))
                ++given;
            run(0);
            for (std::size_t part = given; part < parts; ++part)
                run(part);
            for (std::thread& other : others)
                other.join();
            run.finish();
        }
    };

    // Wraps an engine's own pool: run(tasks, task) must call task(i) once for every i < tasks and wait for all.
    template <class Run>
    struct pool
    {
        Run run;
        std::size_t tasks;

        template <class Body>
        void operator()(std::size_t n, Body&& body) const
        {
            std::size_t const parts = std::min(tasks, n);
            if (parts <= 1)
                return serial{}(n, body);
            run(parts, [&](std::size_t part) { body(n * part / parts, n * (part + 1) / parts); });
        }
    };
    template <class Run>
    pool(Run, std::size_t) -> pool<Run>;

#if defined(_OPENMP)
    struct openmp
    {
        template <class Body>
        void operator()(std::size_t n, Body&& body) const
        {
            constexpr std::size_t parts_per_call = 64;
            std::size_t const parts = std::min(n, parts_per_call);
            detail::split_range run(n, parts, body); // an exception must not leave the parallel region
#pragma omp parallel for schedule(static)
            for (std::size_t part = 0; part < parts; ++part)
                run(part);
            run.finish();
        }
    };
#endif
}
