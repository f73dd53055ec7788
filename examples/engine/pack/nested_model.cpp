// SPDX-License-Identifier: BSD-3-Clause
#include "nested_model.hpp"
#include "../read/model_files.hpp"
#include "relative_error.hpp"
#include <jackplane/store/digest.hpp>
#include <jackplane/store/nested_read.hpp>
#include <jackplane/store/nested_write.hpp>
#include <algorithm>
#include <cstddef>
#include <iterator>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <type_traits>
#include <variant>
#include <vector>

namespace engine
{
    namespace nested = jackplane::nested;

    namespace
    {
        // The weights beside a layer that has some.
        any_csr read_sparse(nested::file const& file, std::string const& layer)
        {
            auto const& is = *file.described().layers.at(layer).sparse;
            any_csr out;
            auto const as = [&]<class M>(std::type_identity<M>)
            {
                using T = typename M::value_type;
                using I = typename M::index_type;
                bool const found = is.value == jackplane::dtype_of<T> && is.column == jackplane::dtype_of<I>;
                if (found)
                    out = file.sparse<T, I>(layer);
                return found;
            };
            bool const known = [&]<class... M>(std::type_identity<std::variant<M...>>)
            { return (as(std::type_identity<M>{}) || ...); }(std::type_identity<any_csr::choice>{});
            if (!known)
                file.sparse(layer); // an error that says what is there
            return out;
        }
    }

    void save_nested(packed_model const& m, std::filesystem::path const& folder, std::filesystem::path const& path)
    {
        jackplane::atomic_file out(path);
        save_nested(m, folder, out);
    }

    void save_nested(packed_model const& m, std::filesystem::path const& folder, jackplane::atomic_file& out)
    {
        nested::writer file;
        file.slice = slice_name(m.slice);
        std::string const settings = model_files::open(folder)->config_json();
        auto const bytes = [&](char const* name, std::string const& all)
        {
            file.add(safetensors::item::of<unsigned char>(
                name, {all.size()}, {reinterpret_cast<unsigned char const*>(all.data()), all.size()}));
        };
        bytes("config.json", settings);
        if (!m.tokenizer.empty())
            bytes(tokenizer::name_of(m.tokenizer), m.tokenizer);
        if (!m.tokenizer_settings.empty())
            bytes("tokenizer_config.json", m.tokenizer_settings);

        std::vector<std::shared_ptr<void const>> narrow;
        for (std::size_t i = 0; i < m.table.parameters().size(); ++i)
        {
            parameter const& p = m.table.parameters()[i];
            if (i < m.matrices.size() && m.matrices[i].is_packed)
            {
                auto const add = [&](auto const&... beside)
                {
                    if (i == m.head()) // read at a width of its own
                        file.add_common(p.name, m.matrices[i].packed, beside...);
                    else
                        file.add(p.name, m.matrices[i].packed, beside...);
                };
                if (m.matrices[i].sparse.nonzeros() == 0)
                    add();
                else
                    m.matrices[i].sparse.visit(add);
                continue;
            }
            auto const values = m.dense_values(i);
            safetensors::extents const shape =
                p.norm ? safetensors::extents{p.cols} : safetensors::extents{p.rows, p.cols};
            auto const add_as = [&]<class T>(T)
            {
                auto const numbers = std::make_shared<std::vector<T>>();
                std::transform(values.data, values.data + p.size(), std::back_inserter(*numbers),
                               [](float x) { return jackplane::from_float<T>(x); });
                narrow.push_back(numbers);
                file.add(safetensors::item::of<T>(p.name, shape, *numbers));
            };
            switch (dense_type(values))
            {
            case jackplane::dtype::F16:
                add_as(jackplane::half{});
                break;
            case jackplane::dtype::BF16:
                add_as(jackplane::bfloat16{});
                break;
            default:
                file.add(safetensors::item::of<float>(p.name, shape, {values.data, p.size()}));
            }
        }
        file.save(out);
    }

    namespace
    {
        // No tensor without a place in the model: a second lm_head, say, or another layer.
        void check_names(nested::file const& file, parameter_table const& table)
        {
            std::set<std::string> known = {"config.json", "tokenizer.model", "tokenizer.json", "tokenizer_config.json"};
            for (parameter const& p : table.parameters())
                known.insert(p.name);
            std::vector<std::string> found;
            for (safetensors::tensor const* const t : file.plain())
                found.push_back(t->name);
            for (auto const& [name, layer] : file.described().layers)
                found.push_back(name);
            for (std::string const& name : found)
                JACKPLANE_EXPECTS(known.contains(name), jackplane::format_error, file.name(), ": tensor '",
                                  jackplane::detail::printable(name),
                                  "' has no place in a model of the config.json inside");
        }
    }

