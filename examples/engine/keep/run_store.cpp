// SPDX-License-Identifier: BSD-3-Clause
#include "run_store.hpp"
#include "kept_tensors.hpp"
#include <utility>
#include <vector>

namespace engine
{
    namespace
    {
        std::string array_name(std::size_t i) { return jackplane::text("array.", i); }
        template <class T>
        std::vector<T> vector_of(safetensors::tensor const& t)
        {
            auto const values = safetensors::read<T>(t);
            return {values.begin(), values.end()};
        }
    }

    run_store::run_store(std::filesystem::path const& folder, std::string const& name, std::string origin)
        : _file(folder.empty() ? folder : folder / (name + ".safetensors")), _origin(std::move(origin))
    {
    }

    jackplane::checkpoint run_store::serve(std::size_t every)
    {
        if (_file.empty())
            return {};
        _found = find();
        return {every, [this](jackplane::run_state const& s) { keep(s); }, _found ? &*_found : nullptr};
    }

    std::optional<jackplane::run_state> run_store::find() const
    {
        return jackplane::try_load( // what cannot be read, or is damaged, is made again
                   [&]
                   {
                       auto const file = open_kept(_file, _origin);
                       jackplane::run_state s;
                       for (std::size_t i = 0; file.find(array_name(i)) != nullptr; ++i)
                           s.arrays.push_back(vector_of<float>(file.at(array_name(i))));
                       s.steps = static_cast<std::size_t>(safetensors::read<std::uint64_t>(file.at("steps"), {1})[0]);
                       s.numbers = vector_of<double>(file.at("numbers"));
                       return s;
                   })
            .value;
    }

    void run_store::keep(jackplane::run_state const& s) const
    {
        std::filesystem::create_directories(_file.parent_path());
        std::uint64_t const steps = s.steps;
        using safetensors::item;
        std::vector<item> items{item::of("steps", {1}, std::span(&steps, 1)),
                                item::of("numbers", {s.numbers.size()}, std::span<double const>(s.numbers))};
        for (std::size_t i = 0; i < s.arrays.size(); ++i)
            items.push_back(item::of(array_name(i), {s.arrays[i].size()}, std::span<float const>(s.arrays[i])));
        save_kept(_file, _origin, items);
    }
}
