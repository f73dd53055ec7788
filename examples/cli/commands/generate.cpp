// SPDX-License-Identifier: BSD-3-Clause
#include "../../engine/run/generate.hpp"
#include "../../engine/pack/nested_model.hpp"
#include "../../engine/keep/program.hpp"
#include "../../engine/tokenize/tokenizer.hpp"
#include "../about.hpp"
#include "../clock.hpp"
#include "../commands.hpp"
#include "../options/decoding.hpp"
#include "../options/head.hpp"
#include "../terminal.hpp"
#include "../text_file.hpp"
#include "../warn.hpp"
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>

namespace cli
{
    namespace
    {
        struct generate_command
        {
            std::string model, prompt = "And it came to pass";
            unsigned bits = 0, head_bits = 0; // 0: the widest
            std::size_t count = 120;
            engine::sampling sampling;
            decoding how;
            bool json = false;

            void run() const
            {
                warn_about(model);
                auto const loaded = engine::load_nested(model);
                JACKPLANE_EXPECTS(!loaded.tokenizer.empty(), jackplane::format_error, model, ": no tokenizer inside");
                auto const words = engine::tokenizer::from_bytes(loaded.tokenizer, loaded.tokenizer_settings, model);
                warn_unless_utf8(prompt, "the prompt");
                auto const start = words->encode_from_start(prompt);
                engine::expect_tokens(start, {}, loaded.sizes, "the prompt");
                if (start.empty())
                    throw CLI::ValidationError("--prompt", "has no tokens, and " + model + " puts none before a text");
                std::size_t const context = loaded.sizes.context;
                JACKPLANE_EXPECTS(start.size() <= context, jackplane::shape_error, model, ": the prompt has ",
                                  start.size(), " tokens, the context ", context, "; shorten it");
                auto const readable = loaded.widths();
                JACKPLANE_EXPECTS(!readable.empty(), jackplane::width_error, model, ": no width that all layers offer");
                unsigned const asked = bits == 0 ? readable.back() : bits;
                loaded.expect_width(asked, model);
                unsigned const of_head = head_width(loaded, asked, head_bits, model);
                auto const every = loaded.mix(asked, of_head);
                engine::verify_nested(model, loaded, every);
                auto const [m, widths] = loaded.sliced(every);
                how.warn_of_threads();
                std::size_t const room = std::min(context, start.size() + count);
                engine::activation const as = engine::activation_of(how.activation);
                engine::decoder decode(m, widths, room, as, jackplane::team(how.threads), how.kv_bits);
                std::string text;
                if (!json)
                    std::fputs(prompt.c_str(), stdout);
                std::optional<clock::time_point> first; // when the prompt was read
                auto const begin = clock::now();
                auto const tell = [&](engine::token t)
                {
                    first = first.value_or(clock::now());
                    text += words->bytes(t);
                    if (!json)
                    {
                        std::fputs(words->bytes(t).c_str(), stdout);
                        engine::flush_report();
                    }
                };
                std::size_t const told =
                    about(model, [&] { return engine::generate(decode, start, count, sampling, tell); });
                double const prompt_rate = static_cast<double>(start.size()) / seconds_since(begin, *first);
                std::optional<double> rate; // of what was generated, but the first, which the prompt gives already
                if (told > 1)
                    rate = static_cast<double>(told - 1) / seconds_since(*first);
                if (json)
                    print_json({{"model", model},
                                {"bits", asked},
                                {"head_bits", of_head != 0 ? nlohmann::ordered_json(of_head) : nullptr},
                                {"activation", how.activation},
                                {"kv_bits", how.kv_bits},
                                {"matrices_in_fp32", engine::matrices_in_fp32(m, as)},
                                {"threads", how.threads},
                                {"prompt", prompt},
                                {"prompt_tokens", start.size()},
                                {"prompt_tokens_per_second", prompt_rate},
                                {"text", text},
                                {"tokens", told},
                                {"tokens_per_second", rate ? nlohmann::ordered_json(*rate) : nullptr}});
                else
                    std::fprintf(stderr, "\nprompt: %zu tokens, %.0f tokens/s; generated: %zu tokens, %s tokens/s\n",
                                 start.size(), prompt_rate, told,
                                 rate ? jackplane::text(std::lround(*rate)).c_str() : "-");
            }
        };
    }

    void add_generate(CLI::App& app)
    {
        auto const c = std::make_shared<generate_command>();
        CLI::App* const sub = app.add_subcommand("generate", "Continue a text on packed weights");
        sub->add_option("--model", c->model, "nested file")->required()->check(CLI::ExistingFile);
        sub->add_option("--bits", c->bits, "width; default: the widest")->check(CLI::Range(1u, 8u));
        add_head_bits(*sub, c->head_bits);
        sub->add_option("--prompt", c->prompt, "text to continue")->capture_default_str();
        sub->add_option("--tokens", c->count, "how many tokens to add")
            ->check(CLI::Range(1, 1 << 20))
            ->capture_default_str();
        sub->add_option("--temperature", c->sampling.temperature, "0: always the likeliest token")
            ->check(CLI::Range(0.0, 100.0))
            ->capture_default_str();
        sub->add_option("--top-k", c->sampling.top_k, "sample from this many of the likeliest tokens")
            ->check(CLI::Range(1, 1 << 20))
            ->capture_default_str();
        sub->add_option("--seed", c->sampling.seed, "of the random numbers: the same seed gives the same text")
            ->capture_default_str();
        c->how.add_to(*sub);
        sub->add_flag("--json", c->json, "report as JSON");
        sub->callback([c] { c->run(); });
    }
}
