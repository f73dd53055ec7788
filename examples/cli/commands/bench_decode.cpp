// SPDX-License-Identifier: BSD-3-Clause
#include "../../engine/run/decode.hpp"
#include "../../engine/pack/random_model.hpp"
#include "../clock.hpp"
#include "../commands.hpp"
#include "../options/decoding.hpp"
#include "../terminal.hpp"
#include <jackplane/core/team.hpp>
#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace cli
{
    namespace
    {
        double median(std::vector<double> values)
        {
            std::sort(values.begin(), values.end());
            std::size_t const n = values.size();
            return (values[(n - 1) / 2] + values[n / 2]) / 2;
        }

        // READ, what the memory gives: a plain sum over 512 MB by as many threads.
        class reader
        {
        public:
            static constexpr std::size_t bytes = std::size_t{512} << 20;

            double operator()(jackplane::team const& team) // seconds
            {
                auto const begin = clock::now();
                team(_memory.size() / unit, [&](std::size_t first, std::size_t last)
                {
                    std::array<std::uint64_t, unit> sum{};
                    for (std::uint64_t const *at = _memory.data() + first * unit, *end = _memory.data() + last * unit;
                         at != end; at += unit)
                        for (std::size_t i = 0; i < unit; ++i)
                            sum[i] += at[i];
                    for (std::uint64_t const part : sum)
                        _total += part;
                });
                return seconds_since(begin);
            }

        private:
            static constexpr std::size_t unit = 32;
            jackplane::aligned_vector<std::uint64_t> _memory =
                jackplane::aligned_vector<std::uint64_t>(bytes / sizeof(std::uint64_t), 1);
            std::atomic<std::uint64_t> _total = 0; // or nobody would sum
        };

        // One width and one kind of x: greedy decoding, every token timed.
        class runner
        {
        public:
            runner(engine::packed_model const& m, unsigned width, unsigned head, std::size_t tokens, std::string how,
                   jackplane::team const& team)
                : bits(width), head_bits(head), activation(std::move(how)),
                  weight_bytes(m.cost_at(m.mix(width, head)).packed_bytes),
                  _decode(m, m.mix(width, head), tokens, engine::activation_of(activation), team)
            {
            }

            unsigned bits, head_bits;
            std::string activation;
            std::size_t weight_bytes; // of one token
            engine::token last = 1;
            std::vector<double> seconds;

            double step()
            {
                auto const begin = clock::now();
                auto const logits = _decode(last);
                double const took = seconds_since(begin);
                last = static_cast<engine::token>(std::max_element(logits.begin(), logits.end()) - logits.begin());
                return took;
            }

        private:
            engine::decoder _decode;
        };

        struct bench_decode_command
        {
            std::string shape = "1b";
            decoding how; // its threads
            std::vector<std::string> activations{how.activation};
            std::vector<unsigned> bits{8, 7, 6, 5, 4, 3, 2, 1};
            unsigned head_bits = 8; // 0: those of the row
            std::size_t tokens = 16;
            bool json = false;

            void run() const
            {
                how.warn_of_threads();
                auto const m = engine::random_planes(engine::shape_of(shape), 1);
                jackplane::team const team(how.threads);
                reader read;
                std::vector<runner> runners;
                for (std::string const& activation : activations)
                    for (unsigned const width : bits)
                        runners.emplace_back(m, width, head_bits != 0 ? head_bits : width, tokens + 1, activation,
                                             team);
                std::vector<double> reads;
                read(team);
                for (runner& r : runners)
                    r.step(); // touches all memory, starts the team
                for (std::size_t i = 0; i < tokens; ++i) // in turns: what disturbs the machine disturbs all
                {
                    reads.push_back(read(team));
                    for (runner& r : runners)
                        r.seconds.push_back(r.step());
                }
                print(m, static_cast<double>(reader::bytes) / median(reads), runners);
            }

        private:
            void print(engine::packed_model const& m, double read_rate, std::vector<runner> const& runners) const
            {
                nlohmann::ordered_json rows = nlohmann::ordered_json::array();
                if (!json)
                    std::printf("%s: %.1f M packed weights, groups of 64, the output head among them, at %s bits; %u "
                                "threads, kernels %s\n"
                                "READ %.1f GB/s; tokens are generated one by one, rows in turns\n\n"
                                "      x | bits | tokens/s | ms/token |  best ms | MB/token | GB/s of weights | "
                                "of READ\n"
                                "--------|------|----------|----------|----------|----------|-----------------|"
                                "--------\n",
                                shape.c_str(), static_cast<double>(m.table.tuned_size()) / 1e6,
                                head_bits != 0 ? std::to_string(head_bits).c_str() : "the same", how.threads,
                                engine::kernels_name(), read_rate / 1e9);
                for (runner const& r : runners)
                {
                    double const middle = median(r.seconds), bytes = static_cast<double>(r.weight_bytes);
                    double const best = *std::min_element(r.seconds.begin(), r.seconds.end());
                    if (json)
                        rows.push_back({{"activation", r.activation},
                                        {"bits", r.bits},
                                        {"head_bits", r.head_bits},
                                        {"tokens_per_second", 1 / middle},
                                        {"ms_per_token", 1e3 * middle},
                                        {"best_ms_per_token", 1e3 * best},
                                        {"weight_bytes_per_token", r.weight_bytes},
                                        {"bytes_per_second", bytes / middle},
                                        {"read_fraction", bytes / middle / read_rate},
                                        {"last_token", r.last}});
                    else
                        std::printf("%7s | %4u | %8.2f | %8.2f | %8.2f | %8.1f | %15.2f | %6.1f%%\n",
                                    r.activation.c_str(), r.bits, 1 / middle, 1e3 * middle, 1e3 * best, bytes / 1e6,
                                    bytes / middle / 1e9, 100 * bytes / middle / read_rate);
                }
                if (json)
                    print_json({{"shape", shape},
                                {"packed_weights", m.table.tuned_size()},
                                {"threads", how.threads},
                                {"tokens", tokens},
                                {"kernels", engine::kernels_name()},
                                {"read_bytes_per_second", read_rate},
                                {"rows", rows}});
            }
        };
    }

    void add_bench_decode(CLI::App& app)
    {
        auto const c = std::make_shared<bench_decode_command>();
        CLI::App* const sub = app.add_subcommand(
            "bench-decode", "Tokens generated per second on random weights at each width, bound by memory");
        sub->add_option("--shape", c->shape, "sizes of the model")
            ->check(CLI::IsMember(engine::shape_names()))
            ->capture_default_str();
        sub->add_option("--bits", c->bits, "widths, such as 8,4,2; default: all")
            ->delimiter(',')
            ->check(CLI::Range(1u, 8u));
        sub->add_option("--head-bits", c->head_bits, "width of the output head; 0: that of the row")
            ->check(CLI::Range(0u, 8u))
            ->capture_default_str();
        add_activation(*sub, c->activations)->delimiter(',')->capture_default_str();
        c->how.add_threads_to(*sub);
        sub->add_option("--tokens", c->tokens, "tokens to time; medians are reported")
            ->check(CLI::Range(1, 1024))
            ->capture_default_str();
        sub->add_flag("--json", c->json, "report as JSON");
        sub->callback([c] { c->run(); });
    }
}
