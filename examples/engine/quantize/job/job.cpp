// SPDX-License-Identifier: BSD-3-Clause
#include "job.hpp"
#include "../methods.hpp"
#include <jackplane/core/parallel.hpp>
#include <algorithm>
#include <utility>

namespace engine
{
    namespace
    {
        void decode(job::coded_matrix const& m, jackplane::matrix_view<float> out)
        {
            if (auto const* const blocks = std::get_if<block_matrix>(&m))
                return blocks->decode(out);
            std::visit([&](auto const& a) { dequantize(a, out, jackplane::threads{}); },
                       std::get<jackplane::any_packed>(m));
        }
    }

    job::job(model_source const& from, quantize_settings const& s, run_options const& r)
        : source(from), settings(s), run(r), packed(from.sizes()), blocks(s.blocks.types.size())
    {
        packed.slice = s.slice;
        packed.rest.resize(packed.table.size() - packed.table.tuned_size());
        source.read(std::span(packed.table.parameters()).subspan(packed.matrices.size()), packed.rest.data());
    }

    void job::balance_for(unsigned bits, bool clips)
    {
        if (!settings.balance && !clips)
            return;
        balanced.emplace(source.sizes());
        if constexpr (some_look_at_layers)
            _balancer.emplace(source.sizes(), embedding(), settings.codes(), settings.calibration, bits, clips);
    }

    std::span<parameter const> job::parts_of(std::size_t layer) const { return packed.table.of_layer(layer); }

    // The matrices of a layer, one after the other -> w; balanced, if they shall be.
    layer_view<float> job::read_layer(std::size_t layer, jackplane::aligned_vector<float>& w)
    {
        auto const parts = parts_of(layer);
        w.resize(size_of(parts));
        source.read(parts, w.data());
        auto const view = parameter_view<float>(source.sizes(), nullptr, packed.rest.data()).layer(layer, w.data());
        if constexpr (some_look_at_layers)
            if (_balancer)
            {
                _balancer->balance(view, parts);
                std::copy(w.begin(), w.end(), balanced->w.begin() + static_cast<std::ptrdiff_t>(parts[0].offset));
            }
        return view;
    }

    // A matrix in the blocks of the settings, with codes to start from.
    block_matrix job::blocks_of(parameter const& p, jackplane::matrix_view<float const> w) const
    {
        block_settings const& to = settings.blocks;
        auto const i = static_cast<std::size_t>(&p - packed.table.parameters().data());
        if (!to.given.empty() && to.given[i].has_levels()) // others have nothing but their weights to keep
            return to.given[i];
        std::span<float const> const importance = to.importance.empty() ? std::span<float const>() : to.importance[i];
        return to_blocks(w, to.types[i], importance, p.name);
    }

    // The weights of matrix i that stand beside its planes; in w they become 0.
    any_csr job::detached(std::size_t i, jackplane::matrix_view<float> w) const
    {
        std::string const& name = packed.table.parameters()[i].name;
        return settings.beside.empty() ? any_csr{} : any_csr::detach(w, settings.beside[i], name);
    }

    void job::made(std::size_t i, coded_matrix m, any_csr beside)
    {
        if (auto* const planes = std::get_if<jackplane::any_packed>(&m))
            packed.matrices[i] = {std::move(*planes), true, {}, std::move(beside)};
        else
            blocks[i] = std::get<block_matrix>(std::move(m));
        told(i);
    }
    void job::told(std::size_t i) const
    {
        if (run.tell)
            run.tell(packed.table.parameters()[i].name, i + 1, packed.matrices.size());
    }
    void job::add(width_reports const& more)
    {
        for (width_report const& each : more)
        {
            losses.push_back(each);
            if (run.report)
                run.report(each);
        }
    }

    run_origin job::origin() const
    {
        quantize_settings const& s = settings;
        run_origin all;
        all.say(write_config(source.sizes(), "float32"), static_cast<int>(s.range), " ", slice_name(s.slice), " ",
                s.balance, " ", s.group.columns, " ", s.group.whole_tensor, " ", s.calibration.length);
        for (auto const& places : s.beside)
            all.add(std::span<std::size_t const>(places));
        for (std::uint32_t const type : s.blocks.types)
            all.say("type ", type);
        for (auto const& importance : s.blocks.importance)
            all.say("importance").add(std::span<float const>(importance));
        for (block_matrix const& m : s.blocks.given)
            all.say("given ", m.type).add(std::span<std::byte const>(m.bytes));
        return all.add(std::span<token const>(s.calibration.tokens));
    }

    void job::quantize_in_stages(codes_of_matrix const& codes, jackplane::feedback_options const* feedback)
    {
        auto const& all = packed.table.parameters();
        std::optional<calibration_stream> stream;
        if (feedback)
            stream.emplace(source.sizes(), embedding(), settings.calibration);
        jackplane::aligned_vector<float> w;
        for (std::size_t layer = 0; layer < source.sizes().layers; ++layer)
        {
            layer_view<float const> const view = read_layer(layer, w);
            std::size_t const first = first_of(layer), begin = all[first].offset;
            for (layer_stage const& part : stages_of(source.sizes(), view.kind))
            {
                std::optional<jackplane::feedback> order;
                if (feedback)
                {
                    auto const gram = stream->gram(view, part);
                    std::size_t const size = stream->size_of(view, part);
                    auto named = *feedback;
                    named.name = all[first + part.first].name;
                    order.emplace(jackplane::matrix_view<float const>{gram.data(), size, size}, named);
                }
                for (std::size_t i = first + part.first; i < first + part.last; ++i)
                {
                    jackplane::matrix_view<float> const weights{w.data() + (all[i].offset - begin), all[i].rows,
                                                                all[i].cols};
                    auto beside = detached(i, weights);
                    auto m = codes(all[i], weights, order ? &*order : nullptr);
                    if (stream) // the layers behind read what the quantized matrix gives
                    {
                        decode(m, weights);
                        put_back(beside, weights);
                    }
                    made(i, std::move(m), std::move(beside));
                }
            }
            if (stream)
                stream->advance(view);
        }
    }

    void job::quantize_to_codes(bool search_scale, jackplane::feedback_options const* feedback)
    {
        auto const to_planes =
            [&](parameter const& p, jackplane::matrix_view<float> w, jackplane::feedback const* order)
        { return codes_of(w, settings, search_scale, order, p.name); };
        auto const in_blocks =
            [&](parameter const& p, jackplane::matrix_view<float> w, jackplane::feedback const* order)
        {
            block_matrix m = blocks_of(p, w);
            if (order && m.has_levels())
            {
                auto q = m.codes();
                jackplane::round_to_levels(w, m.levels(), q, *order, p.name, jackplane::threads{});
                m.put_codes(q);
            }
            return m;
        };
        quantize_in_stages(settings.blocks.asked() ? codes_of_matrix(in_blocks) : codes_of_matrix(to_planes), feedback);
    }
}
