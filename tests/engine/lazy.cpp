// SPDX-License-Identifier: BSD-3-Clause
// A model at 2 bits runs with the mapping of every other plane forbidden: a read would kill it.
#include <jackplane/store/nested_read.hpp>
#include <engine/run/decode.hpp>
#include <engine/pack/nested_model.hpp>
#include <engine/quantize/quantize_model.hpp>
#include "tiny.hpp"
#include <doctest/doctest.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <csignal>
#include <cstdint>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

namespace engine
{
    namespace
    {
        std::vector<float> logits_of(packed_model const& m, unsigned bits)
        {
            decoder decode(m, bits, 8);
            std::vector<float> all;
            for (token const t : {7u, 3u, 500u, 3u})
            {
                auto const logits = decode(t);
                all.insert(all.end(), logits.begin(), logits.end());
            }
            return all;
        }

        // Forbids every access to this process's mappings of `file` from byte `from` on. How many there were.
        int forbid(std::string const& file, std::uint64_t from)
        {
            std::ifstream maps("/proc/self/maps");
            int forbidden = 0;
            for (std::string line; std::getline(maps, line);)
                if (line.size() > file.size() && line.ends_with("/" + file))
                {
                    std::istringstream range(line);
                    std::uint64_t begin = 0, end = 0;
                    char dash = 0;
                    range >> std::hex >> begin >> dash >> end;
                    void* const rest = reinterpret_cast<void*>(begin + from);
                    forbidden += begin + from < end && mprotect(rest, end - begin - from, PROT_NONE) == 0;
                }
            return forbidden;
        }

        // In a child process: 0 when the model at `bits` gives `expected` with the planes beyond 2 bits forbidden, 1
        // when it gives other logits, 2 when nothing was mapped; -signal when it died.
        int run_without_planes(std::string const& file, unsigned bits, std::vector<float> const& expected)
        {
            std::uint64_t from = 0;
            {
                jackplane::nested::file const nested = jackplane::nested::open(file);
                from = jackplane::round_up(nested.at_bits(2).end, jackplane::nested::page); // a pad leads a level
            }
            pid_t const child = fork();
            REQUIRE(child >= 0);
            if (child == 0)
            {
                rlimit const no_core{0, 0};
                setrlimit(RLIMIT_CORE, &no_core);
                for (int const sign : {SIGSEGV, SIGBUS})
                    std::signal(sign, SIG_DFL); // a sanitizer or the test runner would report it
                packed_model const m = load_nested(file);
                if (forbid(file, from) == 0)
                    _exit(2);
                _exit(logits_of(m, bits) == expected ? 0 : 1);
            }
            int status = 0;
            REQUIRE(waitpid(child, &status, 0) == child);
            return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
        }
    }

    TEST_CASE("a 2-bit model needs no other plane: it runs with the rest of the file's mapping PROT_NONE")
    {
        std::string const file = "lazy.jack";
        {
            save_model<float>(random_model(tiny_config(true)), "lazy_model", "float32");
            save_nested(quantize(random_model(tiny_config(true)), rtn{}).packed, "lazy_model", file);
        }
        packed_model const whole = load_nested(file);
        auto const two = logits_of(whole, 2), three = logits_of(whole, 3);
        CHECK(two != three);
        CHECK(run_without_planes(file, 2, two) == 0);
        CHECK(run_without_planes(file, 1, two) == 1); // it can tell
        CHECK(run_without_planes(file, 3, three) == -SIGSEGV);
    }
}
