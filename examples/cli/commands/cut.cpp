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
                jackplane::nested::file const whole = jackplane::nested::open(from);
                jackplane::nested::settings const& s = whole.described();
                JACKPLANE_EXPECTS(head_bits == 0 || s.has_common_layers(), jackplane::value_error, from,
                                  ": --head-bits: the output head is dense, or (in an older file) one of the layers, "
                                  "which --bits cuts");
                jackplane::nested::cut(whole, out, bits, head_bits);
                auto const before = whole.size(), after = out.size();
                unsigned const planes = s.bits_read(bits), of_head = head_bits != 0 ? s.bits_read(head_bits) : 0;
                if (json)
                    return print_json({{"output", to},
                                       {"bits", bits},
                                       {"bits_kept", planes}, // which a slice that rounds reads for them
                                       {"head_bits", of_head != 0 ? nlohmann::ordered_json(head_bits) : nullptr},
                                       {"head_bits_kept", of_head != 0 ? nlohmann::ordered_json(of_head) : nullptr},
                                       {"bytes", after},
                                       {"bytes_before", before}});
                std::printf("%s: %s of %s\n", to.c_str(), megabytes(static_cast<double>(after)).c_str(),
                            megabytes(static_cast<double>(before)).c_str());
                if (planes != bits)
                    std::printf("%u bits are read from %u (%s)\n", bits, planes, s.slice.c_str());
                if (of_head != head_bits)
                    std::printf("%u bits of the output head are read from %u (%s)\n", head_bits, of_head,
                                s.slice.c_str());
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
