// SPDX-License-Identifier: BSD-3-Clause
#pragma once
// A kernel behind virtual functions, so that its law is compiled once and not for every format and activation; matrices
// of random codes, and how far y may be from the exact product.
#include <functional>
#include <jackplane/multiply/multiply.hpp>
#include <jackplane/pack/pack.hpp>
#include "linear_map.hpp"

namespace laws
{
    struct code_matrix // scales and zeros are rounded to what is stored when it is packed
    {
        std::size_t rows, cols;
        jackplane::group_grid grid;
        std::vector<jackplane::code> codes; // [rows, cols]
        std::vector<float> scales, zeros;   // [rows, groups] or [1]
        bool offset = false;                // zeros are added to scale * decode(code)

        double weight(std::size_t at, double value) const { return scales[at] * value + shift(at); }
        double shift(std::size_t at) const { return offset ? zeros[at] : -double{scales[at]} * zeros[at]; }
    };

    struct kernel_subject
    {
        std::vector<unsigned> widths; // that it can be read at
        unsigned bits;                // of a whole code
        bool linear, leveled;
        float least, most; // that a code stands for
        std::function<double(unsigned code, unsigned width)> value; // of a whole code read at that width
        float (*random_zero)(sequence&);                            // in steps, among those that can be stored
        bool offset;                                                // zeros are stored as offsets
        bool bf16;                                                  // x is read as bfloat16
        unsigned limbs;                                             // of x; 0: none
        float largest;                                              // x / scale of x

        virtual ~kernel_subject() = default;
        virtual void pack(code_matrix& q) = 0;
        virtual void use_columns(std::size_t first, std::size_t last) = 0; // as a view
        // x_group: columns that share a scale of x
        virtual void prepare(jackplane::matrix_view<float const> x, std::size_t x_group) = 0;
        virtual void multiply(unsigned width, jackplane::matrix_view<float> y, unsigned threads) const = 0;
        virtual void multiply_rows(unsigned width, jackplane::matrix_view<float> y, std::size_t first,
                                   std::size_t last) const = 0;
        virtual void define(unsigned width, jackplane::matrix_view<float> y) const = 0; // by scalar

        void prepare(std::vector<float> const& x, std::size_t vectors, std::size_t x_group)
        {
            prepare({x.data(), vectors, x.size() / vectors}, x_group);
        }
        std::vector<float> times(unsigned width, std::size_t rows, std::size_t vectors) const // y [vectors, rows]
        {
            std::vector<float> y(vectors * rows, 7.0f);
            multiply(width, {y.data(), vectors, rows}, 1);
            return y;
        }
    };

    template <jackplane::code_layout L, jackplane::scale_number S = jackplane::half,
              jackplane::zero_number Z = std::uint8_t, jackplane::codebook C = jackplane::uniform<L::bits>>
    struct format
    {
        using layout = L;
        using codes = jackplane::quantized<C, S, Z>;
        using matrix = jackplane::packed<L, C, S, Z>;
    };
    template <class F, class How> // a format and an activation
    struct seat
    {
        using format = F;
        using how = How;
    };

    inline void run_on_threads(std::size_t tasks, std::function<void(std::size_t)> const& task)
    {
        jackplane::threads{static_cast<unsigned>(tasks)}(tasks, [&](std::size_t first, std::size_t last)
        {
            for (std::size_t i = first; i < last; ++i)
                task(i);
        });
    }

    template <class Seat>
    class kernel_of final : public kernel_subject
    {
        using F = typename Seat::format;
        using How = typename Seat::how;
        using codes = typename F::codes;
        using C = typename codes::codebook_type;
        using S = typename decltype(codes::scales)::value_type;
        using Z = typename decltype(codes::zeros)::value_type;

