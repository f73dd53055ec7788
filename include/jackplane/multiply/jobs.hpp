// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <variant>
#include "multiply.hpp"

// Several products in one parallel region, where threads meet once: q, k and v, or all the experts that tokens chose.
namespace jackplane::inline v0::inline JACKPLANE_TARGET
{
    // What becomes of A x.
    struct job_options
    {
        float alpha = 1;                           // y = alpha A x + bias
        std::span<float const> bias = {};          // [rows]; none: 0
        std::span<std::size_t const> to_rows = {}; // [vectors]: the row of y that each goes to; none: 0, 1, 2 ...
        bool add = false;                          // to what stands in y; else that is overwritten
    };

    // One product: the rows to_rows of y [.., rows] = alpha A X + bias, X prepared. It may be kept and run again, with
    // what x and y hold then. A matrix is copied: a view of planes, or an owner, which shares them.
    template <class M, class X>
    struct job
    {
        static_assert(packed_matrix<M>, "the matrix of a job is packed, or a prefix or rows of one");
        static_assert(prepared<X>, "the x of a job is what an activation prepared: exact::prepare(x, ready), "
                                   "limbs<3>{}.prepare(x, ready)");
        M matrix;
        X const* x;
        matrix_view<float> y;
        job_options how;

        // to: float, one vector as any contiguous range, several as a matrix
        template <float_operand_y Y = matrix_view<float>>
        job(M const& a, X const& of, Y&& to, job_options options = {})
            : matrix(a), x(&of), y(detail::outputs_of(to)), how(options)
        {
        }
        template <class Y = matrix_view<float>> // in braces, too
        job(M const& a, X const&& of, Y&& to, job_options = {}) = delete; // it would point to a temporary
        template <class Y>
            requires(!float_operand_y<Y>)
        job(M const& a, X const& of, Y&&, job_options = {}) : job(a, of, matrix_view<float>{})
        {
            static_assert(float_operand_y<Y>, "the y of a job is written as float: a vector, a std::span<float>, for "
                                              "several x a matrix_view<float>");
        }
    };

    namespace detail
    {
        template <class J>
        inline constexpr bool is_job = false;
        template <class M, class X>
        inline constexpr bool is_job<job<M, X>> = packed_matrix<M> && prepared<X>;
        template <class... J>
        inline constexpr bool is_job<std::variant<J...>> = (is_job<J> && ...);
        template <class J>
        inline constexpr bool is_job_list = requires { requires is_job<typename J::value_type>; };
        template <class J, std::size_t N>
        inline constexpr bool is_job_list<std::span<J, N>> = is_job<std::remove_const_t<J>>;

        // each(job): of one, of what a variant holds, of those in a list
        template <class J, class Each>
        void for_each_job(J const& of, Each&& each)
        {
            if constexpr (is_job_list<J>)
                for (auto const& one : of)
                    for_each_job(one, each);
            else if constexpr (requires { of.matrix; })
                each(of);
            else
                std::visit(each, of);
        }

        // An expert that no token chose is no work.
        template <class M, class X>
        std::size_t panels_of(job<M, X> const& j) noexcept
        {
            return j.x->vectors() == 0 ? 0 : j.matrix.view().panels;
        }

        template <class Arch, accumulator Acc, class M, class X>
        void expect_job(job<M, X> const& j, std::size_t nth)
        {
            matrix_view<float> const y = j.y;
            std::size_t const rows = j.matrix.rows(), vectors = j.x->vectors(), listed = j.how.to_rows.size();
            JACKPLANE_EXPECTS(j.x->cols() == j.matrix.cols() && y.cols == rows, shape_error, "job ", nth,
                              ": a matrix of ", rows, " x ", j.matrix.cols(), " times x of ", j.x->cols(),
                              " into y of ", y.cols);
            JACKPLANE_EXPECTS(listed != 0 || vectors == 0 || y.rows == vectors, shape_error, "job ", nth, ": ", vectors,
                              " x and ", y.rows, " y");
            JACKPLANE_EXPECTS(listed == 0 || listed == vectors, shape_error, "job ", nth, ": ", vectors, " x go to ",
                              listed, " rows of y");
            for (std::size_t const row : j.how.to_rows)
                JACKPLANE_EXPECTS(row < y.rows, shape_error, "job ", nth, ": an x goes to row ", row, " of ", y.rows,
                                  " y");
            JACKPLANE_EXPECTS(j.how.bias.empty() || j.how.bias.size() == rows, shape_error, "job ", nth, ": a bias of ",
                              j.how.bias.size(), " for ", rows, " rows");
            if (y.data == nullptr || y.stride < y.cols || !fits_in_memory(y.rows, y.stride, sizeof(float)))
                expect_whole(y, text("job ", nth, ": y")); // a name for those alone that may be wrong
            run_kernel<Arch, Acc>(j.matrix.view(), j.x->view(), nullptr, 0, 0, 0); // may throw arch_error
        }

