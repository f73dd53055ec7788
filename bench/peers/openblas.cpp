// SPDX-License-Identifier: BSD-3-Clause
// peer/openblas/f32/...: sgemv.
#include "floats.hpp"
#include <cblas.h>
#include <chrono>
#include <thread>

namespace bench
{
    namespace
    {
        struct sgemv
        {
            shape s;
            unsigned threads;
            void operator()(float const* a, float const* x, float* y) const
            {
                auto const rows = static_cast<blasint>(s.rows), cols = static_cast<blasint>(s.cols);
                openblas_set_num_threads(static_cast<int>(threads));
                cblas_sgemv(CblasRowMajor, CblasNoTrans, rows, cols, 1, a, cols, x, 1, 0, y, 1);
            }
        };

        class sgemv_product : public float_product<sgemv>
        {
        public:
            using float_product::float_product;
            // Its threads spin for some ten milliseconds and cannot be asked to sleep.
            void rest() override { std::this_thread::sleep_for(std::chrono::milliseconds(100)); }
        };

        std::string add_openblas(options const& o, shape s)
        {
            static bool const said = (benchmark::AddCustomContext("openblas", openblas_get_config()),
                                      benchmark::AddCustomContext("openblas_kernels", openblas_get_corename()), true);
            static_cast<void>(said);
            for_each_run(o, [&](std::size_t vectors, unsigned threads, bool cold)
            {
                auto make = [=]
                { return std::make_unique<sgemv_product>(float_set(s, cold), s, sgemv{s, threads}); };
                if (vectors == 1)
                    add({"peer/openblas/f32/" + end_of_name(s, 1, threads, cold), s, threads, 1, make});
            });
            return {};
        }

        [[maybe_unused]] bool const registered = (peers().push_back({"openblas", add_openblas}), true);
    }
}
