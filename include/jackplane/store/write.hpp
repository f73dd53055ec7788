// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <system_error>
#include <utility>
#include <vector>
#include <fcntl.h>
#include <unistd.h>
#include "map.hpp"

namespace jackplane::inline v0::inline JACKPLANE_TARGET
{
    // A file that appears whole or not at all: written under a temporary name in the same folder, flushed to the disk,
    // renamed by commit(). Without commit() it leaves nothing behind. Whoever has mapped an older file of that name
    // keeps the older bytes. A link is followed; a device or a folder is an error.
    class atomic_file
    {
    public:
        explicit atomic_file(std::filesystem::path path);
        atomic_file(atomic_file const&) = delete;
        atomic_file& operator=(atomic_file const&) = delete;
        ~atomic_file();

        void write(std::span<std::byte const> bytes);
        void commit();
        std::uint64_t size() const noexcept { return _size; } // bytes written so far

    private:
        void flush(std::span<std::byte const> bytes);

        static constexpr std::size_t buffer_size = std::size_t{1} << 18;
        std::filesystem::path _path, _temporary;
        std::vector<std::byte> _buffer;
        std::uint64_t _size = 0;
        int _file = -1;
    };

    inline atomic_file::atomic_file(std::filesystem::path path) : _path(std::move(path))
    {
        std::error_code ignored;
        if (auto target = std::filesystem::canonical(_path, ignored); !ignored)
            _path = std::move(target);
        auto const status = std::filesystem::status(_path, ignored);
        JACKPLANE_EXPECTS(!std::filesystem::exists(status) || std::filesystem::is_regular_file(status), io_error,
                          detail::one_line(_path.string()), ": cannot replace: not a regular file");
        static std::atomic<unsigned> count = 0;
        for (int tries = 0; _file < 0; ++tries)
        {
            _temporary = _path;
            _temporary += text(".", ::getpid(), ".", count++, ".tmp");
            _file = ::open(_temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
            if (_file < 0 && (errno != EEXIST || tries > 100))
                detail::fail_io(_path, "create", errno);
        }
        _buffer.reserve(buffer_size);
    }

    inline atomic_file::~atomic_file()
    {
        if (_file >= 0)
            ::close(_file);
        if (!_temporary.empty())
            ::unlink(_temporary.c_str());
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
        if (::fsync(_file) != 0 && errno != EINVAL && errno != ENOTSUP) // some file systems cannot
            detail::fail_io(_path, "flush", errno);
        if (::close(std::exchange(_file, -1)) != 0) // network file systems report a full disk here
            detail::fail_io(_path, "close", errno);
        if (::rename(_temporary.c_str(), _path.c_str()) != 0)
            detail::fail_io(_path, "rename", errno);
        _temporary.clear();
        auto const folder = _path.has_parent_path() ? _path.parent_path() : std::filesystem::path(".");
        detail::descriptor const directory(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        if (directory.value >= 0)
            ::fsync(directory.value); // makes the new name last; the file itself already stands
    }
}
