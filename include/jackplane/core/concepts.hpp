// SPDX-License-Identifier: BSD-3-Clause
#pragma once
// Every concept of this library, and beside each the types that model it. Most laws: tests/laws/NAME.hpp.
#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>
#include <vector>
#include "number.hpp"

namespace jackplane::inline v0 // shared by all units: core/target.hpp
{
    using code = std::uint8_t; // one quantized weight, 0 .. 2^bits - 1

    // Who shares a loop over [0, count): calls body(begin, end) for disjoint ranges that cover it. Results never depend
    // on how it is split.                                             serial, threads, team, pool<Run>, openmp
    template <class P>
    concept parallel_policy = requires(P const& parallel, std::size_t count, void (&body)(std::size_t, std::size_t)) {
        parallel(count, body);
    };

    // ---- quantize: one formula everywhere,  w^ = scale * (decode(code) - zero)   (offset_zero: the same, written out)

    // code <-> value, before any scale. `centre` is the zero of symmetric schemes (not stored); coordinate(x) is the
    // fractional code of x.                                    uniform<B>, nf4, fp4, matryoshka, row_table<B>
    template <class C>
    concept codebook = std::copyable<C> && requires(C const& c, code q, float x) {
        { C::bits } -> std::convertible_to<unsigned>;
        { C::size } -> std::convertible_to<unsigned>;
        { C::centre } -> std::convertible_to<float>;
        { C::name() } -> std::convertible_to<char const*>;
        { c.decode(q) } -> std::same_as<float>;
        { c.encode(x) } -> std::same_as<code>;
        { c.coordinate(x) } -> std::same_as<float>;
    };

    // decode(q) == step * q + base: may be multiplied as integers.                       uniform<B>
    template <class C>
    concept linear_codebook = codebook<C> && requires {
        { C::step } -> std::convertible_to<float>;
        { C::base } -> std::convertible_to<float>;
    };

    // decode(q) == step_at(bits) * level_at(q, bits) + base_at(bits), level_at a whole number below 256: may be
    // multiplied as integers, after a look-up. The same functions say what the leading bits of a code mean, at each
    // number of them, for all widths of a parent: those of 1 and 2 bits are linear, levels of 4 bits are below 32, and
    // from 5 bits on  level = share(bits) * (level of the first 4) + (the others, as the upper bits of 4).
    //                                                                                    overlapping<B>
    template <class C>
    concept leveled_codebook = codebook<C> && requires(unsigned q, unsigned bits) {
        { C::level_at(q, bits) } -> std::same_as<unsigned>;
        { C::share(bits) } -> std::same_as<unsigned>;
        { C::step_at(bits) } -> std::same_as<float>;
        { C::base_at(bits) } -> std::same_as<float>;
        { C::coordinate_in(0.0f, q, bits) } -> std::same_as<float>; // among the codes of one leading code
    };
    // Values are whole numbers, but for a step and a base.
    template <class C>
    concept integer_codebook = linear_codebook<C> || leveled_codebook<C>;

    // narrowed<K>: the codebook of the leading K bits.                                   uniform<B>, overlapping<B>
    template <class C>
    concept nested_codebook = codebook<C> && codebook<typename C::template narrowed<1>>;

    // A code is an index into the table of its row: w^[row, col] = scales[row, code], nothing else.     row_table<B>
    template <class C>
    concept row_codebook = codebook<C> && requires { requires C::by_row; };

    // What a code of `from` bits means at `to` bits. value() is in steps of the parent's codes; bits_read: how many
    // leading bits it looks at; bits_kept: how many a stored result needs.
    //                                                        truncate_centred, round_clamp, extra_precision
    template <class S>
    concept slice = requires(S const& s, unsigned q, unsigned from, unsigned to) {
        { s(q, from, to) } -> std::same_as<unsigned>;
        { s.value(q, from, to) } -> std::same_as<float>;
        { S::bits_read(from, to) } -> std::same_as<unsigned>;
        { S::bits_kept(from, to) } -> std::same_as<unsigned>;
        { S::name() } -> std::convertible_to<char const*>;
    };

    struct position // of a weight in its matrix
    {
        std::size_t row, col;
    };
    // fractional code -> whole one, as a float.                          nearest, stochastic, offset, within
    template <class R>
    concept rounding = requires(R const& r, float coordinate, position at) {
        { r(coordinate, at) } -> std::same_as<float>;
    };

