// SPDX-License-Identifier: BSD-3-Clause
#include <jackplane/store/map.hpp>
#include <jackplane/store/write.hpp>
#include <doctest/doctest.h>
#include <csignal>
#include <filesystem>
#include <string>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "files.hpp"

using namespace jackplane;

TEST_CASE("a mapping outlives its handle and a file that replaces it")
{
    files::folder const folder;
    auto const path = folder / "a";
    files::put(path, "older bytes");
    mapped_file map(path);
    auto const bytes = map.bytes();
    std::shared_ptr<void const> const keep = map.keep();
    map = {};

    atomic_file next(path);
    next.write(files::bytes("new"));
    CHECK(files::get(path) == "older bytes");
    next.commit();
    CHECK(files::get(path) == "new");
    CHECK(std::string_view(reinterpret_cast<char const*>(bytes.data()), bytes.size()) == "older bytes");
    CHECK(keep != nullptr);
}

TEST_CASE("an empty file maps to no bytes; what is no file says so")
{
    files::folder const folder;
    files::put(folder / "empty", "");
    mapped_file const empty(folder / "empty");
    CHECK(empty.bytes().empty());
    CHECK_THROWS_WITH_AS(mapped_file(folder / "none"),
                         ((folder / "none").string() + ": cannot open: No such file or directory").c_str(), io_error);
    CHECK_THROWS_WITH_AS(mapped_file(folder.path),
                         (folder.path.string() + ": cannot map: not a regular file").c_str(), io_error);
}

TEST_CASE("without commit nothing is left and nothing is lost")
{
    files::folder const folder;
    files::put(folder / "a", "kept");
    {
        atomic_file out(folder / "a");
        out.write(files::bytes(std::string(1'000'000, 'x')));
        CHECK(folder.entries() == 2);
        CHECK(out.size() == 1'000'000);
    }
    CHECK(folder.entries() == 1);
    CHECK(files::get(folder / "a") == "kept");
    CHECK_THROWS_AS(atomic_file(folder / "none" / "a"), io_error);
    CHECK_THROWS_AS(atomic_file("/dev/null"), io_error); // never replaced by a file
}

TEST_CASE("a write that the system cuts short is an error and leaves nothing")
{
    files::folder const folder;
    pid_t const child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) // the limit on the size of files stands for a full disk
    {
        std::signal(SIGXFSZ, SIG_IGN);
        rlimit const limit{300'000, 300'000};
        ::setrlimit(RLIMIT_FSIZE, &limit);
        int code = 1;
        try
        {
            atomic_file out(folder / "a");
            out.write(files::bytes(std::string(1'000'000, 'x')));
            out.commit();
        }
        catch (io_error const& problem)
        {
            code = std::string(problem.what()) == (folder / "a").string() + ": cannot write: File too large" ? 0 : 2;
        }
        ::_exit(code);
    }
    int status = 0;
    CHECK(::waitpid(child, &status, 0) == child);
    CHECK(status == 0);
    CHECK(folder.entries() == 0);
}

TEST_CASE("who may read a file may read what replaces it, and nobody else")
{
    files::folder const folder;
    files::put(folder / "a", "old");
    for (auto const mode : {0600u, 0640u, 0444u})
    {
        std::filesystem::permissions(folder / "a", static_cast<std::filesystem::perms>(mode));
        atomic_file out(folder / "a");
        out.write(files::bytes("new"));
        out.commit();
        CHECK(static_cast<unsigned>(std::filesystem::status(folder / "a").permissions()) == mode);
    }
    CHECK(files::get(folder / "a") == "new");
}

TEST_CASE("a link stays a link")
{
    files::folder const folder;
    files::put(folder / "a", "old");
    std::filesystem::create_symlink(folder / "a", folder / "link");
    atomic_file out(folder / "link");
    out.write(files::bytes("new"));
    out.commit();
    CHECK(std::filesystem::is_symlink(folder / "link"));
    CHECK(files::get(folder / "a") == "new");
}

TEST_CASE("a link whose target is not there yet stays a link, too")
{
    files::folder const folder;
    std::filesystem::create_directory(folder / "other");
    std::filesystem::create_symlink("other/a", folder / "middle"); // relative to the link
    std::filesystem::create_symlink(folder / "middle", folder / "link");
    {
        atomic_file out(folder / "link");
        CHECK(out.path() == folder / "other/a");
        out.write(files::bytes("new"));
        out.commit();
    }
    CHECK(std::filesystem::is_symlink(folder / "link"));
    CHECK(files::get(folder / "other" / "a") == "new");
    std::filesystem::create_symlink("b", folder / "a");
    std::filesystem::create_symlink("a", folder / "b");
    CHECK_THROWS_AS(atomic_file(folder / "a"), io_error); // no end
}

