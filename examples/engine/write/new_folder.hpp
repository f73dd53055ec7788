// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <jackplane/store/safetensors_write.hpp>
#include <jackplane/store/write.hpp>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <string_view>
#include <vector>

namespace engine
{
    namespace safetensors = jackplane::safetensors;

    // A folder of files that take their names when all are written, in the order in which they came. Without commit()
    // nothing is left.
    class new_folder
    {
    public:
        // Throws io_error where the path exists and is no empty folder.
        explicit new_folder(std::filesystem::path path);
        new_folder(new_folder const&) = delete;
        new_folder& operator=(new_folder const&) = delete;
        ~new_folder();

        void add(char const* name, std::string_view contents);
        void add(char const* name, std::vector<safetensors::item> const& tensors);
        std::uint64_t commit(); // bytes in all

    private:
        std::filesystem::path _path;
        bool _is_new = false;
        std::deque<jackplane::atomic_file> _files{};
    };
}
