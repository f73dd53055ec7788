// SPDX-License-Identifier: BSD-3-Clause
// bench_multiply: y = A x by our kernels and by other libraries in one process, in random order, one shape at a time,
// between passes of READ.
//     multiply/<layout>/<bits>b/g<group>/<activation>[@<arch>]/[n<vectors>/]<rows>x<cols>/t<threads>/<cold|llc>
//     peer/<library>/<type>/[n<vectors>/]<rows>x<cols>/t<threads>/<cold|llc>
//     READ/<loop>/t<threads>    PEAK/dot/t<threads>, where several x are multiplied
// Without @ it is the best arch. cold: different matrices of more than 512 MB in all take turns; llc: one matrix again
// and again. n<vectors>: so many x are multiplied together; without it one. Preparing x is inside the time; the answer
// is checked before.
// bytes_per_second counts all that is read of a matrix; read_fraction is that over READ/sum, whose passes are timed
// right before and after.
#include "multiply/activations.hpp"
#include "multiply/archs.hpp"
#include "multiply/memory.hpp"
#include "multiply/peak.hpp"
#include "multiply/read.hpp"
#include "multiply/reporter.hpp"
#include "peers/peer.hpp"
#include <jackplane/multiply/multiply.hpp>
#include <CLI/CLI.hpp>
#include <algorithm>
#include <fstream>
#include <iostream>
#include <set>

namespace
{
    using namespace bench;

    // What /proc/cpuinfo calls it; "unknown" elsewhere.
    std::string cpu_model()
    {
        std::ifstream info("/proc/cpuinfo");
        for (std::string line; std::getline(info, line);)
            if (line.rfind("model name", 0) == 0 && line.find(": ") != std::string::npos)
                return line.substr(line.find(": ") + 2);
        return "unknown";
    }

    void add_context()
    {
        benchmark::AddCustomContext("cpu", cpu_model());
        benchmark::AddCustomContext("arch", jackplane::best_arch::name());
#if defined(__clang__)
        benchmark::AddCustomContext("compiler", "clang " __clang_version__);
#else
        benchmark::AddCustomContext("compiler", "g++ " __VERSION__);
#endif
        benchmark::AddCustomContext("flags", BENCH_FLAGS);
        benchmark::AddCustomContext("huge_pages", uses_huge_pages() ? "asked for" : "no");
        for (char const* const name : {"ggml", "openblas", "eigen"})
            if (std::ranges::none_of(peers(), [&](peer const& p) { return std::string(p.name) == name; }))
                std::cerr << name << ": this program was built without it, its rows are skipped\n";
    }

    void run_shape(options const& o, shape s, reporter& into)
    {
        benchmark::ClearRegisteredBenchmarks();
        for (unsigned const threads : o.threads)
        {
            add_read(threads);
            if (std::ranges::any_of(o.vectors, [](std::size_t n) { return n > 1; }))
                add_peak(threads);
        }
        for (named_activation const& a : activations)
            if (std::ranges::find(o.activations, a.name) != o.activations.end())
                a.add(o, s);
        for (peer const& p : peers())
        {
            static std::set<std::string> said;
            std::string const word = jackplane::text(p.name, ": ", p.add(o, s));
            if (word != jackplane::text(p.name, ": ") && said.insert(word).second)
                std::cerr << word << "; these rows are skipped\n";
        }
        benchmark::RunSpecifiedBenchmarks(&into);
        forget_sets(); // while the libraries that free them are there
    }
}

int main(int argc, char** argv)
{
    options o;
    o.archs = {best_arch_name()};
    std::vector<std::string> names;
    for (named_activation const& a : activations)
        names.push_back(a.name);
    std::size_t mebibytes = 4096;
    bool huge = false;
    std::string out;

    CLI::App app("Matrix times vector at every width. Lists are separated by commas. Other options go on to Google "
                 "Benchmark (--benchmark_filter=..., --benchmark_repetitions=5, ...).");
    app.allow_extras();
    app.add_option("--rows", o.rows, "with --cols: all pairs; default 4096x4096 and 4096x14336")->delimiter(',');
    app.add_option("--cols", o.cols)->delimiter(',');
    app.add_option("--bits", o.bits, "default 2 to 8; a layout leaves out what it has not")->delimiter(',');
    app.add_option("--group", o.groups, "columns that share a scale; default 64")->delimiter(',');
    app.add_option("--threads", o.threads, "default 1,2")->delimiter(',')->check(CLI::Range(1, 1024));
    app.add_option("--vectors", o.vectors, "that are multiplied together; default 1")->delimiter(',');
    auto const list = [&](char const* name, std::vector<std::string>& into, std::vector<std::string> const& known)
    { app.add_option(name, into)->delimiter(',')->check(CLI::IsMember(known)); };
    list("--activation", o.activations, names);
    list("--arch", o.archs, arch_names());
    list("--layout", o.layouts,
         {"1x8", "2x4", "4x2", "2-2-4", "8", "1x8-overlapping", "1x4-nf4", "4-table", "2-1-table", "2-table"});
    list("--cache", o.caches, {"cold", "llc"});
    app.add_option("--ggml", o.ggml, "folder of libggml-base.so and libggml-cpu-*.so");
    app.add_option("--ggml-cpu", o.ggml_cpu, "variant, such as haswell; default: the best for this machine");
    app.add_option("--memory", mebibytes, "MiB of matrices kept from one benchmark to the next");
    app.add_flag("--huge", huge, "ask for huge pages");
    app.add_option("--benchmark_out", out, "JSON file");
    CLI11_PARSE(app, argc, argv);
    for (std::string const& arch : o.archs)
        if (arch != best_arch_name() && o.layouts != std::vector<std::string>{"1x8"})
            std::cerr << arch << ": was built for layout 1x8 alone\n";

    std::vector<shape> shapes;
    if (o.rows.empty() && o.cols.empty())
        shapes = {{4096, 4096}, {4096, 14336}};
    for (std::size_t const rows : o.rows.empty() && !o.cols.empty() ? std::vector<std::size_t>{4096} : o.rows)
        for (std::size_t const cols : o.cols.empty() ? std::vector<std::size_t>{4096} : o.cols)
            shapes.push_back({rows, cols});
    keep_at_most(mebibytes << 20);
    use_huge_pages(huge);

    std::vector<std::string> arguments{argv[0], "--benchmark_repetitions=5", "--benchmark_min_time=0.2",
                                       "--benchmark_enable_random_interleaving=true"};
    std::ranges::copy(app.remaining(), std::back_inserter(arguments));
    std::vector<char*> pointers;
    for (std::string& argument : arguments)
        pointers.push_back(argument.data());
    int count = static_cast<int>(pointers.size());
    benchmark::Initialize(&count, pointers.data());
    if (benchmark::ReportUnrecognizedArguments(count, pointers.data()))
        return 1;
    try
    {
        add_context();
        reporter into(out);
        for (shape const s : shapes)
            run_shape(o, s, into);
    }
    catch (std::exception const& e)
    {
        std::cerr << e.what() << '\n';
        return 1;
    }
    return 0;
}
