// SPDX-License-Identifier: BSD-3-Clause
#include "../../engine/run/decode.hpp"
#include "../../engine/pack/random_model.hpp"
#include "../clock.hpp"
#include "../commands.hpp"
#include "../llama/model.hpp"
#include "../options/decoding.hpp"
#include "../table.hpp"
#include "../terminal.hpp"
#include "contestants.hpp"
#include <jackplane/core/team.hpp>
#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <random>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace cli
{
    namespace
    {
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

        struct bench_decode_command
        {
            std::string shape = "1b";
            decoding how; // its threads
            std::vector<std::string> activations{how.activation};
            std::vector<unsigned> bits{8, 7, 6, 5, 4, 3, 2, 1}, kv_bits{32};
            unsigned head_bits = 8; // 0: those of the row
            std::size_t tokens = 16, context = 0, prompt = 0, prompts = 3;
            std::string against{}; // folder of llama.cpp's libraries; empty: alone
            std::vector<std::string> types{"q8_0", "q6_k", "q5_k", "q4_k", "q4_0", "q3_k", "q2_k"};
            bool json = false;

            void run() const
            {
                how.warn_of_threads();
                std::vector<peer> peers;
                if (!against.empty())
                {
                    llama::open(against, llama::logged::errors);
                    for (std::string const& type : types)
                        for (llama::cache_type const kept : caches_beside())
                            peers.emplace_back(type, kept);
                }
                auto const m = engine::random_planes(engine::shape_of(shape), 1);
                jackplane::team const team(how.threads);
                reader read;
                std::vector<runner> runners;
                for (std::string const& activation : activations)
                    for (unsigned const width : bits)
                        for (unsigned const kept : kv_bits)
                            runners.emplace_back(m, width, head_bits != 0 ? head_bits : width, room(), activation, team,
                                                 kept);
                std::vector<double> reads;
                read(team);
                auto const race = [&](std::vector<runner*> const& ours, std::vector<peer*> const& theirs)
                { time(m.sizes, ours, theirs, [&] { reads.push_back(read(team)); }); };
                if (peers.empty())
                    race(all_of(runners, [](runner const&) { return true; }), {});
                for (unsigned width = 0; width <= 32; ++width)
                    if (auto const theirs = all_of(peers, [=](peer const& p) { return p.bits == width; });
                        !theirs.empty())
                        race(all_of(runners, [&](runner const& r) { return peer::nearest(peers, r.bits) == width; }),
                             theirs);
                print(m, static_cast<double>(reader::bytes) / median(reads), runners, peers);
            }

        private:
            std::size_t room() const { return std::max(context + tokens + 1, prompt); }

            // llama.cpp's types of keys and values, each once.
            std::vector<llama::cache_type> caches_beside() const
            {
                std::vector<llama::cache_type> all;
                for (unsigned const kept : kv_bits)
                    if (auto const type = cache_beside(kept); std::find(all.begin(), all.end(), type) == all.end())
                        all.push_back(type);
                return all;
            }

            template <class T, class Good>
            static std::vector<T*> all_of(std::vector<T>& from, Good const& good)
            {
                std::vector<T*> all;
                for (T& each : from)
                    if (good(each))
                        all.push_back(&each);
                return all;
            }

            // In turns: what disturbs the machine disturbs all.
            template <class Read>
            void time(engine::config const& sizes, std::vector<runner*> const& ours, std::vector<peer*> const& theirs,
                      Read const& read) const
            {
                std::vector<std::unique_ptr<llama_model>> models;
                for (peer const* const p : theirs)
                    models.push_back(std::make_unique<llama_model>(sizes, p->type, p->head(head_bits), room(),
                                                                   how.threads, p->cache));
                auto const each = [&](auto const& body)
                {
                    for (runner* const r : ours)
                        body(*r, r->decode);
                    for (std::size_t i = 0; i < theirs.size(); ++i)
                        body(*theirs[i], *models[i]);
                };
                if (context != 0)
                    each([&](times&, auto& decode) { decode.pretend(context); });
                each([](times& t, auto& decode) { t.step(decode); }); // touches all memory, starts the team
                for (std::size_t i = 0; i < tokens; ++i)
                {
                    read();
                    each([](times& t, auto& decode) { t.seconds.push_back(t.step(decode)); });
                }
                std::minstd_rand draw(1);
                std::vector<engine::token> text(prompt);
                for (engine::token& t : text)
                    t = static_cast<engine::token>(draw() % sizes.vocabulary);
                for (std::size_t i = 0; prompt != 0 && i < prompts; ++i)
                    each([&](times& t, auto& decode) { t.prompt_seconds.push_back(t.prompt(decode, text)); });
            }

            // What is faster than all others of the nearest width, by its rate.
            template <class Rate>
            static void compare(nlohmann::ordered_json& row, runner const& r, std::vector<peer> const& peers,
                                std::string const& before, Rate const& rate)
            {
                peer const* best = nullptr;
                for (peer const& p : peers)
                    if (p.bits == peer::nearest(peers, r.bits) && p.cache == cache_beside(r.kv_bits) &&
                        (best == nullptr || rate(p) > rate(*best)))
                        best = &p;
                if (best == nullptr)
                    return;
                row[before + "against"] = best->type.name;
                row[before + "against_cache"] = llama::name_of(best->cache);
                row[before + "ratio"] = rate(r) / rate(*best);
            }

            void print(engine::packed_model const& m, double read_rate, std::vector<runner> const& runners,
                       std::vector<peer> const& peers) const
            {
                auto const rate = [](times const& t) { return 1 / median(t.seconds); };
                auto const prompt_rate = [this](times const& t)
                { return static_cast<double>(prompt) / median(t.prompt_seconds); };
                nlohmann::ordered_json rows = nlohmann::ordered_json::array(), others = rows;
                for (runner const& r : runners)
                {
                    double const middle = median(r.seconds), bytes = static_cast<double>(r.weight_bytes);
                    double const best = *std::min_element(r.seconds.begin(), r.seconds.end());
                    rows.push_back({{"activation", r.activation},
                                    {"bits", r.bits},
                                    {"head_bits", r.head_bits},
                                    {"kv_bits", r.kv_bits},
                                    {"tokens_per_second", rate(r)},
                                    {"ms_per_token", 1e3 * middle},
                                    {"best_ms_per_token", 1e3 * best},
                                    {"weight_bytes_per_token", r.weight_bytes},
                                    {"bytes_per_second", bytes / middle},
                                    {"read_fraction", bytes / middle / read_rate},
                                    {"last_token", r.last}});
                    compare(rows.back(), r, peers, "", rate);
                    if (prompt == 0)
                        continue;
                    rows.back()["prompt_tokens_per_second"] = prompt_rate(r);
                    compare(rows.back(), r, peers, "prompt_", prompt_rate);
                }
                for (peer const& p : peers)
                {
                    others.push_back({{"type", p.type.name},
                                      {"bits", p.bits},
                                      {"head_type", p.head(head_bits).name},
                                      {"cache", llama::name_of(p.cache)},
                                      {"tokens_per_second", rate(p)},
                                      {"ms_per_token", 1e3 / rate(p)}});
                    if (prompt != 0)
                        others.back()["prompt_tokens_per_second"] = prompt_rate(p);
                }
                std::string const beside = peers.empty() ? "" : llama::kernels();
                if (json)
                {
                    nlohmann::ordered_json report{{"shape", shape},
                                                  {"packed_weights", m.table.tuned_size()},
                                                  {"threads", how.threads},
                                                  {"tokens", tokens},
                                                  {"context", context},
                                                  {"kernels", engine::kernels_name()},
                                                  {"read_bytes_per_second", read_rate},
                                                  {"rows", rows}};
                    if (prompt != 0)
                        report["prompt"] = prompt;
                    if (!peers.empty())
                        report["against"] = {{"kernels", beside}, {"rows", others}};
                    return print_json(report);
                }
                std::printf("%s: %.1f M packed weights, groups of 64, the output head among them, at %s bits; %u "
                            "threads, kernels %s\n"
                            "READ %.1f GB/s; tokens are generated one by one behind %zu, rows in turns\n\n",
                            shape.c_str(), static_cast<double>(m.table.tuned_size()) / 1e6,
                            head_bits != 0 ? std::to_string(head_bits).c_str() : "the same", how.threads,
                            engine::kernels_name(), read_rate / 1e9, context);
                print_table(rows, columns);
                if (peers.empty())
                    return;
                std::printf("\nllama.cpp, kernels %s\n\n", beside.c_str());
                print_table(others, columns);
            }

            static constexpr column columns[] = {{"      x", "activation"},
                                                 {"type", "type"},
                                                 {"bits", "bits"},
                                                 {"head", "head_type"},
                                                 {"kv", "kv_bits"},
                                                 {"  kv", "cache"},
                                                 {"tokens/s", "tokens_per_second", 2},
                                                 {"ms/token", "ms_per_token", 2},
                                                 {" best ms", "best_ms_per_token", 2},
                                                 {"MB/token", "weight_bytes_per_token", 1, 1e-6},
                                                 {"GB/s of weights", "bytes_per_second", 2, 1e-9},
                                                 {"% of READ", "read_fraction", 1, 100},
                                                 {" ratio", "ratio", 2},
                                                 {"  to", "against"},
                                                 {"prompt tokens/s", "prompt_tokens_per_second", 1},
                                                 {" ratio", "prompt_ratio", 2},
                                                 {"  to", "prompt_against"}};
        };
    }

    void add_bench_decode(CLI::App& app)
    {
        auto const c = std::make_shared<bench_decode_command>();
        CLI::App* const sub = app.add_subcommand(
            "bench-decode", "Tokens per second on random weights at each width: generated, and of prompts");
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
        add_kv_bits(*sub, c->kv_bits)->delimiter(',')->capture_default_str();
        c->how.add_threads_to(*sub);
        sub->add_option("--tokens", c->tokens, "tokens to time; medians are reported")
            ->check(CLI::Range(1, 1024))
            ->capture_default_str();
        sub->add_option("--context", c->context, "tokens that stand in the cache before those that are timed")
            ->check(CLI::Range(0, 1 << 20))
            ->capture_default_str();
        sub->add_option("--prompt", c->prompt, "time prompts of so many tokens, too; 512 where no number follows")
            ->check(CLI::Range(1, 1 << 16))
            ->expected(0, 1)
            ->default_str("512");
        sub->add_option("--prompts", c->prompts, "how often; medians are reported")
            ->check(CLI::Range(1, 1024))
            ->capture_default_str();
        auto* const against =
            sub->add_option("--against", c->against, "folder of libllama.so: the same shape by llama.cpp, in turns")
                ->check(CLI::ExistingDirectory);
        sub->add_option("--against-types", c->types, "its types of blocks")
            ->delimiter(',')
            ->check(CLI::IsMember(engine::random_block_types()))
            ->needs(against)
            ->capture_default_str();
        sub->add_flag("--json", c->json, "report as JSON");
        sub->callback([c] { c->run(); });
    }
}