    // The column order of a row, and how a weight is changed to make up for the errors made before it.
    //                                                                                   independent, feedback
    template <class S>
    concept sweep = requires(S const& s, typename S::row& row, std::size_t col, float w, std::span<float> group) {
        s.expect_columns(col, "weights"); // throws shape_error unless it is made for so many
        { s.start() } -> std::same_as<typename S::row>;
        { s.scales_first() } -> std::same_as<bool>; // else: when the sweep reaches the first column of a group
        { row.column(col) } -> std::same_as<std::size_t>;
        row.reach(col, group); // before its scale is chosen: weights -> their corrected values
        { row.target(w, col) } -> std::same_as<float>;
        row.made(w); // the error w - w^ of the column just quantized
    };

    struct scale_and_zero // of a group, before they are stored
    {
        float scale; // signed; 0 for a group of zeros
        float zero;  // in decoded codebook values
    };
    struct no_zero // symmetric: zero == codebook::centre, nothing stored
    {
        [[gnu::always_inline]] friend constexpr bool operator==(no_zero, no_zero) = default;
    };
    using integer_zero = std::uint8_t; // a whole code; stored in 8 bits
    using real_zero = half;            // anywhere between the codes; stored in 16 bits
    // A zero in units of the weights instead of steps: w^ = scale * decode(code) + value. What other engines' formats
    // hold (GGUF's Q4_1 and K types, MLX); scale policies choose none.
    template <scale_number T>
    struct offset_zero
    {
        using number_type = T;
        T value;
        [[gnu::always_inline]] friend constexpr bool operator==(offset_zero, offset_zero) = default; // of bits
        [[gnu::always_inline]] friend constexpr float to_float(offset_zero z) noexcept { return v0::to_float(z.value); }
        [[gnu::always_inline]] friend constexpr bool is_finite(offset_zero z) noexcept
        {
            return v0::is_finite(z.value);
        }
    };
    template <class Z>
    concept zero_in_steps = std::same_as<Z, no_zero> || std::same_as<Z, integer_zero> || std::same_as<Z, real_zero>;
    template <class Z>
    concept zero_as_offset = std::same_as<Z, offset_zero<half>> || std::same_as<Z, offset_zero<bfloat16>> ||
                             std::same_as<Z, offset_zero<float>>;
    template <class Z>
    concept zero_number = zero_in_steps<Z> || zero_as_offset<Z>;

    // A group of weights -> its scale and zero. importance: one weight per element, or empty for 1 everywhere. A
    // row_codebook has values of its own and needs no scale.
    //              absmax, full_range, gptq_symmetric, minmax<Z>, mse_search<base>, parent_scale<base>
    template <class S, class C>
    concept scale = codebook<C> && !row_codebook<C> && zero_in_steps<typename S::zero_type> &&
                    requires(S const& s, std::span<float const> group, C const& c, std::span<float const> importance) {
                        { s(group, c, importance) } -> std::same_as<scale_and_zero>;
                    };

    // ---- loss, tune

    // f(w, g) -> its value at w; the gradient goes to g, unless g is empty.              layer, any lambda
    template <class F>
    concept loss = requires(F& f, std::span<float const> w, std::span<float> g) {
        { f(w, g) } -> std::same_as<double>;
    };

    // The mean over some of its samples: those of the last at().                         the engine's layer_loss
    template <class F>
    concept batched_loss = loss<F> && requires(F& f, std::span<std::size_t const> which) {
        { f.samples() } -> std::same_as<std::size_t>;
        f.at(which);
    };

    // Distillation: its target can be the output of other weights, until it is reset.    the engine's layer_loss
    template <class F>
    concept teachable_loss = loss<F> && requires(F& f, std::span<float const> w) {
        f.teach(w); // copied; empty: back to its own target
    };

    // Moves v against the gradient g. One object for each v: it may have state.          sign_step, adam
    template <class U>
    concept update_step = std::copyable<U> && requires(U& step, std::span<float> v, std::span<float const> g, float x) {
        step(v, g, x); // x: the rate
    };
    // One with state that can be stored, and loaded into another, which then resumes from there.               adam
    template <class U>
    concept resumable_step = update_step<U> && requires(U& step, void (&visit)(std::vector<float>&), std::size_t k) {
        step.each_array(visit); // its state
        step.took(k);           // it has done k steps
    };

    // rate(k) of each step k < steps.                                      linear_decay, cosine, constant
    template <class R>
    concept rate_schedule = requires(R const& rate, std::size_t k) {
        { rate.steps } -> std::convertible_to<std::size_t>;
        { rate(k) } -> std::same_as<float>;
    };

