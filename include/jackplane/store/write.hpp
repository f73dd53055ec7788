// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>
#include "map.hpp"

namespace jackplane::inline v0::inline JACKPLANE_TARGET
{
    // A file that appears whole or not at all: written under a temporary name in the same folder, flushed to the disk,
    // renamed by commit(). Without commit() it leaves nothing behind. A program that has mapped an older file of that
    // name keeps the older bytes; the new one has its permissions. A link is followed, also one whose target is not
    // there yet; a pipe, a device or a folder is an error, and so is a name like that of a temporary, which the next
    // file would remove. So is a second one of the same path before the first has ended, in whatever process. Created
    // at the beginning of long work, it reports at once what would fail at the end.
    class atomic_file
    {
    public:
        explicit atomic_file(std::filesystem::path path);
        atomic_file(atomic_file const&) = delete;
        atomic_file& operator=(atomic_file const&) = delete;
        ~atomic_file();

        // Reserves `bytes` bytes in all until commit(), where the file system can; else checks that they are free.
        void reserve(std::uint64_t bytes);
        void write(std::span<std::byte const> bytes);
        void commit();
        std::filesystem::path const& path() const noexcept { return _path; } // links followed
        std::uint64_t size() const noexcept { return _size; }                // bytes written so far

    private:
        struct begun // a temporary that is not yet known to be the only one
        {
        };
        atomic_file(std::filesystem::path path, begun);
        void flush(std::span<std::byte const> bytes);

        static constexpr std::size_t buffer_size = std::size_t{1} << 18;
        std::filesystem::path _path, _temporary;
        std::vector<std::byte> _buffer;
        std::uint64_t _size = 0, _reserved = 0;
        int _file = -1;
    };

    // For the handler of a signal that ends the process: removes the temporaries of every atomic_file there is. What a
    // process leaves that had no time for it (SIGKILL) goes when the next atomic_file of the same path is made.
    inline void remove_temporaries() noexcept;
}

namespace jackplane::inline v0::inline JACKPLANE_TARGET::detail
{
    // Names of temporaries that exist or are about to; more than fit here wait for the next atomic_file.
    inline constinit std::array<std::atomic<char const*>, 64> temporaries{};

    inline void exchange_temporary(char const* from, char const* to) noexcept
    {
        for (auto& slot : temporaries)
            if (char const* expected = from; slot.compare_exchange_strong(expected, to))
                return;
    }

    // <output>.<process>.<number>.jackplane.tmp. The number of a process means nothing on another machine of a shared
    // folder, or in another container: a lock says that a temporary is in use.
    inline constexpr std::string_view temporary_end = ".jackplane.tmp";
    // <output> of such a name; empty where it is none.
    inline std::string_view output_of_temporary(std::string_view name)
    {
        if (!name.ends_with(temporary_end))
            return {};
        name.remove_suffix(temporary_end.size());
        for (int number = 0; number < 2; ++number)
        {
            auto const dot = name.find_last_not_of("0123456789");
            if (dot == name.npos || dot + 1 == name.size() || name[dot] != '.')
                return {};
            name = name.substr(0, dot);
        }
        return name;
    }

    inline std::filesystem::path folder_of(std::filesystem::path const& path)
    {
        return path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
    }

    template <class Body>
    void for_each_temporary_of(std::filesystem::path const& path, Body&& body) // body(path of the temporary)
    {
        std::error_code error;
        std::string const name = path.filename().string();
        for (std::filesystem::directory_iterator each(folder_of(path), error), end; !error && each != end;
             each.increment(error))
            if (!name.empty() && output_of_temporary(each->path().filename().string()) == name)
                body(each->path());
    }

    // Removes those that a killed process left: nobody holds their lock. Throws io_error for one that somebody holds,
    // other than `own`. Where there are no locks, neither is known.
    inline void expect_only(std::filesystem::path const& own, std::filesystem::path const& path)
    {
        for_each_temporary_of(path,
                              [&](std::filesystem::path const& temporary)
                              {
                                  if (temporary.filename() == own.filename())
                                      return;
                                  descriptor const other(
                                      ::open(temporary.c_str(), O_RDWR | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC));
                                  if (other.value < 0)
                                      return;
                                  if (::flock(other.value, LOCK_EX | LOCK_NB) == 0)
                                      ::unlink(temporary.c_str());
                                  else
                                      JACKPLANE_EXPECTS(errno != EWOULDBLOCK, io_error, one_line(path.string()),
                                                        ": is being written by another run, to ",
                                                        one_line(temporary.filename().string()),
                                                        "; wait for it, or name another output");
                              });
    }

    // Follows links to their end, whether or not anything stands there; not those of /proc that name a pipe.
    inline std::filesystem::path end_of_links(std::filesystem::path path)
    {
        std::error_code error;
        for (int links = 0; std::filesystem::is_symlink(std::filesystem::symlink_status(path, error)); ++links)
        {
            auto const target = std::filesystem::status(path, error);
            if (std::filesystem::exists(target) && !std::filesystem::is_regular_file(target))
                return path;
            if (links == 40) // as the kernel
                fail_io(path, "create", ELOOP);
            path = folder_of(path) / std::filesystem::read_symlink(path, error);
        }
        return path;
    }
}

namespace jackplane::inline v0::inline JACKPLANE_TARGET
{
    inline void remove_temporaries() noexcept
    {
        for (auto const& slot : detail::temporaries)
            if (char const* const name = slot.load())
                ::unlink(name);
    }

