// SPDX-License-Identifier: BSD-3-Clause
// The kernels of best_arch: arch.cmake compiles this once for every arch. Formats are few, and narrow where they can
// be: each width of each is machine code of its own.
#include "laws/activation.hpp"
#include "laws/kernel.hpp"
#include <jackplane/quantize/overlapping.hpp>
#include "subjects.hpp"

using namespace jackplane;
using laws::format;
using laws::seat;

TEST_CASE_TEMPLATE_INVOKE(limbs_law, limbs<1>, limbs<2>, limbs<3>);

// One-bit planes have every width; the others, every way to merge planes, and with more limbs every width of fields.
// xsimd's batches compile slowly: they get fewer.
template <class How, unsigned... W>
using codes = seat<format<planes<W...>>, How>; // scales in half, zeros in bytes
template <class Arch>
constexpr bool is_xsimd = requires { typename Arch::batch_arch; };
template <class How>
using most_widths =
    std::conditional_t<is_xsimd<best_arch>, codes<How, 1, 1, 2, 4>, codes<How, 1, 1, 1, 1, 1, 1, 1, 1>>;
template <class How, unsigned... W>
using wide = std::conditional_t<is_xsimd<best_arch>, codes<How, 2>, codes<How, W...>>;
// Zeros in half or none; scales in float and bfloat16; planes that do not merge; tables. (What multiplies several
// vectors is compiled for each kind of scale and zero.)
using real_zeros = format<planes<4>, float, half>;
using no_zeros = format<planes<4>, bfloat16, no_zero>;
using unaligned = format<planes<1, 2, 4>, bfloat16, no_zero>;
using normal_float = format<planes<4>, bfloat16, no_zero, nf4>;
using small_float = format<planes<2, 2>, float, half, fp4>;
using offsets = format<planes<2, 2>, half, offset_zero<half>>;
template <class How, unsigned... W>
using leveled = seat<format<planes<W...>, half, std::uint8_t, overlapping<8>>, How>;
using tables_and_offsets = format<planes<4>, float, offset_zero<float>, nf4>;

#if defined(__SANITIZE_ADDRESS__) // each of these takes a minute to compile with it: one of a kind
TEST_CASE_TEMPLATE_INVOKE(kernel_law, codes<limbs<1>, 2, 2, 4>, codes<exact, 2, 2, 4>, codes<limbs<2>, 2>,
                          seat<normal_float, limbs<1>>, leveled<limbs<1>, 4, 4>);
#elif defined(JACKPLANE_INTEGERS_ALONE) // checks/qemu.cmake
TEST_CASE_TEMPLATE_INVOKE(kernel_law, most_widths<limbs<1>>, codes<limbs<2>, 8>, codes<limbs<3>, 2>,
                          seat<no_zeros, limbs<1>>, seat<normal_float, limbs<1>>, leveled<limbs<1>, 4, 4>);
#else
TEST_CASE_TEMPLATE_INVOKE(kernel_law, most_widths<limbs<1>>, wide<limbs<2>, 2, 2, 2, 2>, wide<limbs<2>, 8>,
                          wide<limbs<3>, 4, 4>, codes<limbs<3>, 2>, codes<limbs<1>, 2, 2, 4>);
TEST_CASE_TEMPLATE_INVOKE(kernel_law, seat<real_zeros, limbs<1>>, seat<no_zeros, limbs<1>>, seat<unaligned, limbs<1>>,
                          seat<normal_float, limbs<1>>, seat<small_float, limbs<1>>, seat<small_float, limbs<3>>);
TEST_CASE_TEMPLATE_INVOKE(kernel_law, seat<offsets, limbs<2>>, seat<tables_and_offsets, limbs<1>>);
using leveled_of_most_widths =
    std::conditional_t<is_xsimd<best_arch>, leveled<limbs<1>, 2, 2, 4>, leveled<limbs<1>, 1, 1, 1, 1, 1, 1, 1, 1>>;
TEST_CASE_TEMPLATE_INVOKE(kernel_law, leveled_of_most_widths, leveled<limbs<3>, 4, 4>, leveled<limbs<2>, 8>);
#if !defined(JACKPLANE_FLOATS_OF_PARENT) // checks/qemu.cmake
TEST_CASE_TEMPLATE_INVOKE(kernel_law, most_widths<exact>, most_widths<bf16>, seat<no_zeros, exact>,
                          seat<normal_float, exact>, seat<offsets, exact>, leveled<exact, 2, 1, 1, 4>);
