// SPDX-License-Identifier: BSD-3-Clause
#include "../engine/keep/program.hpp"
#include "commands.hpp"
#include "numbers.hpp"
#include <jackplane/core/check.hpp>
#include <jackplane/core/version.hpp>
#include <jackplane/store/reject.hpp>
#include <cblas.h>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <new>
#include <string>

namespace
{
    // Which options of the command make it need less.
    void tell_out_of_memory(CLI::App const& app)
    {
        std::string smaller;
        try
        {
            for (CLI::App const* const command : app.get_subcommands())
                for (char const* const name : {"--nsamples", "--seqlen", "--context", "--batch", "--shape"})
                    if (command->get_option_no_throw(name) != nullptr)
                        smaller += (smaller.empty() ? "; less is needed with a smaller " : ", ") + std::string(name);
        }
        catch (std::bad_alloc const&) // no room for that, either
        {
        }
        std::fprintf(stderr, "jackplane: out of memory%s\n", smaller.c_str());
    }

    int run(int argc, char** argv)
    {
        openblas_set_num_threads(1); // we run windows side by side instead
        CLI::App app{jackplane::text("jackplane ", JACKPLANE_VERSION_MAJOR, ".", JACKPLANE_VERSION_MINOR, ".",
                                     JACKPLANE_VERSION_PATCH, ": quantize a language model once, run it at any width")};
        app.name("jackplane");
        app.require_subcommand(1);
        app.failure_message(
            [](CLI::App const*, CLI::Error const& e)
            { return "jackplane: " + jackplane::detail::one_line(e.what()) + " (--help shows the usage)\n"; });
        cli::add_quantize(app);
        cli::add_inspect(app);
        cli::add_cut(app);
        cli::add_export(app);
        cli::add_eval(app);
        cli::add_generate(app);
        cli::add_allocate(app);
        cli::add_sensitivity(app);
        cli::add_bench_decode(app);
        cli::check_numbers(app);
        try
        {
            try
            {
                app.parse(argc, argv);
            }
            catch (CLI::ParseError const& e)
            {
                if (app.exit(e) != 0) // --help is no error
                    return 2;
            }
            engine::flush_report();
        }
        catch (std::bad_alloc const&)
        {
            tell_out_of_memory(app);
            return 1;
        }
        catch (std::exception const& e)
        {
            std::fprintf(stderr, "jackplane: %s\n", jackplane::detail::one_line(e.what()).c_str());
            return 1;
        }
        return 0;
    }
}

// jackplane: quantize a model once, look at it, cut it, export it, score it, let it write; measure a machine.
// Exit codes: 0 done; 1 bad data, with one line that says where; 2 bad usage.
int main(int argc, char** argv)
{
    engine::begin_program();
    int const code = run(argc, argv);
    std::fflush(nullptr);
    std::_Exit(code); // at an orderly exit OpenBLAS waits for ever for threads that little memory kept from starting
}
