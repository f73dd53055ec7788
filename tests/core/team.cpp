// SPDX-License-Identifier: BSD-3-Clause
#include <atomic>
#include <chrono>
#include <csignal>
#include <mutex>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>
#include <pthread.h>
#include <sched.h>
#include <doctest/doctest.h>
#include <jackplane/core/team.hpp>
#include "few_threads.hpp"
using namespace jackplane;

namespace
{
    struct one : team
    {
        one() : team(1) {}
    };
    struct two : team
    {
        two() : team(2) {}
    };
    struct many : team
    {
        many() : team(7) {}
    };
    struct nobody : team
    {
        nobody() : team(0) {}
    };

    // How many of [0, count) were not seen once, and how many ranges were empty.
    template <class P>
    int mistakes(P const& policy, std::size_t count)
    {
        std::vector<std::atomic<int>> seen(count);
        std::atomic<int> wrong = 0;
        policy(count, [&](std::size_t begin, std::size_t end)
        {
            wrong += begin >= end;
            for (std::size_t i = begin; i < end; ++i)
                ++seen[i];
        });
        for (auto const& times : seen)
            wrong += times != 1;
        return wrong;
    }
}

TEST_CASE_TEMPLATE("a team covers [0, count) exactly once, call after call", P, team, one, two, many, nobody)
{
    P const policy;
    for (int trial = 0; trial < 20; ++trial)
        for (std::size_t const count : {0u, 1u, 2u, 3u, 5u, 6u, 7u, 8u, 100u, 1023u})
            CHECK(mistakes(policy, count) == 0);
}

TEST_CASE("the threads of a team stay")
{
    team const crew(3);
    CHECK(crew.size() == 3);
    std::mutex mutex;
    std::set<std::thread::id> ids;
    for (int trial = 0; trial < 50; ++trial)
        crew(30,
             [&](std::size_t, std::size_t)
             {
                 std::lock_guard const lock(mutex);
                 ids.insert(std::this_thread::get_id());
             });
    CHECK(ids.size() <= 3);
}

TEST_CASE("a team has as many threads as there are, and does the work of the others")
{
    few_threads const few;
    REQUIRE(few.limited);
    team const crew(40);
    CHECK(crew.size() < 40);
    for (std::size_t const count : {1u, 2u, 39u, 40u, 1000u})
        CHECK(mistakes(crew, count) == 0);
}

TEST_CASE("a team that was moved from is the same team")
{
    team first(3);
    team const second = std::move(first);
    CHECK(first.size() == 3);
    CHECK(mistakes(first, 100) == 0);
    team third(2);
    third = std::move(first);
    CHECK(mistakes(first, 100) == 0);
    CHECK(mistakes(second, 100) == 0);
    CHECK(third.size() == 3);
}

TEST_CASE("whoever is done helps the others with their ranges")
{
    two const crew;
    std::atomic<int> done = 0;
    bool helped = false;
    crew(100,
         [&](std::size_t begin, std::size_t end)
         {
             if (begin == 0) // keeps its thread busy until all else is done, which the other thread must do
                 for (int i = 0; i < 10000 && !helped; ++i)
                 {
                     helped = done + static_cast<int>(end - begin) == 100;
                     std::this_thread::sleep_for(std::chrono::milliseconds(1));
                 }
             done += static_cast<int>(end - begin);
         });
    CHECK(helped);
    CHECK(done == 100);
}

TEST_CASE_TEMPLATE("an exception comes through; the first in the order of ranges; the team works on", P, one, two, many)
{
    P const policy;
    for (int trial = 0; trial < 20; ++trial)
    {
        CHECK_THROWS_WITH_AS(policy(100,
                                    [&](std::size_t begin, std::size_t end)
                                    {
                                        for (std::size_t i = begin; i < end; ++i)
                                            if (i >= 40) // every later range fails too, at its own begin
                                                throw std::out_of_range(std::to_string(i));
                                    }),
                             "40", std::out_of_range);
        CHECK(mistakes(policy, 100) == 0);
    }
}

TEST_CASE("a team that sleeps wakes up")
{
    two const crew;
    for (int trial = 0; trial < 5; ++trial)
    {
        std::this_thread::sleep_for(std::chrono::milliseconds(2)); // far beyond the time it spins
        CHECK(mistakes(crew, 10) == 0);
    }
    crew(2, [&](std::size_t begin, std::size_t) // and so does a caller whose part ends long before the others'
    {
        if (begin == 1)
            std::this_thread::sleep_for(std::chrono::milliseconds(2));
    });
}