#endif
#endif

TEST_CASE_TEMPLATE("a table for each row: within the bound at ragged sizes, the same bits in any split of the rows", S,
                   subjects::tables<planes<4>, 4>, subjects::tables<planes<2, 1>, 3, float>,
                   subjects::tables<planes<2>, 2, bfloat16>, subjects::tables<planes<1, 2>, 3>)
{
    for (laws::shape const s : laws::ragged_shapes)
    {
        auto const subject = S::make(s, group{}, 1);
        auto const x = laws::vector(s.cols, laws::input::bell, 2);
        auto const y = laws::times(subject.map, x);
        CAPTURE(s.rows);
        CAPTURE(s.cols);
        CHECK(laws::first_wrong(laws::product(subject.exact, x), y) == s.rows);

        exact::prepared ready;
        exact::prepare(x, ready);
        std::vector<float> parts(s.rows);
        for (std::size_t last = s.rows; last > 0; last -= std::min<std::size_t>(5, last))
            kernel::multiply_rows<best_arch, suited>(subject.map.view(), ready.view(), parts.data(), s.rows,
                                                     last - std::min<std::size_t>(5, last), last);
        CHECK(laws::same_bits(parts, y));

        if (s.cols <= 32) // columns as a view: the tables are those of the whole rows
            continue;
        using layout = typename std::remove_cvref_t<decltype(subject.map.view())>::layout;
        auto const part = subject.map.cols(32, s.cols), copy = pack<layout>(unpack(part));
        for (std::size_t const n : {1u, 2u})
        {
            auto const some = laws::vector(n * part.cols(), laws::input::bell, 3);
            exact::prepare(matrix_view<float const>{some.data(), n, part.cols()}, ready);
            std::vector<float> of_part(n * s.rows), of_copy(n * s.rows);
            multiply(part, ready, matrix_view<float>{of_part.data(), n, s.rows});
            multiply(copy, ready, matrix_view<float>{of_copy.data(), n, s.rows});
            CHECK(laws::same_bits(of_part, of_copy));
        }
    }
}

namespace
{
    // What a kernel asked of its accumulators.
    struct witness
    {
        static inline std::size_t adds = 0, totals = 0;
        static inline bool own_vectors = true;