    public:
        kernel_of()
        {
            bits = C::bits;
            linear = jackplane::linear_codebook<C>;
            leveled = jackplane::leveled_codebook<C>;
            least = C::decode(0);
            most = C::decode(C::size - 1);
            for (unsigned width = 1; width <= bits; ++width)
                if (width == bits || (jackplane::nested_codebook<C> && F::layout::planes_of(width) != 0))
                    widths.push_back(width);
            // Decoded once: they are long doubles, which qemu computes by hundreds of instructions. Codes of 4 bits
            // have 16 values, also in a table of 15 levels.
            constexpr unsigned codes_of_width = 1u << C::bits;
            std::vector<double> all((C::bits + 1) * codes_of_width); // [widths, codes]
            for (unsigned width = 1; width <= bits; ++width)
                for (unsigned code = 0; code < codes_of_width; ++code)
                    all[width * codes_of_width + code] = static_cast<double>(decoded(C{}, code, width));
            value = [all](unsigned code, unsigned width) { return all[width * codes_of_width + code]; };
            random_zero = [](sequence& next)
            {
                bool const bytes = std::same_as<Z, std::uint8_t>;
                float const first = C::decode(0), last = C::decode(C::size - 1);
                float const lowest = bytes ? std::max(0.0f, first) : first;
                float const range = (bytes ? std::min(255.0f, last) : last) - lowest;
                return std::same_as<Z, jackplane::no_zero> ? C::centre : lowest + next.unit() * range;
            };
            offset = jackplane::zero_as_offset<Z>;
            bf16 = std::same_as<How, jackplane::bf16>;
            limbs = 0;
            largest = 127;
            if constexpr (requires { How::largest; })
            {
                limbs = How::count;
                largest = How::largest;
            }
        }
        void pack(code_matrix& q) override { m_matrix = jackplane::pack<typename F::layout>(stored(q)); }
        void use_columns(std::size_t first, std::size_t last) override { m_matrix = m_matrix.cols(first, last); }
        // at this width; other widths go on with theirs
        void use_scales(unsigned width, code_matrix& q)
        {
            m_own = jackplane::pack<typename F::layout>(stored(q));
            typename F::matrix::width_scales own{};
            own[width] = {m_own.view().scales, m_own.view().zeros};
            m_matrix = {m_matrix.view(), m_matrix.owner(), own};
        }
        typename F::matrix const& matrix() const { return m_matrix; }
        typename How::prepared const& ready() const { return m_ready; }
        using kernel_subject::prepare;
        void prepare(jackplane::matrix_view<float const> x, std::size_t x_group) override
        {
            How how;
            if constexpr (requires { how.group; })
                how.group = x_group;
            m_ready = {}; // memory of just that size: an address sanitizer sees what reads beyond
            how.prepare(x, m_ready);
        }
        void multiply(unsigned width, jackplane::matrix_view<float> y, unsigned threads) const override
        {
            jackplane::multiply(m_matrix.prefix(width), m_ready, y, jackplane::pool{run_on_threads, threads});
        }
        void multiply_rows(unsigned width, jackplane::matrix_view<float> y, std::size_t first,
                           std::size_t last) const override
        {
            jackplane::multiply_rows(m_matrix.prefix(width), m_ready, y, first, last);
        }
        void define(unsigned width, jackplane::matrix_view<float> y) const override
        {
            jackplane::multiply<jackplane::scalar>(m_matrix.prefix(width), m_ready, y);
        }

    private:
        static codes stored(code_matrix& q)
        {
            codes c;
            c.rows = q.rows;
            c.cols = q.cols;
            c.grid = q.grid;
            c.codes.assign(q.codes.begin(), q.codes.end());
            for (float& scale : q.scales)
            {
                c.scales.push_back(jackplane::from_float<S>(scale));
                scale = jackplane::to_float(c.scales.back());
            }
            for ([[maybe_unused]] float& zero : q.zeros)
                if constexpr (std::same_as<Z, std::uint8_t>)
                    c.zeros.push_back(static_cast<std::uint8_t>(zero = std::nearbyint(zero)));
                else if constexpr (!std::same_as<Z, jackplane::no_zero>)
                {
                    if constexpr (jackplane::zero_as_offset<Z>)
                        c.zeros.push_back({jackplane::from_float<typename Z::number_type>(zero)});
                    else
                        c.zeros.push_back(jackplane::from_float<Z>(zero));
                    zero = to_float(c.zeros.back());
                }
            return c;
        }

        typename F::matrix m_matrix, m_own;
        typename How::prepared m_ready;
    };

    // Every code; scales of both signs, zeros between the least and the largest code.
    inline code_matrix random_codes(kernel_subject const& k, shape s, jackplane::group g, std::uint64_t seed)
    {
        code_matrix q{s.rows, s.cols, jackplane::group_grid::of(g, s.cols), {}, {}, {}};
        q.codes.resize(s.rows * s.cols);
        q.scales.resize(q.grid.scales(s.rows));
        q.zeros.resize(q.scales.size());
        sequence next{seed};
        for (jackplane::code& c : q.codes)
            c = static_cast<jackplane::code>(next() >> (32 - k.bits));
        for (float& scale : q.scales)
            scale = (next() % 2 == 0 ? 0.01f : -0.01f) * (0.5f + next.unit());
        for (float& zero : q.zeros)
            zero = k.random_zero(next);
        q.offset = k.offset;
        for (std::size_t i = 0; k.offset && i < q.zeros.size(); ++i)
            q.zeros[i] *= -q.scales[i];
        return q;
    }

    // Vectors of all kinds, one after the other.
    inline std::vector<float> vectors(std::size_t n, std::size_t cols, std::uint64_t seed)
    {
        std::vector<float> all;
        for (std::size_t k = 0; k < n; ++k)
        {
            auto const x = vector(cols, all_inputs[(k + seed) % all_inputs.size()], seed + k);
            all.insert(all.end(), x.begin(), x.end());
        }
        return all;
    }
}
