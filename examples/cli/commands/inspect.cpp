// SPDX-License-Identifier: BSD-3-Clause
#include "../commands.hpp"
#include "../dense_contents.hpp"
#include "../terminal.hpp"
#include <jackplane/store/nested_read.hpp>
#include <cstdio>
#include <memory>
#include <string>

namespace cli
{
    namespace
    {
        namespace nested = jackplane::nested;

        struct inspect_command
        {
            std::string path;
            bool json = false, verify = false;

            void run() const
            {
                if (engine::is_dense(path))
                    return show(dense_contents(path));
                nested::file const file = nested::open(path);
                if (verify)
                    file.verify();
                json ? as_json(file) : as_text(file);
            }

            void show(dense_contents const& found) const
            {
                if (verify)
                    throw CLI::ValidationError("--verify", "goes with nested files, which hold digests");
                json ? print_json(found.as_json(path)) : found.print(path);
            }

            void as_json(nested::file const& file) const
            {
                nlohmann::ordered_json out{{"file", path},
                                           {"bytes", file.size()},
                                           {"slice", file.described().slice},
                                           {"levels", nlohmann::ordered_json::array()},
                                           {"layers", nlohmann::ordered_json::array()},
                                           {"tensors", nlohmann::ordered_json::array()}};
                for (nested::level const& l : file.levels())
                    out["levels"].push_back({{"bits", l.bits},
                                             {"widest", file.described().bits_given(l.bits)}, // that it can be read at
                                             {"end", l.end},
                                             {"digest", l.digest}});
                for (auto const& [name, l] : file.described().layers)
                {
                    out["layers"].push_back({{"name", name},
                                             {"shape", {l.rows, l.cols}},
                                             {"group", l.group},
                                             {"codebook", l.codebook},
                                             {"bits", l.bits},
                                             {"planes", l.planes},
                                             {"scale", std::string(dtype_name(l.scale))},
                                             {"zero", l.zero}});
                    if (l.common != 0)
                        out["layers"].back()["common"] = l.common;
                    if (l.sparse)
                        out["layers"].back()["sparse"] = {{"nonzeros", l.sparse->nonzeros},
                                                          {"value", std::string(dtype_name(l.sparse->value))},
                                                          {"column", std::string(dtype_name(l.sparse->column))}};
                }
                for (auto const* t : file.plain())
                    out["tensors"].push_back({{"name", t->name},
                                              {"dtype", std::string(dtype_name(t->type))},
                                              {"shape", t->shape},
                                              {"bytes", t->bytes.size()}});
                print_json(out);
            }

            void as_text(nested::file const& file) const
            {
                std::printf("%s: %s, slice %s\n", path.c_str(), megabytes(static_cast<double>(file.size())).c_str(),
                            file.described().slice.c_str());
                for (nested::level const& l : file.levels())
                    if (unsigned const widest = file.described().bits_given(l.bits); widest != 0)
                        std::printf("  %u bits: the first %llu bytes\n", widest,
                                    static_cast<unsigned long long>(l.end));
                for (auto const& [name, l] : file.described().layers)
                {
                    std::printf("  %-48s %6llu x %-6llu %s%u, group %llu, scale %s, zero %s", name.c_str(),
                                static_cast<unsigned long long>(l.rows), static_cast<unsigned long long>(l.cols),
                                l.codebook.c_str(), l.bits, static_cast<unsigned long long>(l.group),
                                std::string(dtype_name(l.scale)).c_str(), l.zero.c_str());
                    if (l.common != 0)
                        std::printf(", %u bits at every width of the others", l.common);
                    if (l.sparse)
                        std::printf(", %llu weights beside it (%s)",
                                    static_cast<unsigned long long>(l.sparse->nonzeros),
                                    std::string(dtype_name(l.sparse->value)).c_str());
                    std::printf("\n");
                }
                for (auto const* t : file.plain())
                    std::printf("  %-48s %s %s\n", t->name.c_str(), std::string(dtype_name(t->type)).c_str(),
                                jackplane::safetensors::shape_text(t->shape).c_str());
            }
        };
    }

    void add_inspect(CLI::App& app)
    {
        auto const c = std::make_shared<inspect_command>();
        CLI::App* const sub = app.add_subcommand("inspect", "What a file or a folder of a model holds");
        sub->add_option("file", c->path, "a nested file, a GGUF file, or a Hugging Face folder")
            ->required()
            ->check(CLI::ExistingPath);
        sub->add_flag("--verify", c->verify, "read everything and compare digests");
        sub->add_flag("--json", c->json, "report as JSON");
        sub->callback([c] { c->run(); });
    }
}