        // sums [count, rows] of the vectors from `vector` on and the rows from `row` on -> y
        inline void put_sums(float const* sums, std::size_t count, std::size_t rows, std::size_t vector,
                             std::size_t row, matrix_view<float> y, job_options const& how) noexcept
        {
            float const* const bias = how.bias.empty() ? nullptr : how.bias.data() + row;
            for (std::size_t n = vector; n < vector + count; ++n, sums += rows)
            {
                float* const to = y.data + (how.to_rows.empty() ? n : how.to_rows[n]) * y.stride + row;
                for (std::size_t r = 0; r < rows; ++r)
                {
                    float const product = how.alpha * sums[r], one = bias == nullptr ? product : product + bias[r];
                    to[r] = how.add ? to[r] + one : one;
                }
            }
        }

        // The panels [first, last) of a job: their sums stay in the cache until they are put where they belong.
        template <class Arch, accumulator Acc, class M, class X>
        void do_panels(job<M, X> const& j, std::size_t first, std::size_t last)
        {
            constexpr std::size_t most = 256, few = 8; // vectors at once: a multiple of what kernels take, and the rest
            alignas(64) float sums[(most + few) * block::rows]; // [vectors, rows]
            std::size_t const vectors = j.x->vectors(), step = std::max<std::size_t>(1, 64 / vectors);
            for (std::size_t panel = first; panel < last; panel += step)
            {
                auto const a = some_panels(j.matrix.view(), panel, std::min(panel + step, last));
                for (std::size_t n = 0, count = 0; n < vectors; n += count)
                {
                    count = vectors - n <= most + few ? vectors - n : most;
                    std::fill_n(sums, count * a.rows, 0.0f);
                    run_kernel<Arch, Acc>(a, some_vectors(j.x->view(), n, count), sums, a.rows, 0, a.rows);
                    put_sums(sums, count, a.rows, n, panel * block::rows, j.y, j.how);
                }
            }
        }
    }

    // A job, a variant of jobs, or a list (vector, span, array) of one of them.
    template <class J>
    concept jobs = detail::is_job<J> || detail::is_job_list<J>;

    // Every product of the jobs, with the bits that multiply gives: for matrices of one type or of several, whose
    // panels of 16 rows are split together, so that all threads share each matrix, however few or many there are.
    //     multiply_each<Arch>(workers, job{q, ready, to_q}, job{k, ready, to_k}, job{v, ready, to_v, {.bias = b}});
    //     multiply_each<Arch>(workers, gates, ups); // lists: one job for each expert that was chosen
    // Jobs run at the same time: no two may write to the same place of y. Allocates nothing. Throws shape_error that
    // names the job, before any thread starts.
    template <arch Arch = best_arch, accumulator Acc = suited, parallel_policy Parallel, jobs... J>
    void multiply_each(Parallel const& parallel, J const&... of)
    {
        [[maybe_unused]] std::size_t count = 0;
        std::size_t panels = 0;
        [[maybe_unused]] auto const look_at = [&](auto const& one)
        {
            detail::expect_job<Arch, Acc>(one, count++);
            panels += detail::panels_of(one);
        };
        (detail::for_each_job(of, look_at), ...);
        parallel(panels, [&](std::size_t first, std::size_t last)
        {
            [[maybe_unused]] std::size_t begin = 0; // of a job, among the panels of all
            [[maybe_unused]] auto const do_part = [&](auto const& one)
            {
                std::size_t const end = begin + detail::panels_of(one);
                std::size_t const from = std::max(first, begin), to = std::min(last, end);
                if (from < to)
                    detail::do_panels<Arch, Acc>(one, from - begin, to - begin);
                begin = end;
            };
            (detail::for_each_job(of, do_part), ...);
        });
    }

    // What does not compile says why: misuse.hpp.
    template <class Arch = best_arch, class Acc = suited, class Parallel, class... J>
        requires(!detail::are_policies<Arch, Acc, Parallel> || !(jobs<J> && ...))
    void multiply_each(Parallel const&, J const&...)
    {
        constexpr bool shares = parallel_policy<Parallel>, are_jobs = (jobs<J> && ...);
        static_assert(shares, "the first argument of multiply_each says who shares the work: serial{}, threads{4}, a "
                              "team or a pool; jobs follow");
        detail::explain_policies<Arch, Acc>();
        static_assert(!shares || are_jobs, "multiply_each takes jobs: job{a, ready, y}, a variant of jobs, or a list "
                                           "(vector, span, array) of them; x is what an activation prepared");
    }
}
