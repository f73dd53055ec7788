// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <system_error>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include "reject.hpp"

namespace jackplane::inline v0::inline JACKPLANE_TARGET
{
    namespace detail
    {
        inline void fail_io(std::filesystem::path const& path, char const* action, int code)
        {
            fail<io_error>(text(path.empty() ? "''" : one_line(path.string()), ": cannot ", action, ": ",
                                std::system_category().message(code)));
        }

        struct descriptor // closes itself
        {
            int value = -1;

            explicit descriptor(int fd) noexcept : value(fd) {}
            descriptor(descriptor const&) = delete;
            descriptor& operator=(descriptor const&) = delete;
            ~descriptor()
            {
                if (value >= 0)
                    ::close(value);
            }
        };
    }

    // A whole file, read-only, page by page as it is touched. A cheap handle: copies share one mapping, which lives as
    // long as any of them or any keep(). Nobody may truncate the file meanwhile (SIGBUS); atomic_file never does.
    class mapped_file
    {
    public:
        mapped_file() = default;
        explicit mapped_file(std::filesystem::path const& path);

        std::span<std::byte const> bytes() const& noexcept
        {
            return {static_cast<std::byte const*>(_keep.get()), _size};
        }
        void bytes() const&& = delete; // they would be those of a temporary
        std::size_t size() const noexcept { return _size; }
        std::shared_ptr<void const> const& keep() const& noexcept { return _keep; } // null for an empty file
        std::shared_ptr<void const> keep() const&& noexcept { return _keep; }

    private:
        std::shared_ptr<void const> _keep;
        std::size_t _size = 0;
    };

    inline mapped_file::mapped_file(std::filesystem::path const& path)
    {
        detail::descriptor const file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)); // a pipe must not block
        if (file.value < 0)
            detail::fail_io(path, "open", errno);
        struct ::stat status = {};
        if (::fstat(file.value, &status) != 0)
            detail::fail_io(path, "stat", errno);
        JACKPLANE_EXPECTS(S_ISREG(status.st_mode), io_error, detail::one_line(path.string()),
                          ": cannot map: not a regular file");
        auto const size = static_cast<std::uint64_t>(status.st_size);
        JACKPLANE_EXPECTS(size <= std::numeric_limits<std::size_t>::max(), io_error, detail::one_line(path.string()),
                          ": cannot map: ", size, " bytes do not fit in the address space");
        if (size == 0)
            return; // mmap of nothing is an error
        auto const length = static_cast<std::size_t>(size);
        void* const start = ::mmap(nullptr, length, PROT_READ, MAP_SHARED, file.value, 0);
        if (start == MAP_FAILED)
            detail::fail_io(path, "map", errno);
        _keep = std::shared_ptr<void const>(start, [length](void const* p) { ::munmap(const_cast<void*>(p), length); });
        _size = length;
    }
}