TEST_CASE("a call from inside a body, and calls from several threads at once")
{
    team const crew(3);
    std::atomic<int> wrong = 0;
    crew(3, [&](std::size_t, std::size_t) { wrong += mistakes(crew, 50); });
    CHECK(wrong == 0);

    std::vector<std::thread> callers;
    for (int i = 0; i < 4; ++i)
        callers.emplace_back([&wrong, copy = crew]
        {
            for (int times = 0; times < 200; ++times)
                wrong += mistakes(copy, 20);
        });
    for (std::thread& caller : callers)
        caller.join();
    CHECK(wrong == 0);
}

namespace
{
    std::atomic<bool> held = false, let_go = false;
    void hold(int)
    {
        held = true;
        while (!let_go)
            ;
    }
}

TEST_CASE("a thread that does not get a core holds nobody up")
{
    two const crew;
    std::atomic<pthread_t> other = pthread_self();
    for (int trial = 0; trial < 10000 && pthread_equal(other, pthread_self()); ++trial)
        crew(2, [&, caller = pthread_self()](std::size_t, std::size_t)
        {
            if (!pthread_equal(caller, pthread_self()))
                other = pthread_self();
            std::this_thread::sleep_for(std::chrono::microseconds(100));
        });
    REQUIRE(!pthread_equal(other, pthread_self()));
    std::signal(SIGUSR1, hold); // as a busy machine would
    pthread_kill(other, SIGUSR1);
    while (!held)
        std::this_thread::yield();
    std::atomic<bool> done = false;
    bool helped = false; // else the test would wait for ever
    std::thread watch([&]
    {
        for (int i = 0; i < 10000 && !done; ++i)
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
        helped = !done;
        let_go = true;
    });
    CHECK(mistakes(crew, 100) == 0);
    done = true;
    watch.join();
    CHECK_FALSE(helped);
    std::signal(SIGUSR1, SIG_DFL);
    CHECK(mistakes(crew, 100) == 0);
}

namespace
{
    std::vector<std::size_t> cpus_of(pthread_t thread)
    {
        cpu_set_t set = {};
        pthread_getaffinity_np(thread, sizeof set, &set);
        std::vector<std::size_t> all;
        for (std::size_t cpu = 0; cpu < CPU_SETSIZE; ++cpu)
            if (CPU_ISSET(cpu, &set))
                all.push_back(cpu);
        return all;
    }
    void allow(std::vector<std::size_t> const& cpus) // this thread
    {
        cpu_set_t set = {};
        for (std::size_t const cpu : cpus)
            CPU_SET(cpu, &set);
        REQUIRE(pthread_setaffinity_np(pthread_self(), sizeof set, &set) == 0);
    }
}

TEST_CASE("each thread of a pinned team stays on a CPU of its own, and the caller as it was")
{
    auto const all = cpus_of(pthread_self());
    team const crew(static_cast<unsigned>(all.size()), {.pin = true});
    CHECK(crew.size() == all.size());
    CHECK(cpus_of(pthread_self()) == all);
    std::mutex mutex;
    std::set<std::size_t> seen;
    for (int trial = 0; trial < 1000 && seen.size() + 1 < all.size(); ++trial)
        crew(8 * all.size(), [&, caller = pthread_self()](std::size_t, std::size_t)
        {
            std::this_thread::sleep_for(std::chrono::microseconds(100));
            if (pthread_equal(caller, pthread_self()))
                return;
            auto const mine = cpus_of(pthread_self());
            std::lock_guard const lock(mutex);
            CHECK(mine.size() == 1);
            seen.insert(mine.begin(), mine.end());
        });
    CHECK(seen == std::set<std::size_t>(all.begin() + 1, all.end()));
    CHECK(mistakes(crew, 100) == 0);

    std::thread([&] // a thread of its own: it stays pinned
    {
        crew.pin_caller();
        CHECK(cpus_of(pthread_self()) == std::vector{all[0]});
        CHECK(mistakes(crew, 100) == 0);
        CHECK_THROWS_WITH_AS(team(2, {.pin = true}), "a pinned team of 2 threads; CPUs that may be used: 1", io_error);
    }).join();
    team(2).pin_caller(); // not pinned: nothing
    CHECK(cpus_of(pthread_self()) == all);
}

TEST_CASE("a pinned team takes the CPUs that its maker may use, and no more threads than those")
{
    auto const all = cpus_of(pthread_self());
    std::string const error =
        text("a pinned team of ", all.size() + 1, " threads; CPUs that may be used: ", all.size());
    CHECK_THROWS_WITH_AS(team(static_cast<unsigned>(all.size() + 1), {.pin = true}), error.c_str(), io_error);
    allow({all.back()});
    {
        team const one(1, {.pin = true});
        CHECK(mistakes(one, 100) == 0);
        allow(all);
        one.pin_caller();
        CHECK(cpus_of(pthread_self()) == std::vector{all.back()});
    }
    allow(all);
}
