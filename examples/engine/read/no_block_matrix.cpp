// SPDX-License-Identifier: BSD-3-Clause
// For builds without GGUF files: matrices have no blocks there.
#include "block_matrix.hpp"

namespace engine
{
    namespace
    {
        [[noreturn]] void fail()
        {
            jackplane::fail<jackplane::format_error>("this build makes no blocks of GGUF files");
        }
    }

    void block_matrix::decode(jackplane::matrix_view<float>) const { fail(); }
    bool block_matrix::has_levels() const { fail(); }
    jackplane::given_levels block_matrix::levels() const { fail(); }
    jackplane::aligned_vector<jackplane::code> block_matrix::codes() const { fail(); }
    void block_matrix::put_codes(std::span<jackplane::code const>) { fail(); }
    block_matrix to_blocks(jackplane::matrix_view<float const>, std::uint32_t, std::span<float const>, std::string_view)
    {
        fail();
    }
}
