// SPDX-License-Identifier: BSD-3-Clause
#include "quantize_model.hpp"
#include <jackplane/core/parallel.hpp>
#include <jackplane/pack/pack.hpp>
#include <jackplane/quantize/quantize.hpp>
#include <cmath>
#include <span>
#include <string_view>

namespace llama
{
    namespace
    {
        // One matrix in planes of L.
        template <jackplane::code_layout L>
        jackplane::any_packed quantize_in(jackplane::matrix_view<float const> w, quantize_settings const& s,
                                          std::string_view name)
        {
            auto const with = [&]<class Policy>(Policy policy) -> jackplane::any_packed
            {
                auto const run = [&](auto p)
                {
                    jackplane::uniform<L::bits> const book{};
                    jackplane::threads const all{};
                    auto const q = jackplane::quantize(w, book, p, s.group, jackplane::nearest{}, {{}, name}, all);
                    return jackplane::pack<L>(q, all);
                };
                return s.how == method::mse ? run(jackplane::mse_search{policy}) : run(policy);
            };
            switch (s.range)
            {
            case scheme::symmetric: return with(jackplane::absmax{});
            case scheme::asymmetric: return with(jackplane::minmax<>{});
            default: return with(jackplane::full_range{});
            }
        }

        double relative_error(jackplane::any_packed const& m, jackplane::matrix_view<float const> w)
        {
            std::vector<float> back(w.rows * w.cols);
            std::visit([&](auto const& a) { dequantize(a, {back.data(), w.rows, w.cols}, jackplane::threads{}); }, m);
            double error = 0, norm = 0;
            for (std::size_t i = 0; i < back.size(); ++i)
            {
                double const x = w.data[i], off = static_cast<double>(back[i]) - x;
                error += off * off;
                norm += x * x;
            }
            return norm > 0 ? std::sqrt(error / norm) : 0;
        }

        jackplane::any_packed quantize_matrix(jackplane::matrix_view<float const> w, quantize_settings const& s,
                                              std::string_view name)
        {
            switch (s.bits)
            {
            case 8: return quantize_in<jackplane::bit_planes>(w, s, name);
            case 4: return quantize_in<jackplane::planes<4>>(w, s, name);
            case 2: return quantize_in<jackplane::planes<2>>(w, s, name);
            default:
                jackplane::fail<jackplane::width_error>(text("no parent of ", s.bits, " bits; there are 8, 4 and 2"));
            }
        }
    }

    packed_model quantize_model(std::filesystem::path const& folder, quantize_settings const& s,
                                std::vector<tensor_report>* report, jackplane::progress const& tell)
    {
        config const c = read_config(folder / "config.json");
        checkpoint_files const files(folder);
        check_tensors(files, c);
        packed_model m(c);
        m.slice = s.slice;
        auto const& all = m.table.parameters();
        m.rest.resize(m.table.size() - m.table.tuned_size());
        jackplane::aligned_vector<float> w;
        for (std::size_t i = 0; i < all.size(); ++i)
        {
            parameter p = all[i];
            if (i >= m.matrices.size())
            {
                p.offset -= m.table.tuned_size();
                read_parameter(files, p, m.rest);
                continue;
            }
            p.offset = 0;
            w.resize(p.size());
            read_parameter(files, p, w);
            if (p.name == "lm_head.weight" && !s.include_lm_head)
                m.matrices[i].dense = w;
            else
            {
                jackplane::matrix_view<float const> const view{w.data(), p.rows, p.cols};
                m.matrices[i] = {quantize_matrix(view, s, p.name), true, {}};
                if (report)
                    report->push_back({p.name, p.rows, p.cols, relative_error(m.matrices[i].packed, view)});
            }
            if (tell)
                tell(p.name, i + 1, m.matrices.size());
        }
        if (auto const tokenizer = folder / "tokenizer.model"; std::filesystem::exists(tokenizer))
            m.tokenizer = settings_file::contents(tokenizer);
        return m;
    }
}