    packed_model load_nested(std::filesystem::path const& path, unsigned most_bits)
    {
        nested::file const file = nested::open(path);
        auto const text_of = [&](char const* name)
        {
            auto const& t = file.at(name);
            return std::string(reinterpret_cast<char const*>(t.bytes.data()), t.bytes.size());
        };
        packed_model m(read_config(settings_file(path.string() + ": config.json", text_of("config.json"))));
        m.slice = slice_of(file.described().slice);
        for (char const* const words : {"tokenizer.model", "tokenizer.json"})
            if (file.find(words) != nullptr)
                m.tokenizer = text_of(words);
        if (file.find("tokenizer_config.json") != nullptr)
            m.tokenizer_settings = text_of("tokenizer_config.json");
        check_names(file, m.table);
        auto const& all = m.table.parameters();
        auto const& layers = file.described().layers;
        if (auto const head = layers.find(all[m.head()].name); head != layers.end())
        {
            m.head_is_layer = head->second.common == 0;
            if (m.sizes.tied)
                m.matrices.emplace_back(); // a packed embedding
        }
        std::size_t const behind = all[m.matrices.size()].offset;
        m.rest.resize(m.table.size() - behind);
        for (std::size_t i = 0; i < all.size(); ++i)
        {
            parameter p = all[i];
            bool const is_packed = i < m.matrices.size() && file.find(p.name) == nullptr;
            if (is_packed)
            {
                m.matrices[i].packed = file.matrix(p.name, layers.at(p.name).common != 0 ? 8 : most_bits);
                m.matrices[i].is_packed = true;
                if (layers.at(p.name).sparse)
                    m.matrices[i].sparse = read_sparse(file, p.name);
                std::size_t const rows = jackplane::rows_of(m.matrices[i].packed),
                                  cols = jackplane::cols_of(m.matrices[i].packed);
                JACKPLANE_EXPECTS(rows == p.rows && cols == p.cols, jackplane::shape_error, path.string(), ": layer '",
                                  p.name, "' is ", rows, " x ", cols, ", config.json makes it ", p.rows, " x ", p.cols);
                continue;
            }
            bool const tuned = i < m.matrices.size();
            if (tuned)
                m.matrices[i].dense.resize(p.size());
            read_tensor(path.string(), file.at(p.name), p,
                        tuned ? std::span<float>(m.matrices[i].dense) : std::span(m.rest).subspan(p.offset - behind));
        }
        return m;
    }

    given_model give_nested(std::filesystem::path const& path)
    {
        jackplane::digest all;
        jackplane::mapped_file const map(path);
        all.add(map.bytes());
        return {path.string(), all.text(), std::make_shared<packed_model const>(load_nested(path))};
    }

    void verify_nested(std::filesystem::path const& path, unsigned bits) { nested::open(path).verify(bits); }

    void verify_nested(std::filesystem::path const& path, packed_model const& m, std::span<unsigned const> bits)
    {
        nested::file const file = nested::open(path);
        unsigned most = 0;
        for (auto const& [name, l] : file.described().layers)
            for (std::size_t i = 0; i < m.matrices.size() && l.common == 0; ++i)
                if (m.table.parameters()[i].name == name)
                    most = std::max(most, m.bits_read(bits[i]));
        file.verify(most);
    }

    std::vector<tensor_report> errors_of(packed_model const& m, unsigned bits, std::filesystem::path const& folder,
                                         model const* w)
    {
        std::vector<tensor_report> all;
        auto const files = model_files::open(folder);
        std::vector<unsigned> const widths = m.mix(bits);
        for (std::size_t i = 0; i < m.matrices.size(); ++i)
        {
            parameter const& p = m.table.parameters()[i];
            if (!m.matrices[i].is_packed)
                continue;
            std::vector<float> there(p.size()), read;
            jackplane::matrix_view<float> const out{there.data(), p.rows, p.cols};
            dequantize(m.matrices[i].packed, m.slice, widths[i], out);
            put_back(m.matrices[i].sparse, out, p.name);
            float const* exact = w ? w->w.data() + p.offset : nullptr;
            if (!w)
            {
                read.resize(p.size());
                files->read(p, read);
                exact = read.data();
            }
            all.push_back({p.name, p.rows, p.cols, relative_error(there, {exact, p.size()})});
        }
        return all;
    }
}
