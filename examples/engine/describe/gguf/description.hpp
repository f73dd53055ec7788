// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <jackplane/store/gguf/metadata.hpp>
#include "../rotation.hpp"
#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace engine
{
    // What a GGUF file says of a model beside its weights: keys below the architecture's name, and factors of the
    // rotation, which are tensors there.
    struct gguf_description
    {
        // Of a model with this configuration. Throws format_error for what llama.cpp cannot be told of its family.
        explicit gguf_description(config const& c);

        void set(std::string_view name, std::size_t number); // as UINT32; throws format_error if it is larger
        void set(std::string_view name, double number);      // as FLOAT32
        void set(std::string_view name, std::string value);
        void expect(bool right, std::string const& key, std::string const& expected) const
        {
            said.expect(right, key, text(expected, " (GGUF files cannot say it otherwise)"));
        }

        config const& sizes;
        settings_file said; // config.json, where there is one
        std::string architecture{};
        bool pairs_side_by_side = false;
        jackplane::gguf::metadata keys{};
        std::map<std::string, std::vector<float>> factors{}; // tensors
        double query_factor = 1;                             // of queries, where llama.cpp scales scores in another way
    };

    // Which factors of frequencies llama.cpp reads of an architecture's files.
    struct factor_tensors
    {
        bool fixed, by_length;
    };
    // Parts of it that several families have.
    void tell_rotation(gguf_description& to, factor_tensors known = {});
    void tell_rotation(gguf_description& to, rotation_settings const& turn, factor_tensors known = {});
    void tell_window(gguf_description& to); // of all layers
    void tell_experts(gguf_description& to);
    void expect_no_window(gguf_description const& to);
    // n where every n-th layer sees all tokens and the others a window. Throws format_error for other orders.
    std::size_t period_of_windows(gguf_description const& to);
}