    inline atomic_file::atomic_file(std::filesystem::path path, begun) : _path(detail::end_of_links(std::move(path)))
    {
        std::error_code error;
        auto const status = std::filesystem::status(_path, error);
        JACKPLANE_EXPECTS(!std::filesystem::exists(status) || std::filesystem::is_regular_file(status), io_error,
                          detail::one_line(_path.string()), ": cannot replace: not a regular file");
        if (!_path.has_filename())
            detail::fail_io(_path, "create", ENOENT);
        std::string const name = _path.filename().string();
        std::string_view const removed_with = detail::output_of_temporary(name);
        JACKPLANE_EXPECTS(removed_with.empty(), io_error, detail::one_line(_path.string()),
                          ": a temporary's name, which goes with the next ", detail::one_line(removed_with),
                          "; name another output");
        _buffer.reserve(buffer_size);
        static std::atomic<unsigned> count = 0;
        for (int tries = 0; _file < 0; ++tries)
        {
            _temporary = _path;
            _temporary += text(".", ::getpid(), ".", count++, detail::temporary_end);
            detail::exchange_temporary(nullptr, _temporary.c_str()); // a signal may end the process while it is made
            _file = ::open(_temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
            int const problem = _file < 0 ? errno : 0;
            struct ::stat now = {};
            if (problem == 0 && ::flock(_file, LOCK_EX) == 0 && ::fstat(_file, &now) == 0 && now.st_nlink == 0)
                ::close(std::exchange(_file, -1)); // another's expect_only came first
            if (_file < 0)
                detail::exchange_temporary(_temporary.c_str(), nullptr);
            if (problem != 0 && (problem != EEXIST || tries > 100))
                detail::fail_io(_path, "create", problem);
        }
        if (std::filesystem::exists(status)) // who may read it does not change
            ::fchmod(_file, static_cast<::mode_t>(status.permissions()) & 0777);
    }

    inline atomic_file::atomic_file(std::filesystem::path path) : atomic_file(std::move(path), begun{})
    {
        detail::expect_only(_temporary, _path); // what throws here is cleaned up after
    }

    inline atomic_file::~atomic_file()
    {
        if (_file >= 0)
            ::close(_file);
        if (_temporary.empty())
            return;
        ::unlink(_temporary.c_str());
        detail::exchange_temporary(_temporary.c_str(), nullptr);
    }

    inline void atomic_file::reserve(std::uint64_t bytes)
    {
        if (bytes <= std::max(_size, _reserved))
            return;
        int problem = ENOTSUP;
#if defined(__linux__) // posix_fallocate would write every block where the file system cannot
        problem = ::fallocate(_file, 0, 0, static_cast<::off_t>(bytes)) == 0 ? 0 : errno;
#endif
        if (problem == 0)
        {
            _reserved = std::max(_reserved, bytes);
            return;
        }
        struct ::statvfs device = {};
        bool const fits = ::fstatvfs(_file, &device) != 0 || device.f_bavail >= (bytes - _size) / device.f_frsize;
        if (!fits || problem == ENOSPC || problem == EDQUOT || problem == EFBIG)
            detail::fail_io(_path, text("hold ", bytes, " bytes").c_str(), fits ? problem : ENOSPC);
    }

    inline void atomic_file::write(std::span<std::byte const> bytes)
    {
        _size += bytes.size();
        if (_buffer.size() + bytes.size() > buffer_size)
        {
            flush(_buffer);
            _buffer.clear();
        }
        if (bytes.size() >= buffer_size)
            flush(bytes);
        else
            _buffer.insert(_buffer.end(), bytes.begin(), bytes.end());
    }

    inline void atomic_file::flush(std::span<std::byte const> bytes)
    {
        JACKPLANE_EXPECTS(_file >= 0, io_error, detail::one_line(_path.string()), ": cannot write: already committed");
        while (!bytes.empty())
        {
            auto const written = ::write(_file, bytes.data(), bytes.size());
            if (written < 0 && errno == EINTR)
                continue;
            if (written < 0)
                detail::fail_io(_path, "write", errno);
            if (written == 0)
                detail::fail_io(_path, "write", ENOSPC);
            bytes = bytes.subspan(static_cast<std::size_t>(written));
        }
    }

    inline void atomic_file::commit()
    {
        flush(_buffer);
        _buffer.clear();
        if (_reserved > _size && ::ftruncate(_file, static_cast<::off_t>(_size)) != 0)
            detail::fail_io(_path, "write", errno);
        if (::fsync(_file) != 0 && errno != EINVAL && errno != ENOTSUP) // some file systems cannot
            detail::fail_io(_path, "flush", errno);
        detail::descriptor const lock(::dup(_file)); // until the name is the file's own
        if (::close(std::exchange(_file, -1)) != 0)  // network file systems report a full disk here
            detail::fail_io(_path, "close", errno);
        if (::rename(_temporary.c_str(), _path.c_str()) != 0)
            detail::fail_io(_path, "rename", errno);
        detail::exchange_temporary(_temporary.c_str(), nullptr);
        _temporary.clear();
        detail::descriptor const directory(
            ::open(detail::folder_of(_path).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        if (directory.value >= 0)
            ::fsync(directory.value); // makes the new name last; the file itself already stands
    }
}
