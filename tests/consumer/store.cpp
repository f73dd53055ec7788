// SPDX-License-Identifier: BSD-3-Clause
#include <jackplane/store/npy.hpp>
#include <jackplane/store/safetensors.hpp>
#include <cstdio>

// An array comes back from its file; bytes that are no safetensors file are refused with a sentence.
int main()
{
    using namespace jackplane;
    float const values[6] = {1, 2, 3, 4, 5, 6};
    npy::save<float>("consumer.npy", {2, 3}, values);
    auto const array = npy::open("consumer.npy");
    auto const damaged = safetensors::try_parse(std::as_bytes(std::span(values)), "damaged");
    std::printf("%s\n", damaged.error.c_str());
    bool const same = array.shape == npy::extents{2, 3} && array.read<float>()[5] == 6;
    return same && !damaged && !damaged.error.empty() ? 0 : 1;
}
