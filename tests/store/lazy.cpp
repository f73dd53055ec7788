// SPDX-License-Identifier: BSD-3-Clause
#include <jackplane/multiply/multiply.hpp>
#include <jackplane/store/nested_read.hpp>
#include <jackplane/store/nested_write.hpp>
#include <doctest/doctest.h>
#include <cerrno>
#include <csignal>
#include <string>
#include <variant>
#include <vector>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include "files.hpp"
#include "models.hpp"

// A level that is not asked for is never read: with its pages made PROT_NONE the others give the same bits, and reading
// it kills the process (so that the proof could fail).
using namespace jackplane;

namespace
{
    using bits8 = packed<bit_planes, uniform<8>, half, no_zero>;
    constexpr std::size_t height = 70, width = 300; // planes of more than a page

    std::vector<float> product(bits8 const& a, unsigned bits)
    {
        std::vector<float> x(width), y(height);
        for (std::size_t i = 0; i < width; ++i)
            x[i] = static_cast<float>(i % 7) - 3;
        multiply(a.prefix(bits), x, y);
        return y;
    }
    std::vector<float> product(any_packed const& m, unsigned bits) { return product(std::get<bits8>(m), bits); }

    // How a child process that runs `body` ends: its exit code, or 1000 + the signal.
    template <class Body>
    int end_of_child(Body const& body)
    {
        pid_t const child = ::fork();
        REQUIRE(child >= 0);
        if (child == 0)
        {
            rlimit const no_core{0, 0};
            ::setrlimit(RLIMIT_CORE, &no_core);
            std::signal(SIGSEGV, SIG_DFL); // not the test runner's
            std::signal(SIGBUS, SIG_DFL);
            int code = 99;
            try
            {
                code = body();
            }
            catch (...)
            {
            }
            ::_exit(code);
        }
        int status = 0;
        while (::waitpid(child, &status, 0) < 0 && errno == EINTR)
        {
        }
        return WIFSIGNALED(status) ? 1000 + WTERMSIG(status) : WEXITSTATUS(status);
    }

    // Takes away every page of the mapping beyond the level of `bits`. False when that is not possible.
    bool lock_beyond(std::byte const* start, nested::file const& file, unsigned bits)
    {
        std::size_t const from = round_up(static_cast<std::size_t>(file.at_bits(bits).end), nested::page);
        auto* const p = const_cast<std::byte*>(start) + from;
        return from < file.size() && ::mprotect(p, file.size() - from, PROT_NONE) == 0;
    }

    struct nested_model
    {
        nested_model()
        {
            for (int i = 0; i < 3; ++i)
            {
                matrices.push_back(models::matrix<bits8>(height, width, 64, static_cast<std::uint64_t>(i)));
                writer.add("layers." + std::to_string(i), matrices.back());
            }
            writer.save(folder / "a");
        }
        files::folder const folder;
        std::vector<bits8> matrices;
        nested::writer writer;
    };
}

TEST_CASE("2 bits need no page of planes 2 to 7")
{
    nested_model const model;
    auto const file = nested::open(model.folder / "a");
    std::byte const* const start = file.order().front()->bytes.data() - file.order().front()->offset;
    REQUIRE(reinterpret_cast<std::uintptr_t>(start) % nested::page == 0); // the reader's own mapping

    CHECK(end_of_child([&]
    {
        if (!lock_beyond(start, file, 2))
            return 2;
        file.verify(2);
        for (std::size_t i = 0; i < model.matrices.size(); ++i)
        {
            std::string const name = "layers." + std::to_string(i);
            auto const expected = product(model.matrices[i], 2);
            if (product(file.matrix(name), 2) != expected || product(file.matrix(name, 2), 2) != expected)
                return 1;
            if (models::values(std::get<bits8>(file.matrix(name, 2))) != models::values(model.matrices[i].prefix(2)))
                return 3;
        }
        return 0;
    }) == 0);

    // the proof can fail
    CHECK(end_of_child([&]
    {
        if (!lock_beyond(start, file, 2))
            return 2;
        return product(file.matrix("layers.0"), 3).empty() ? 1 : 0;
    }) == 1000 + SIGSEGV);
    CHECK(end_of_child([&] { return product(file.matrix("layers.0"), 3).empty() ? 1 : 0; }) == 0);
}

TEST_CASE("opening reads the header only")
{
    nested_model const model;
    mapped_file const map(model.folder / "a");
    auto const head = nested::open(model.folder / "a");
    std::uint64_t const data = head.order().front()->offset;
    CHECK(end_of_child([&]
    {
        auto* const p = const_cast<std::byte*>(map.bytes().data());
        if (::mprotect(p + data, map.size() - data, PROT_NONE) != 0)
            return 2;
        auto const file = nested::parse(map.bytes(), "a", map.keep());
        return file.bits() == 8 && std::get<bits8>(file.matrix("layers.1")).rows() == height ? 0 : 1;
    }) == 0);
}

TEST_CASE("the same from a file cut short while the rest is missing")
{
    nested_model const model;
    auto const file = nested::open(model.folder / "a");
    for (unsigned bits = 1; bits <= 8; ++bits)
    {
        files::put(model.folder / "b", files::get(model.folder / "a").substr(0, file.at_bits(bits).end));
        auto const cut = nested::open(model.folder / "b");
        CHECK(product(cut.matrix("layers.2"), bits) == product(file.matrix("layers.2"), bits));
    }
}
