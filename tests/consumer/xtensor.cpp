// SPDX-License-Identifier: BSD-3-Clause
#include <jackplane/core/tensor.hpp>

// An xtensor matrix is seen through a view, without a copy.
int main()
{
    jackplane::matrix<float> m = {{1, 2, 3}, {4, 5, 6}};
    auto const view = jackplane::view_of(m);
    return view.rows == 2 && view.cols == 3 && view(1, 2) == 6 && view.data == m.data() ? 0 : 1;
}
