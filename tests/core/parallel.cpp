// SPDX-License-Identifier: BSD-3-Clause
#include <atomic>
#include <mutex>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>
#include <doctest/doctest.h>
#include <jackplane/core/parallel.hpp>
#include "few_threads.hpp"
using namespace jackplane;

namespace
{
    struct backwards // an engine's pool that runs its tasks in the other order
    {
        template <class Task>
        void operator()(std::size_t tasks, Task&& task) const
        {
            for (std::size_t i = tasks; i-- > 0;)
                task(i);
        }
    };
    struct some_threads : threads
    {
        some_threads() : threads{3} {}
    };
    struct many_threads : threads
    {
        many_threads() : threads{13} {}
    };
    struct no_threads : threads
    {
        no_threads() : threads{0} {}
    };
    struct other_pool : pool<backwards>
    {
        other_pool() : pool<backwards>{{}, 5} {}
    };
    struct empty_pool : pool<backwards>
    {
        empty_pool() : pool<backwards>{{}, 0} {}
    };
}

TEST_CASE_TEMPLATE_DEFINE("a parallel policy covers [0, count) exactly once, in ranges that are not empty", P, covers)
{
    for (std::size_t const count : {0u, 1u, 2u, 3u, 5u, 12u, 13u, 14u, 100u, 1023u})
    {
        std::vector<std::atomic<int>> seen(count);
        std::atomic<int> empty_ranges = 0;
        P const policy{};
        policy(count, [&](std::size_t begin, std::size_t end)
        {
            empty_ranges += begin >= end;
            for (std::size_t i = begin; i < end; ++i)
                ++seen[i];
        });
        int wrong = 0;
        for (auto const& times : seen)
            wrong += times != 1;
        CHECK(wrong == 0);
        CHECK(empty_ranges == 0);
    }
}
TEST_CASE_TEMPLATE_INVOKE(covers, serial, threads, some_threads, many_threads, no_threads, other_pool, empty_pool);

TEST_CASE_TEMPLATE_DEFINE("an exception comes through; the first in the order of ranges, every time", P, throws)
{
    for (int trial = 0; trial < 20; ++trial)
        CHECK_THROWS_WITH_AS(P{}(100, [&](std::size_t begin, std::size_t end)
                             {
                                 for (std::size_t i = begin; i < end; ++i)
                                     if (i >= 40) // every later range fails too, at its own begin
                                         throw std::out_of_range(std::to_string(i));
                             }),
                             "40", std::out_of_range);
}
TEST_CASE_TEMPLATE_INVOKE(throws, serial, some_threads, many_threads);
#if defined(_OPENMP) // in the program unit_openmp
TEST_CASE_TEMPLATE_INVOKE(covers, openmp);
TEST_CASE_TEMPLATE_INVOKE(throws, openmp);
#endif

TEST_CASE("threads run the other ranges even when one fails")
{
    std::atomic<int> finished = 0;
    CHECK_THROWS_AS(threads{4}(4, [&](std::size_t begin, std::size_t)
                    {
                        if (begin == 0)
                            throw std::runtime_error("first");
                        ++finished;
                    }),
                    std::runtime_error);
    CHECK(finished == 3);
}

TEST_CASE("where there are fewer threads than asked for, no range and no exception is lost")
{
    few_threads const few;
    REQUIRE(few.limited);
    std::vector<std::atomic<int>> seen(1000);
    std::mutex mutex;
    std::set<std::thread::id> ids;
    std::atomic<bool> started = false; // all that can be: none ends before
    threads{40}(seen.size(), [&, caller = std::this_thread::get_id()](std::size_t begin, std::size_t end)
    {
        if (std::this_thread::get_id() == caller)
        {
            started = true;
            started.notify_all();
        }
        started.wait(false);
        for (std::size_t i = begin; i < end; ++i)
            ++seen[i];
        std::lock_guard const lock(mutex);
        ids.insert(std::this_thread::get_id());
    });
    int wrong = 0;
    for (auto const& times : seen)
        wrong += times != 1;
    CHECK(wrong == 0);
    CHECK(ids.size() < 40);
    for (std::size_t const bad : {0u, 1u, 20u, 39u})
        CHECK_THROWS_AS(threads{40}(40, [&](std::size_t begin, std::size_t)
                        {
                            if (begin == bad)
                                throw std::out_of_range("a range");
                        }),
                        std::out_of_range);
}
