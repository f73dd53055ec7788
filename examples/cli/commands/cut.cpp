// SPDX-License-Identifier: BSD-3-Clause
#include "../../engine/keep/inputs.hpp"
#include "../../engine/pack/nested_model.hpp"
#include "../commands.hpp"
#include "../options/head.hpp"
#include "../terminal.hpp"
#include <jackplane/store/cut.hpp>
#include <cstdio>
#include <memory>
#include <string>

namespace cli
{
    namespace
    {
        struct cut_command
        {
            std::string from, to;
            unsigned bits = 0, head_bits = 0; // 0: those there are
            bool json = false;

            void run() const
            {
                auto out = engine::inputs{from}.create(to);
                if (head_bits != 0)
                    engine::load_nested(from).expect_width_of_head(head_bits, from);
                jackplane::nested::file const whole = jackplane::nested::open(from);
                jackplane::nested::cut(whole, out, bits, head_bits != 0 ? head_bits : 8);
                auto const before = whole.size(), after = out.size();
                if (json)
                    print_json({{"output", to}, {"bits", bits}, {"bytes", after}, {"bytes_before", before}});
                else
                    std::printf("%s: %s of %s\n", to.c_str(), megabytes(static_cast<double>(after)).c_str(),
                                megabytes(static_cast<double>(before)).c_str());
            }
        };
    }

    void add_cut(CLI::App& app)
    {
        auto const c = std::make_shared<cut_command>();
        CLI::App* const sub = app.add_subcommand("cut", "A nested file of fewer bits, for any reader of safetensors");
        sub->add_option("file", c->from, "nested file")->required()->check(CLI::ExistingFile);
        sub->add_option("--bits", c->bits, "the widest width to keep")->required()->check(CLI::Range(1u, 8u));
        add_head_bits(*sub, c->head_bits, "the widest width of the output head to keep; default: all there are");
        sub->add_option("-o,--output", c->to, "nested file to write")->required();
        sub->add_flag("--json", c->json, "report as JSON");
        sub->callback([c] { c->run(); });
    }
}
