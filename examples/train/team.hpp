// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <barrier>
#include <cstddef>
#include <functional>
#include <thread>

namespace engine
{
    // Two workers that run the same function side by side. Two, not as many as there are cores: the sum of their
    // gradients, and so the trained model, depends on how many there are.
    class team
    {
    public:
        static constexpr std::size_t size = 2;

        team() : _helper([this] { help(); }) {}
        ~team()
        {
            _work = nullptr;
            meet();
            _helper.join();
        }
        team(team const&) = delete;
        team& operator=(team const&) = delete;

        // work(0) on this thread, work(1) on the other; returns when both have ended.
        void run(std::function<void(std::size_t)> const& work)
        {
            _work = &work;
            meet();
            work(0);
            meet();
        }

        // Inside work: waits for the other worker.
        void meet() { _gate.arrive_and_wait(); }

    private:
        void help()
        {
            for (meet(); _work; meet())
            {
                (*_work)(1);
                meet();
            }
        }

        std::function<void(std::size_t)> const* _work = nullptr;
        std::barrier<> _gate{static_cast<std::ptrdiff_t>(size)};
        std::thread _helper;
    };
}
