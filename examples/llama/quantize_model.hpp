// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <jackplane/core/progress.hpp>
#include <jackplane/pack/pack.hpp>
#include <jackplane/quantize/quantize.hpp>
#include "packed_model.hpp"
#include <array>
#include <cmath>
#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace llama
{
    enum class method // how a scale is found
    {
        rtn, // from the range of the group
        mse  // by a search for the least squared error
    };
    enum class scheme
    {
        symmetric,  // absmax
        asymmetric, // minmax with an integer zero
        full_range  // signed scales
    };

    struct quantize_settings
    {
        method how = method::rtn;
        scheme range = scheme::asymmetric;
        jackplane::group group{64};
        slice_rule slice{};
        bool include_lm_head = false; // an untied one
    };

    struct tensor_report
    {
        std::string name;
        std::size_t rows, cols;
        double relative_error; // |w^ - w| / |w| at the parent's width, Frobenius norms
    };

    // Quantizes one matrix to B bits in planes of L. Throws value_error that names it.
    template <class L>
    jackplane::any_packed quantize_matrix(jackplane::matrix_view<float const> w, quantize_settings const& s,
                                          std::string_view name)
    {
        auto const with = [&]<class Policy>(Policy policy) -> jackplane::any_packed
        {
            auto const run = [&](auto p)
            {
                return jackplane::pack<L>(jackplane::quantize(w, jackplane::uniform<L::bits>{}, p, s.group,
                                                              jackplane::nearest{}, {{}, name}, jackplane::threads{}));
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

    inline double relative_error(jackplane::any_packed const& m, jackplane::matrix_view<float const> w)
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

    // Quantizes the linear layers of a Hugging Face folder, one tensor in memory at a time; L::bits is the parent's width.
    template <class L = jackplane::bit_planes>
    packed_model quantize_model(std::filesystem::path const& folder, quantize_settings const& s,
                                std::vector<tensor_report>* report = nullptr, jackplane::progress const& tell = {})
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
                m.matrices[i] = {quantize_matrix<L>(view, s, p.name), true, {}};
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
