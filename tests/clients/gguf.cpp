// SPDX-License-Identifier: BSD-3-Clause
// client_gguf IN OUT: the metadata of IN and a tensor of each type, written by the library into OUT. One line of JSON
// for each tensor: its name, type, shape, bytes and what each of them is.
#include <cstdio>
#include <deque>
#include <string>
#include <vector>
#include <jackplane/store/gguf/blocks.hpp>
#include <jackplane/store/gguf/file.hpp>
#include <jackplane/store/gguf/write.hpp>
using namespace jackplane;

namespace
{
    struct tensors
    {
        std::deque<std::vector<std::byte>> data; // the items keep views
        std::vector<gguf::item> items;

        template <class T>
        void add(T)
        {
            std::size_t const n = items.size() + 1;
            gguf::extents const shapes[] = {{2 * T::values}, {3, T::values}, {2, 5, T::values}, {2, 1, 3, T::values}};
            gguf::extents const& shape = shapes[n % 4];
            std::size_t blocks = 1;
            for (std::uint64_t const side : shape)
                blocks *= static_cast<std::size_t>(side);
            blocks /= T::values;
            auto const& bytes = data.emplace_back(blocks * T::bytes, static_cast<std::byte>(n));
            std::string const name = text("blk.", n, ".", T::name, ".weight");
            items.push_back(gguf::item::of<T>(name, shape, bytes));
            auto const line = text("{\"name\": \"", name, "\", \"type\": \"", T::name, "\", \"bytes\": ", bytes.size(),
                                   ", \"each\": ", n, ", \"shape\": ", safetensors::shape_text(shape), "}");
            std::puts(line.c_str());
        }
    };
}

int main(int argc, char** argv)
{
    if (argc != 3)
        return std::fprintf(stderr, "usage: client_gguf IN OUT\n"), 2;
    auto about = gguf::open(argv[1]).metadata();
    about.set("array of UINT8", gguf::array{std::vector<std::uint8_t>{0, 7, 255}}); // which the other writer refuses
    tensors all;
    [&]<class... T>(gguf::type_list<T...>) { (all.add(T{}), ...); }(gguf::block_types{});
    gguf::save(argv[2], all.items, about);
}
