// SPDX-License-Identifier: BSD-3-Clause
#include "reporter.hpp"
#include <jackplane/core/check.hpp>
#include <iostream>

namespace bench
{
    reporter::reporter(std::string const& file) : m_console(benchmark::ConsoleReporter::OO_None)
    {
        m_console.SetOutputStream(&std::cout);
        m_console.SetErrorStream(&std::cerr);
        if (file.empty())
            return;
        m_out.open(file);
        if (!m_out)
            jackplane::fail<jackplane::io_error>(jackplane::text("cannot write ", file));
        m_json.SetOutputStream(&m_out);
        m_json.SetErrorStream(&std::cerr);
    }

    reporter::~reporter()
    {
        if (m_begun && m_out.is_open())
            m_json.Finalize();
    }

    bool reporter::ReportContext(Context const& context)
    {
        if (m_begun)
            return true;
        m_begun = true;
        bool const shown = m_console.ReportContext(context);
        return shown && (!m_out.is_open() || m_json.ReportContext(context));
    }

    void reporter::ReportRuns(std::vector<Run> const& runs)
    {
        std::vector<Run> all = runs, shown;
        for (Run& run : all)
        {
            run.run_name.time_type.clear();
            if (run.aggregate_name == "median" || run.error_occurred || run.repetitions <= 1)
                shown.push_back(run);
        }
        if (!shown.empty())
            m_console.ReportRuns(shown);
        if (m_out.is_open())
            m_json.ReportRuns(all);
        m_out.flush();
    }
}
