// SPDX-License-Identifier: BSD-3-Clause
#include "nested_model.hpp"
#include <jackplane/store/nested_read.hpp>
#include <jackplane/store/nested_write.hpp>
#include <cstddef>
#include <set>
#include <span>
#include <string>
#include <vector>

namespace llama
{
    namespace nested = jackplane::nested;

    void save_nested(packed_model const& m, std::filesystem::path const& folder, std::filesystem::path const& path)
    {
        jackplane::atomic_file out(path);
        save_nested(m, folder, out);
    }

    void save_nested(packed_model const& m, std::filesystem::path const& folder, jackplane::atomic_file& out)
    {
        nested::writer file;
        file.slice = slice_name(m.slice);
        std::string const settings = settings_file::contents(folder / "config.json");
        auto const bytes = [&](char const* name, std::string const& all)
        {
            file.add(safetensors::item::of<unsigned char>(
                name, {all.size()}, {reinterpret_cast<unsigned char const*>(all.data()), all.size()}));
        };
        bytes("config.json", settings);
        if (!m.tokenizer.empty())
            bytes("tokenizer.model", m.tokenizer);
        if (!m.tokenizer_settings.empty())
            bytes("tokenizer_config.json", m.tokenizer_settings);

        std::vector<std::vector<jackplane::half>> halves(m.table.parameters().size());
        for (std::size_t i = 0; i < halves.size(); ++i)
        {
            parameter const& p = m.table.parameters()[i];
            if (i < m.matrices.size() && m.matrices[i].is_packed)
            {
                if (m.matrices[i].sparse.nonzeros() == 0)
                    file.add(p.name, m.matrices[i].packed);
                else
                    file.add(p.name, m.matrices[i].packed, m.matrices[i].sparse);
                continue;
            }
            std::span<float const> const values =
                i < m.matrices.size() ? std::span<float const>(m.matrices[i].dense)
                                      : std::span(m.rest).subspan(p.offset - m.table.tuned_size(), p.size());
            for (float const x : values)
            {
                halves[i].push_back(jackplane::from_float<jackplane::half>(x));
                JACKPLANE_EXPECTS(is_finite(halves[i].back()), jackplane::value_error, "tensor '", p.name, "': ", x,
                                  " at element ", halves[i].size() - 1, " overflows fp16");
            }
            safetensors::extents const shape =
                p.norm ? safetensors::extents{p.cols} : safetensors::extents{p.rows, p.cols};
            file.add(safetensors::item::of<jackplane::half>(p.name, shape, halves[i]));
        }
        file.save(out);
    }

    namespace
    {
        // No tensor without a place in the model: a second lm_head, say, or another layer.
        void check_names(nested::file const& file, parameter_table const& table)
        {
            std::set<std::string> known = {"config.json", "tokenizer.model", "tokenizer_config.json"};
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
                                  "' has no place in a Llama of the config.json inside");
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
        if (file.find("tokenizer.model") != nullptr)
            m.tokenizer = text_of("tokenizer.model");
        if (file.find("tokenizer_config.json") != nullptr)
            m.tokenizer_settings = text_of("tokenizer_config.json");
        check_names(file, m.table);
        m.rest.resize(m.table.size() - m.table.tuned_size());
        for (std::size_t i = 0; i < m.table.parameters().size(); ++i)
        {
            parameter p = m.table.parameters()[i];
            bool const is_packed = i < m.matrices.size() && file.find(p.name) == nullptr;
            if (is_packed)
            {
                m.matrices[i].packed = file.matrix(p.name, most_bits);
                m.matrices[i].is_packed = true;
                if (auto const& layers = file.described().layers; layers.at(p.name).sparse)
                    m.matrices[i].sparse = file.sparse(p.name);
                std::size_t const rows = jackplane::rows_of(m.matrices[i].packed),
                                  cols = jackplane::cols_of(m.matrices[i].packed);
                JACKPLANE_EXPECTS(rows == p.rows && cols == p.cols, jackplane::shape_error, path.string(), ": layer '",
                                  p.name, "' is ", rows, " x ", cols, ", config.json makes it ", p.rows, " x ", p.cols);
                continue;
            }
            bool const tuned = i < m.matrices.size();
            if (tuned)
                m.matrices[i].dense.resize(p.size());
            p.offset -= tuned ? p.offset : m.table.tuned_size();
            read_tensor(path.string(), file.at(p.name), p,
                        tuned ? std::span<float>(m.matrices[i].dense) : std::span<float>(m.rest));
        }
        return m;
    }

    void verify_nested(std::filesystem::path const& path, unsigned bits) { nested::open(path).verify(bits); }
}
