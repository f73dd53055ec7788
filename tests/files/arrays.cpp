// SPDX-License-Identifier: BSD-3-Clause
// files_arrays FOLDER: reads what arrays.py wrote there, FOLDER/numpy.*, and writes it again as FOLDER/ours.*. Tensors
// x.TYPE, and x.npy, must be files::sample().
#include <cstdio>
#include <filesystem>
#include <jackplane/store/npy.hpp>
#include <jackplane/store/safetensors.hpp>
#include <jackplane/store/safetensors_write.hpp>
#include "../store/files.hpp"
using namespace jackplane;

namespace
{
    std::size_t differing(aligned_vector<float> const& x, float (*rounded)(float))
    {
        auto const wanted = files::sample();
        std::size_t wrong = x.size() != wanted.size();
        for (std::size_t i = 0; i < std::min(x.size(), wanted.size()); ++i)
            wrong += x[i] != rounded(wanted[i]);
        return wrong;
    }
    template <class T>
    float through(float x)
    {
        return to_float(from_float<T>(x));
    }
    std::size_t read_and_write(std::filesystem::path const& from, std::filesystem::path const& to)
    {
        auto const file = safetensors::open(from);
        std::vector<safetensors::item> items;
        for (auto const& [name, t] : file.tensors())
            items.push_back({name, t.type, t.shape, t.bytes, {}});
        safetensors::save(to, items, file.metadata());
        auto const x = [&](char const* name) { return safetensors::read<float>(file.at(name)); };
        auto const same = [](float v) { return v; };
        return differing(x("x.F64"), same) + differing(x("x.F32"), same) + differing(x("x.F16"), through<half>) +
               differing(x("x.BF16"), through<bfloat16>);
    }
    template <class... T>
    void copy(std::filesystem::path const& folder)
    {
        auto const one = [&]<class U>(U)
        {
            std::string const name = text(".", dtype_name(dtype_of<U>), ".npy");
            auto const a = npy::open(folder / ("numpy" + name));
            npy::save<U>(folder / ("ours" + name), a.shape, a.read<U>());
        };
        (one(T{}), ...);
    }
}

int main(int argc, char** argv)
{
    if (argc != 2)
        return std::fprintf(stderr, "usage: files_arrays FOLDER\n"), 2;
    std::filesystem::path const folder = argv[1];
    std::size_t wrong = 0;
    for (auto const* layout : {"wide_first", "unaligned"})
        wrong += read_and_write(folder / text("numpy.", layout), folder / text("ours.", layout));
    wrong += differing(npy::open(folder / "numpy.x.npy").read<float>(), [](float v) { return v; });
    copy<half, float, double, std::int8_t, std::uint8_t, std::int16_t, std::uint16_t, std::int32_t, std::uint32_t,
         std::int64_t, std::uint64_t>(folder);
    std::printf("%zu numbers of numpy are read otherwise\n", wrong);
    return wrong != 0;
}