    struct parameter_pair // what is learned of a group's scale; or the gradient of a loss by both
    {
        float first, second;
    };
    // What of a group's scale and zero can be learned, and the gradient by it.
    //                                                          clip_range<P, Part>, adjust_scale<P>
    template <class K, class C>
    concept clipping = codebook<C> && zero_in_steps<typename K::zero_type> &&
                       requires(K const& k, std::span<float const> group, C const& book,
                                typename K::group_type const& of, parameter_pair p, scale_and_zero s) {
                           { k.start(group, book, group) } -> std::same_as<typename K::group_type>;
                           { k.initial() } -> std::same_as<parameter_pair>;
                           { k.scale(of, p, book) } -> std::same_as<scale_and_zero>;
                           { k.slope(of, p, s, s, book) } -> std::same_as<parameter_pair>;
                           { k.limit(p) } -> std::same_as<parameter_pair>;
                       };

    // ---- integrate

    // Points on the path from weights to quantized weights, and the weight of the derivative at each: the sum of
    // weight(k) f'(node(k)).                              every quadrature_rule, first_order, second_order
    template <class R>
    concept path_rule = requires(R const& rule, std::size_t k) {
        { rule.size() } -> std::same_as<std::size_t>;
        { rule.node(k) } -> std::same_as<double>;
        { rule.weight(k) } -> std::same_as<double>;
        { R::name() } -> std::convertible_to<char const*>;
    };

    // The integral over [0, 1]. degree: of the polynomials that it integrates exactly; the error falls with
    // size^-order.
    //                           left_riemann, right_riemann, midpoint, trapezoid, simpson, gauss, inclusive_mean
    template <class Q>
    concept quadrature_rule = path_rule<Q> && requires(Q const& rule) {
        { rule.degree() } -> std::same_as<std::size_t>;
        { Q::order } -> std::convertible_to<unsigned>;
    };

    // ---- detach

    // How much each weight matters, the most important the largest number; change: its share of a loss's change.
    //                                 by_change, by_rise, by_magnitude, by_interquartile_range, by_chance
    template <class S>
    concept weight_score = requires(S const& s, std::span<float const> w, std::span<float const> change) {
        { s(w, change) } -> std::same_as<std::vector<float>>;
    };

    // ---- pack

    // How the codes of one block (16 rows x 32 columns) lie in bytes, as planes, most significant bits first. The first
    // planes are the code >> rest.                                                       planes<W...>
    template <class L>
    concept code_layout = requires(std::size_t plane, std::size_t n, code const* in, std::size_t apart,
                                   std::byte* const* to, std::byte const* const* from, code* out) {
        { L::bits } -> std::convertible_to<unsigned>;
        { L::count } -> std::convertible_to<std::size_t>;
        { L::widths } -> std::convertible_to<std::array<unsigned, L::count>>;
        { L::bytes(plane) } -> std::same_as<std::size_t>; // of one plane of one block
        L::pack(n, in, apart, to); // the first n planes; rows begin `apart` codes apart
        L::unpack(n, from, out);
    };

    // ---- multiply

    // The instruction set that code is compiled for; chooses the kernels. core/target.hpp keeps units of different
    // flags apart, and says what may be passed between them.
    //       scalar, avx2, avx2_vnni, avx512, avx512_vnni, avx512_bf16, neon, neon_dot, neon_i8mm, simd<X>, dispatched
    template <class A>
    concept arch = requires {
        { A::name() } -> std::convertible_to<char const*>;
        { A::supported() } -> std::same_as<bool>; // by the flags of this unit
    };

    // How x goes into a kernel: prepared once, read by every matrix that shares it.      exact, limbs<1..3>, bf16
    template <class A>
    concept activation = requires(A const& a, std::span<float const> x, typename A::prepared& into) {
        a.prepare(x, into);
        into.view();
    };

    // Running sum, V = float or a batch of floats.                               fp32, fp64, compensated, suited
    template <class A>
    concept accumulator = requires(typename A::template of<float> sum, float x) {
        sum.add(x, x); // += x * x
        { sum.total() } -> std::same_as<float>;
    };

    // y += m x
    //                                                                   packed, prefixed, csr, sum<A, B>
    template <class M>
    concept linear_map = requires(M const& m, std::span<float const> x, std::span<float> y) {
        { m.rows() } -> std::convertible_to<std::size_t>;
        { m.cols() } -> std::convertible_to<std::size_t>;
        multiply_add(m, x, y);
    };

    // Its single weights can be read.                                                    packed, prefixed, csr
    template <class M>
    concept dense_map = requires(M const& m, std::size_t i) {
        { m.rows() } -> std::convertible_to<std::size_t>;
        { m.cols() } -> std::convertible_to<std::size_t>;
        { m.at(i, i) } -> std::same_as<float>;
    };
}
