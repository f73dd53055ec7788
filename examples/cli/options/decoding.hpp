// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "../../engine/run/activation.hpp"
#include "../warn.hpp"
#include <CLI/CLI.hpp>
#include <algorithm>
#include <string>
#include <thread>
#include <vector>

namespace cli
{
    // activation: a name, or a vector of names
    template <class Names>
    CLI::Option* add_activation(CLI::App& command, Names& activation)
    {
        return command
            .add_option("--activation", activation,
                        "x of linear layers, and of keys and values in planes: fp32 (exact), bfloat16, or 1 to 3 int8 "
                        "limbs; three are as good as fp32")
            ->check(CLI::IsMember(engine::activation_names()));
    }

    // bits: a width, or a vector of widths
    template <class Bits>
    CLI::Option* add_kv_bits(CLI::App& command, Bits& bits)
    {
        return command
            .add_option("--kv-bits", bits, "keys and values: 32 (fp32), 16 (half), or planes of 8 bits, read at 8 to 1")
            ->check(CLI::IsMember(std::vector<unsigned>{32, 16, 8, 7, 6, 5, 4, 3, 2, 1}));
    }

    // What every command that decodes may be told.
    struct decoding
    {
        std::string activation = "limbs3";
        unsigned kv_bits = 32;
        unsigned threads = std::max(1u, std::thread::hardware_concurrency());

        void add_to(CLI::App& command)
        {
            add_activation(command, activation)->capture_default_str();
            add_kv_bits(command, kv_bits)->capture_default_str();
            add_threads_to(command);
        }
        void add_threads_to(CLI::App& command)
        {
            command.add_option("--threads", threads, "of linear layers; default: all cores")
                ->check(CLI::Range(1u, 1024u));
        }

        // Many more threads than cores wait for each other: slower, not wrong.
        void warn_of_threads() const
        {
            if (unsigned const cores = std::thread::hardware_concurrency(); cores != 0 && threads > 2 * cores)
                warn(engine::text(threads, " threads on ", cores, " cores wait for each other"));
        }
    };
}
