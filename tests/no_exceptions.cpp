// SPDX-License-Identifier: BSD-3-Clause
// core, quantize, pack and multiply without exceptions and without run-time type information; an error prints one line
// and aborts.
#include <jackplane/core/checkpoint.hpp>
#include <jackplane/core/parallel.hpp>
#include <jackplane/core/progress.hpp>
#include <jackplane/core/team.hpp>
#include <jackplane/multiply/any.hpp>
#include <jackplane/multiply/arch/cpu.hpp>
#include <jackplane/multiply/dense_sparse.hpp>
#include <jackplane/multiply/multiply.hpp>
#include <jackplane/multiply/sparse.hpp>
#include <jackplane/pack/any_packed.hpp>
#include <jackplane/pack/pack.hpp>
#include <jackplane/quantize/balance.hpp>
#include <jackplane/quantize/clip.hpp>
#include <jackplane/quantize/matryoshka.hpp>
#include <jackplane/quantize/quantize.hpp>
#include <jackplane/quantize/refine.hpp>
#include <jackplane/quantize/row_table.hpp>
#include <jackplane/quantize/scale_range.hpp>
#include <jackplane/quantize/slice.hpp>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__cpp_exceptions) || defined(__GXX_RTTI)
#error "compile with -fno-exceptions -fno-rtti"
#endif

using namespace jackplane;

constexpr std::size_t some_rows = 17, some_columns = 65; // they divide nothing

template <class Layout, class Codebook, class Scale>
void run(char const* name, std::vector<float> const& weights, float bound)
{
    matrix_view<float const> const w{weights.data(), some_rows, some_columns};
    auto const a = pack<Layout>(quantize(w, Codebook{}, Scale{}, group{32}, nearest{}, independent{}, {}, threads{2}));
    std::vector<float> x(some_columns, 1), y(some_rows), definition(some_rows);
    multiply(a, x, y, threads{2});
    multiply_add<scalar, fp64>(a, x, definition);
    for (std::size_t row = 0; row < some_rows; ++row)
        if (!(std::abs(y[row] - definition[row]) <= bound))
        {
            std::printf("%s: row %zu is %g, by the definition %g\n", name, row,
                        static_cast<double>(y[row]), static_cast<double>(definition[row]));
            std::abort();
        }
}

// In a process of its own `wrong` prints this line on stderr, nothing else, and aborts.
template <class Wrong>
void expect_abort(char const* line, Wrong wrong)
{
    int ends[2];
    if (pipe(ends) != 0)
        std::abort();
    pid_t const child = fork();
    if (child == 0)
    {
        rlimit const no_core{0, 0};
        setrlimit(RLIMIT_CORE, &no_core);
        dup2(ends[1], STDERR_FILENO);
        wrong();
        _exit(0);
    }
    close(ends[1]);
    std::string said;
    char byte;
    while (read(ends[0], &byte, 1) == 1)
        said += byte;
    close(ends[0]);
    int status = 0;
    if (waitpid(child, &status, 0) != child || !WIFSIGNALED(status) || WTERMSIG(status) != SIGABRT || said != line)
    {
        std::printf("wanted an abort that says\n%sgot the status %d and\n%s\n", line, status, said.c_str());
        std::exit(1);
    }
}

// What the rest of quantize and multiply offers.
void run_others(std::vector<float> weights)
{
    matrix_view<float> const w{weights.data(), some_rows, some_columns};
    std::vector<float> x(some_columns, 1), y(some_rows);
    multiply_columns(w, channel_scales(x, 0.5f));
    std::vector<float> const inputs(some_columns * some_columns, 1);
    clip(w, matrix_view<float const>{inputs.data(), some_columns, some_columns}, uniform<4>{}, minmax{}, group{32});
    auto const two = quantize(w, uniform<2, 8>{}, minmax{}, group{32});
    auto const a = pack<bit_planes>(refine(w, uniform<8>{}, leading(two)));
    unsigned const widths[] = {2, 8};
    float const matters[] = {1, 1};
    quantize(w, matryoshka(widths, matters), parent_scale{minmax{}}, group{32});
    if (!scales_of(w, uniform<8>{}, minmax{}, group{32}).held_by<half>())
        std::puts("half loses a scale");
    triplet const some[] = {{0, 0, 1.0f}, {16, 64, -2.0f}};
    csr<> const sparse(some_rows, some_columns, some);
    multiply(dense_sparse(a.prefix(4), sparse), x, std::span<float>(y), team(2));
    multiply(pack<planes<2, 1>>(quantize(w, row_table<3>{})), x, y);
    std::variant<packed<bit_planes>, packed<planes<4>, nf4>> const any =
        pack<bit_planes>(quantize(w, uniform<8>{}, absmax{}, group{}));
    exact::prepared ready;
    exact::prepare(x, ready);
    multiply(any, 3, ready, std::span<float>(y));
}

int main()
{
    std::vector<float> weights(some_rows * some_columns);
    for (std::size_t i = 0; i < weights.size(); ++i)
        weights[i] = static_cast<float>(i * 7 % 31) / 31 - 0.5f;
    // (groups + 8) eps sum |scale| (|code| + |zero|) |x|: at most 11 * 2^-23 * 65 * 2 for weights below 1 in magnitude
    float const bound = 11 * 0x1p-23f * 65 * 2;
    run<bit_planes, uniform<8>, absmax>("bit planes", weights, bound);
    run<planes<4, 4>, uniform<8>, minmax<integer_zero>>("nibbles", weights, bound);
    run<planes<4>, nf4, absmax>("nf4", weights, bound);
    run<planes<2>, uniform<2>, mse_search<full_range>>("2 bits", weights, bound);

    run_others(weights);
    matrix_view<float const> const w{weights.data(), some_rows, some_columns};
    any_packed const any = pack<bit_planes>(quantize(w, uniform<8>{}, absmax{}, group{}));
    auto const& a = *std::get_if<packed<bit_planes>>(&any);
    std::vector<float> x(some_columns, 1), y(some_rows);
    multiply(a.prefix(2), x, y);
    multiply(repack<bit_planes>(a, 3, round_clamp{}), x, y);

    expect_abort("jackplane: no 9-bit prefix here; readable widths: 1, 2, 3, 4, 5, 6, 7, 8\n",
                 [&] { (void)a.prefix(9); });
    expect_abort("jackplane: a matrix of 17 x 65 times x of 65 into y of 65\n", [&] { multiply(a, x, x); });
    weights[12 * some_columns + 5] = NAN; // of the second thread
    expect_abort("jackplane: up: weight at row 12, column 5 is nan\n", [&]
    { quantize(w, uniform<8>{}, absmax{}, group{}, nearest{}, independent{}, {.name = "up"}, threads{2}); });
}
