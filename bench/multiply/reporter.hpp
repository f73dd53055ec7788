// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <benchmark/benchmark.h>
#include <fstream>
#include <string>

namespace bench
{
    // One table and one JSON file from several runs of Google Benchmark, one for each shape. The table shows medians
    // alone, the file every repetition. Names lose the "/process_time/real_time" at their end.
    class reporter : public benchmark::BenchmarkReporter
    {
    public:
        // file: empty for none. Throws io_error.
        explicit reporter(std::string const& file);
        ~reporter() override;

        bool ReportContext(Context const& context) override;
        void ReportRuns(std::vector<Run> const& runs) override;

    private:
        benchmark::ConsoleReporter m_console;
        benchmark::JSONReporter m_json;
        std::ofstream m_out;
        bool m_begun = false;
    };
}