        template <class V>
        struct of : fp32::of<V>
        {
            void add(V x, V y) noexcept
            {
                ++adds;
                fp32::of<V>::add(x, y);
            }
            V total() const noexcept
            {
                ++totals;
                own_vectors &= std::is_same_v<V, kernel::vectors<best_arch>::floats>;
                return fp32::of<V>::total();
            }
        };
    };
    // For every batch of rows of a panel: how often was something added?
    template <class Arch, class How, code_layout L, class C>
    std::size_t additions(How how, std::size_t cols, std::size_t group, std::size_t vectors)
    {
        quantized<C, float, no_zero> q{C{}, 32, cols, group_grid::of({group}, cols), {}, {}, {}};
        q.codes.assign(32 * cols, 0);
        q.scales.assign(q.grid.scales(32), 1.0f);
        auto const a = pack<L>(q);
        std::vector<float> const x(vectors * cols, 1.0f);
        std::vector<float> y(vectors * 32);
        typename How::prepared ready;
        how.template prepare<Arch>(matrix_view<float const>{x.data(), vectors, cols}, ready);
        witness::adds = witness::totals = 0;
        multiply<Arch, witness>(a, ready, matrix_view<float>{y.data(), vectors, 32});
        if constexpr (std::same_as<Arch, scalar>)
            return witness::adds + witness::totals;
        else
        {
            std::size_t const batches = block::rows / kernel::vectors<Arch>::rows;
            CHECK(witness::adds % (2 * batches) == 0);
            return witness::adds / (2 * batches);
        }
    }
}
TEST_CASE("which kernel ran: scalar the definition; else integers once a group of x, floats once a block of 32 columns")
{
    constexpr std::size_t cols = 512;
    using linear = uniform<2>;
    CHECK(additions<scalar, exact, planes<2>, linear>({}, cols, 128, 1) == 0);
    CHECK(additions<scalar, limbs<1>, planes<2>, linear>({128}, cols, 128, 1) == 0);
    witness::own_vectors = true;
    CHECK(additions<best_arch, exact, planes<2>, linear>({}, cols, 128, 1) == cols / 32);
    auto const whole = [](std::size_t group) { return cols / (best_arch::multiplies_bytes ? group : 32); };
    CHECK(additions<best_arch, limbs<1>, planes<2>, linear>({128}, cols, 128, 1) == whole(128));
    CHECK(additions<best_arch, limbs<1>, planes<2>, linear>({64}, cols, 128, 1) == whole(64));
    CHECK(additions<best_arch, limbs<1>, planes<2>, linear>({128}, cols, cols, 8) == 8 * whole(128));
    CHECK(additions<best_arch, limbs<1>, planes<2>, linear>({128}, cols, 64, 1) == cols / 32); // by blocks
    // tables: bytes are looked up where a shuffle can, for one limb
    bool const shuffles = best_arch::looks_up_bytes;
    CHECK(additions<best_arch, limbs<1>, planes<4>, nf4>({128}, cols, 128, 1) == (shuffles ? cols / 128 : cols / 32));
    CHECK(additions<best_arch, limbs<2>, planes<4>, nf4>({128}, cols, 128, 1) == cols / 32);
    CHECK(witness::own_vectors);
}
TEST_CASE("a dot product of whole bytes, or of nibbles in 16-bit sums, is what the arch's instructions are")
{
    auto is = []<class Tag>(Tag) { return std::derived_from<best_arch, Tag>; };
    bool const four_way = is(avx2_vnni{}) || is(avx512_vnni{}) || is(neon_dot{});
    bool const two_way = !four_way && (is(avx2{}) || is(avx512{}) || is(neon{}));
    auto const check = [&]<class Arch>(Arch)
    {
        if constexpr (Arch::multiplies_bytes)
        {
            CHECK(kernel::vectors<Arch>::narrow == two_way);
            bool const halves = two_way || (is(neon{}) && !is(neon_i8mm{})); // neon_dot: signed bytes
            CHECK(kernel::vectors<Arch>::in_place == (halves ? 4 : 8));
        }
    };
    check(best_arch{});
    MESSAGE("best arch: ", std::string(best_arch::name()));
}

TEST_CASE("a width's own scales and zeros")
{
    laws::kernel_of<codes<limbs<1>, 2, 2, 4>> k;
    auto q = laws::random_codes(k, {19, 160}, group{64}, 1);
    k.pack(q);
    auto const x = laws::vectors(1, q.cols, 2);
    k.prepare(x, 1, 64);
    auto own = laws::random_codes(k, {19, 160}, group{64}, 3);
    own.codes = q.codes;
    k.use_scales(4, own);
    CHECK(laws::wrong_products(k, q, 8, x, k.times(8, q.rows, 1), 64) == 0);
    CHECK(laws::wrong_products(k, q, 2, x, k.times(2, q.rows, 1), 64) == 0);
    CHECK(laws::wrong_products(k, own, 4, x, k.times(4, q.rows, 1), 64) == 0);
    CHECK(laws::wrong_products(k, q, 4, x, k.times(4, q.rows, 1), 64) != 0);
}
TEST_CASE("codes sliced by another rule than truncation, through integers")
{
    laws::kernel_of<codes<limbs<1>, 2, 2, 4>> k;
    auto q = laws::whole_codes(k, {19, 160}, group{64}, 64, -1, 1);
    k.pack(q);
    auto const x = laws::whole_numbers(laws::whole::cancelling, q.cols, 64, k.largest, 2);
    k.prepare(x, 1, 64);
    k.value = [](unsigned code, unsigned) { return round_clamp{}.value(round_clamp{}(code, 8, 4), 8, 4); };
    using layout = typename std::remove_cvref_t<decltype(k.matrix().view())>::layout;
    std::vector<float> y(q.rows);
    multiply(repack<layout>(k.matrix(), 4, round_clamp{}), k.ready(), y);
    auto const expected = laws::integer_product(k, q, 4, 64, x);
    CHECK(expected.fit);
    CHECK(laws::unequal(expected.y, y) == 0);
}
