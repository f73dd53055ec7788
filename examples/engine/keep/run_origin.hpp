// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <jackplane/store/digest.hpp>
#include "../quantize/quantize_model.hpp"
#include <span>
#include <string>

namespace engine
{
    // Everything that decides what a learning run becomes, as a digest: the settings, the calibration text and the
    // weights that are added.
    class run_origin
    {
    public:
        run_origin(config const& c, quantize_settings const& s)
        {
            auto const& t = s.tuning;
            std::string all = text(write_config(c, "float32"), static_cast<int>(s.how), " ", static_cast<int>(s.range),
                                   " ", slice_name(s.slice), " ", s.balance, " ", t.rate, " ", s.group.columns, " ",
                                   s.group.whole_tensor, " ", t.steps, " ", t.finer_steps, " ", t.batch, " ", t.seed,
                                   " ", t.suppress_outliers, t.learn_clipping, t.keep_best, t.dense_inputs, t.own_range,
                                   " ", t.reach, " ", t.joint_steps, " ", t.teacher, " ", t.layer_wise, t.from_gptq,
                                   s.by_activation, " ", s.search_scale, " ", s.calibration.length);
            for (unsigned const width : t.widths)
                all += text(" ", width);
            for (float const lambda : t.lambdas)
                all += text(" lambda ", lambda);
            add(std::span<char const>(all));
            if (!t.inside.empty())
                add(std::span<char const>(settings_file::contents(t.inside)));
            for (auto const& places : s.beside)
                add(std::span<std::size_t const>(places));
            add(std::span<token const>(s.calibration.tokens));
        }
        template <class T>
        run_origin& add(std::span<T const> values)
        {
            _all.add(std::as_bytes(values));
            return *this;
        }
        std::string text_of() const { return _all.text(); }

    private:
        jackplane::digest _all;
    };
}
