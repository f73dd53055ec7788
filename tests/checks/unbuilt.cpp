// SPDX-License-Identifier: BSD-3-Clause
// What test_kernels (tests/checks.cmake) was not asked for, and what it was: checks/misuse.cmake.
#include <jackplane/multiply/dispatch.hpp>
#include <jackplane/multiply/sparse.hpp>
#include <jackplane/pack/pack.hpp>

using namespace jackplane;

void missing(packed<bit_planes> const& bits, packed<planes<4>, nf4> const& built, csr<float> const& wide,
             std::vector<float> const& x, std::vector<float>& y)
{
    limbs<2>::prepared two;
    exact::prepared ready;
    multiply<dispatched>(bits, ready, y);  // says: not asked for the format of this matrix
    multiply<dispatched>(built, two, y);   // says: not asked for the activation that prepared
    limbs<2>{}.prepare<dispatched>(x, two);             // says: not asked for limbs of this number
    multiply<dispatched>(wide, ready, y);  // says: not asked for the type of this sparse matrix
    multiply<dispatched>(built, ready, y); // and what is there compiles
}