TEST_CASE("what cannot be replaced is found at once")
{
    files::folder const folder;
    ::mkfifo((folder / "pipe").c_str(), 0600);
    CHECK_THROWS_AS(atomic_file(folder / "pipe"), io_error);
    CHECK_THROWS_AS(atomic_file(folder.path), io_error);
    CHECK_THROWS_AS(atomic_file(folder / "none" / ""), io_error);
    CHECK_THROWS_AS(atomic_file(""), io_error);
    CHECK(folder.entries() == 1);
}

TEST_CASE("room is held until the end, and what was too much is given back")
{
    files::folder const folder;
    {
        atomic_file out(folder / "a");
        out.reserve(1'000'000);
        out.reserve(10);
        out.write(files::bytes("short"));
        out.commit();
    }
    CHECK(files::get(folder / "a") == "short");
    {
        atomic_file out(folder / "a");
        CHECK_THROWS_AS(out.reserve(std::uint64_t{1} << 60), io_error); // more than any disk has
    }
    CHECK(folder.entries() == 1);
    CHECK(files::get(folder / "a") == "short");
}

TEST_CASE("what a killed process left goes with the next file of that name; what is in use stays")
{
    files::folder const folder;
    pid_t const child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0)
    {
        atomic_file out(folder / "a");
        std::raise(SIGKILL);
    }
    ::waitpid(child, nullptr, 0);
    CHECK(folder.entries() == 1);
    for (auto const name : {"a.tmp", "a.1.2.tmp", "a.jackplane.tmp", "a.1.jackplane.tmp", "a.1.x.jackplane.tmp",
                            "a..2.jackplane.tmp", "a.1..jackplane.tmp", "ab.1.2.jackplane.tmp",
                            "a.1.2.jackplane.tmp.x"})
        files::put(folder / name, "somebody's own");
    atomic_file first(folder / "a");
    CHECK(folder.entries() == 10); // the child's is gone
    auto const second = try_load([&] { return atomic_file(folder / "a").size(); }).error;
    CHECK(second.starts_with((folder / "a").string() + ": is being written by another run, to a."));
    CHECK(folder.entries() == 10); // the first one is still there, the second one's is not
    first.write(files::bytes("whole"));
    first.commit();
    CHECK(folder.entries() == 10);
    CHECK(files::get(folder / "a") == "whole");
    atomic_file(folder / "a").commit(); // after the first
    CHECK(files::get(folder / "a").empty());
}

TEST_CASE("a temporary's name is no name of a file, which the next one would remove")
{
    files::folder const folder;
    CHECK_THROWS_WITH_AS(atomic_file(folder / "a.1.2.jackplane.tmp"),
                         ((folder / "a.1.2.jackplane.tmp").string() +
                          ": a temporary's name, which goes with the next a; name another output")
                             .c_str(),
                         io_error);
    std::filesystem::create_symlink("a.1.2.jackplane.tmp", folder / "link");
    CHECK_THROWS_AS(atomic_file(folder / "link"), io_error);
    for (auto const name : {"a.1.jackplane.tmp", "a.1.x.jackplane.tmp", "a.1.2.tmp", ".1.2.jackplane.tmp"})
        atomic_file(folder / name).commit();
    atomic_file(folder / "a").commit();
    CHECK(folder.entries() == 6);
}

TEST_CASE("a handler of signals can remove every temporary")
{
    files::folder const folder;
    pid_t const child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0)
    {
        std::signal(SIGTERM,
                    [](int)
                    {
                        remove_temporaries();
                        ::_exit(0);
                    });
        atomic_file first(folder / "a"), second(folder / "b");
        { // one that is done is no longer among them
            atomic_file done(folder / "c");
            done.commit();
        }
        std::raise(SIGTERM);
    }
    int status = 0;
    CHECK(::waitpid(child, &status, 0) == child);
    CHECK(status == 0);
    CHECK(folder.entries() == 1);
    CHECK(std::filesystem::exists(folder / "c"));
}

TEST_CASE("pieces of any size arrive in order")
{
    files::folder const folder;
    files::numbers random{1};
    std::string all;
    atomic_file out(folder / "a");
    for (int i = 0; i < 60; ++i)
    {
        std::string const piece(random.below(i % 10 == 0 ? 700'000 : 5'000), static_cast<char>('a' + i % 26));
        out.write(files::bytes(piece));
        all += piece;
    }
    out.commit();
    CHECK(files::get(folder / "a") == all);
}
