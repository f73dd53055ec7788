// SPDX-License-Identifier: BSD-3-Clause
// peer/eigen/f32/...: one thread, since its matrix-vector product has no more.
#include "floats.hpp"
#include <Eigen/Core>

namespace bench
{
    namespace
    {
        struct gemv
        {
            shape s;
            void operator()(float const* a, float const* x, float* y) const
            {
                using row_major = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
                auto const rows = static_cast<Eigen::Index>(s.rows), cols = static_cast<Eigen::Index>(s.cols);
                Eigen::Map<Eigen::VectorXf>(y, rows).noalias() =
                    Eigen::Map<row_major const>(a, rows, cols) * Eigen::Map<Eigen::VectorXf const>(x, cols);
            }
        };

        std::string add_eigen(options const& o, shape s)
        {
            static bool const said = (benchmark::AddCustomContext("eigen", Eigen::SimdInstructionSetsInUse()), true);
            static_cast<void>(said);
            for_each_run(o, [&](std::size_t vectors, unsigned threads, bool cold)
            {
                auto make = [=] { return std::make_unique<float_product<gemv>>(float_set(s, cold), s, gemv{s}); };
                if (vectors == 1 && threads == 1)
                    add({"peer/eigen/f32/" + end_of_name(s, 1, 1, cold), s, 1, 1, make});
            });
            return {};
        }

        [[maybe_unused]] bool const registered = (peers().push_back({"eigen", add_eigen}), true);
    }
}
