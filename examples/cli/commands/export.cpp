// SPDX-License-Identifier: BSD-3-Clause
#include "../../engine/pack/nested_model.hpp"
#include "../../engine/write/words/checkpoint.hpp"
#include "../commands.hpp"
#include "../options/head.hpp"
#include "../terminal.hpp"
#include <cstdio>
#include <memory>
#include <string>

namespace cli
{
    namespace
    {
        struct export_command
        {
            std::string from, to, format;
            unsigned bits = 0, head_bits = 0; // 0: the widest there is
            bool json = false;

            void run() const
            {
                engine::packed_model const m = engine::load_nested(from);
                m.expect_width(bits, from);
                unsigned const of_head = head_width(m, bits, head_bits, from);
                engine::verify_nested(from, m, m.mix(bits, of_head));
                engine::words_checkpoint const made(m, from, format, bits, of_head);
                auto const bytes = made.save(to);
                auto const& s = made.settings();
                auto const& head = m.table.parameters()[m.head()].name;
                bool const decoded = m.head_is_packed();
                if (json)
                    return print_json(
                        {{"output", to},
                         {"format", format},
                         {"bits", s.bits},
                         {"group_size", s.group == 0 ? nlohmann::ordered_json(-1) : nlohmann::ordered_json(s.group)},
                         {"symmetric", s.symmetric},
                         {"layers", made.layers()},
                         {"head", head},
                         {"head_bits", decoded ? nlohmann::ordered_json(of_head) : nullptr},
                         {"head_type", jackplane::dtype_name(made.head_type())},
                         {"bytes", bytes}});
                std::string const columns = s.group == 0 ? "whole rows" : engine::text("groups of ", s.group);
                std::printf("%s: %s, %zu layers of %u bits, %s, %s, %s\n", to.c_str(), format.c_str(), made.layers(),
                            s.bits, columns.c_str(), s.symmetric ? "symmetric" : "with zeros",
                            megabytes(static_cast<double>(bytes)).c_str());
                if (decoded)
                    std::printf("%s: decoded from %u bits and stored as %s, which these formats hold as numbers\n",
                                head.c_str(), of_head, jackplane::dtype_name(made.head_type()).data());
            }
        };
    }

    void add_export(CLI::App& app)
    {
        auto const c = std::make_shared<export_command>();
        CLI::App* const sub =
            app.add_subcommand("export", "One width of a nested file as a checkpoint that other engines read");
        sub->add_option("file", c->from, "nested file")->required()->check(CLI::ExistingFile);
        sub->add_option("--bits", c->bits, "width of the layers")->required()->check(CLI::Range(1u, 8u));
        sub->add_option("--format", c->format, "how linear layers are stored")
            ->required()
            ->check(CLI::IsMember(engine::words_format_names()));
        add_head_bits(*sub, c->head_bits, "width at which a packed output head is decoded; default: the widest");
        sub->add_option("-o,--output", c->to, "folder to write, new or empty")->required();
        sub->add_flag("--json", c->json, "report as JSON");
        sub->callback([c] { c->run(); });
    }
}
