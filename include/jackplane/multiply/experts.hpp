// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <ranges>
#include <vector>
#include "jobs.hpp"

// A layer of experts (MoE): each token goes to a few of many matrices of one shape. Tokens are sorted by expert once,
// for gate, up and down alike; the gates and the ups of all experts that were chosen are one parallel region.
namespace jackplane::inline v0::inline JACKPLANE_TARGET
{
    // Who reads which token, as a router chose. Keeps its memory from one choice to the next.
    class expert_choice
    {
    public:
        // experts [tokens, used], each below `count`: those of a token in a row, in any order. Throws shape_error, and
        // then is as it was.
        void sort(matrix_view<std::size_t const> experts, std::size_t count)
        {
            expect_whole(experts, "experts");
            JACKPLANE_EXPECTS(fits_in_memory(count, 4, sizeof count), shape_error, count,
                              " experts do not fit in memory");
            for (std::size_t t = 0; t < experts.rows; ++t)
                for (std::size_t const e : experts.row(t))
                    JACKPLANE_EXPECTS(e < count, shape_error, "token ", t, " goes to expert ", e, " of ", count);
            m_sizes = {experts.rows, experts.cols, count};
            m_next.assign(count + 1, 0);
            for (std::size_t t = 0; t < experts.rows; ++t)
                for (std::size_t const e : experts.row(t))
                    ++m_next[e + 1];
            m_chosen.clear();
            m_first.clear();
            for (std::size_t e = 0; e < count; ++e)
            {
                if (m_next[e + 1] != 0)
                {
                    m_chosen.push_back(e);
                    m_first.push_back(m_next[e]);
                }
                m_next[e + 1] += m_next[e];
            }
            m_first.push_back(m_next[count]);
            m_tokens.resize(m_next[count]);
            m_places.resize(m_next[count]);
            for (std::size_t t = 0, place = 0; t < experts.rows; ++t)
                for (std::size_t const e : experts.row(t))
                {
                    m_tokens[m_next[e]] = t;
                    m_places[m_next[e]++] = place++;
                }
        }

        std::size_t tokens() const noexcept { return m_sizes.tokens; }
        std::size_t used() const noexcept { return m_sizes.used; } // experts of a token
        std::size_t count() const noexcept { return m_sizes.count; }
        // The experts that some token goes to, rising; those without one are no work.
        std::span<std::size_t const> chosen() const noexcept { return m_chosen; }
        // Of the nth of them: its tokens, rising, and the place of each choice, token * used + the column that names
        // it.
        std::span<std::size_t const> tokens_of(std::size_t nth) const noexcept { return part(m_tokens, nth); }
        std::span<std::size_t const> places_of(std::size_t nth) const noexcept { return part(m_places, nth); }

    private:
        std::span<std::size_t const> part(std::vector<std::size_t> const& of, std::size_t nth) const noexcept
        {
            return {of.data() + m_first[nth], m_first[nth + 1] - m_first[nth]};
        }

        struct sizes
        {
            std::size_t tokens = 0, used = 0, count = 0;
        };
        sizes m_sizes;
        std::vector<std::size_t> m_chosen, m_first;  // [chosen], [chosen + 1]: where the choices of each begin
        std::vector<std::size_t> m_tokens, m_places; // [tokens * used], by expert
        std::vector<std::size_t> m_next;             // [count + 1]
    };

    // What the experts of a choice read, prepared. Keeps its memory from one choice to the next.
    template <activation A>
    class expert_x
    {
    public:
        using prepared = typename A::prepared;

        // x [tokens, cols]: a token is read by all its experts; or [tokens * used, cols]: a row for each place. Read
        // where it lies; of one token alone x is prepared once for all of them. Experts are split over the threads.
        // Throws shape_error.
        template <class Arch = best_arch, vector_values X, parallel_policy Parallel = serial>
        void prepare(A const& how, X const& x, expert_choice const& choice, Parallel const& parallel = {})
        {
            auto const all = jackplane::vectors_of(x);
            std::size_t const tokens = choice.tokens(), places = tokens * choice.used();
            JACKPLANE_EXPECTS(all.rows == tokens || all.rows == places, shape_error, all.rows, " x of ", tokens,
                              " tokens, each of which goes to ", choice.used(), " experts");
            m_count = 0; // what throws leaves nothing to multiply
            std::size_t const chosen = choice.chosen().size();
            m_shared = all.rows == 1 && chosen == places; // an expert that is named twice reads x twice
            std::size_t const count = m_shared ? 1 : chosen;
            if (m_ready.size() < count)
                m_ready.resize(count);
            auto const prepare_some = [&](std::size_t nth, std::size_t last)
            {
                for (; nth < last; ++nth)
                    how.template prepare<Arch>(all, all.rows == tokens ? choice.tokens_of(nth) : choice.places_of(nth),
                                               m_ready[nth]);
            };
            if (m_shared)
                how.template prepare<Arch>(all, m_ready[0]);
            else if (count != 0)
            {
                prepare_some(0, 1); // what is wrong with x or `how` is found before any thread starts
                parallel(count - 1, [&](std::size_t first, std::size_t last) { prepare_some(first + 1, last + 1); });
            }
            m_count = chosen;
        }

        std::size_t count() const noexcept { return m_count; } // of experts that were chosen
        // What the nth of them reads.
        prepared const& of(std::size_t nth) const& noexcept { return m_ready[m_shared ? 0 : nth]; }
        void of(std::size_t) const&& = delete; // would point into a temporary

    private:
        std::vector<prepared> m_ready;
        std::size_t m_count = 0;
        bool m_shared = false;
    };

    // The matrices of all experts for one step, all gates or all ups, and where their products go.
    template <packed_matrix M>
    struct expert_stack
    {
        std::span<M const> matrices;        // [experts], of one shape
        matrix_view<float> y;               // [tokens * used, rows]: a row for each place
        matrix_view<float const> bias = {}; // [experts, rows]; none: 0

        // matrices: a vector, a span, an array
        template <class Matrices>
        expert_stack(Matrices const& all, matrix_view<float> to, matrix_view<float const> plus = {})
            : matrices(all), y(to), bias(plus)
        {
        }
        template <class Matrices>
            requires(!std::is_lvalue_reference_v<Matrices> && !std::ranges::borrowed_range<Matrices>)
        expert_stack(Matrices&&, matrix_view<float>, matrix_view<float const> = {}) = delete; // a temporary
    };
    template <class Matrices>
    expert_stack(Matrices const&, matrix_view<float>, matrix_view<float const> = {})
        -> expert_stack<typename Matrices::value_type>;

    namespace detail
    {
        // A matrix that somebody else keeps: a job holds it without a share of its planes.
        template <packed_matrix M>
        struct kept_matrix
        {
            M const* of;

            std::size_t rows() const noexcept { return of->rows(); }
            std::size_t cols() const noexcept { return of->cols(); }
            auto const& view() const noexcept { return of->view(); }
        };

        // The jobs of a stack, each made when it is looked at.
        template <packed_matrix M, activation A>
        struct stack_jobs
        {
            using value_type = job<kept_matrix<M>, typename A::prepared>;
            struct iterator
            {
                stack_jobs const* of;
                std::size_t nth;

                value_type operator*() const { return of->nth(nth); }
                iterator& operator++() noexcept { return ++nth, *this; }
                bool operator==(iterator const& other) const noexcept { return nth == other.nth; }
            };

            expert_choice const& choice;
            expert_x<A> const& x;
            expert_stack<M> const& stack;

            iterator begin() const noexcept { return {this, 0}; }
            iterator end() const noexcept { return {this, choice.chosen().size()}; }
            value_type nth(std::size_t n) const
            {
                std::size_t const e = choice.chosen()[n];
                job_options how{.to_rows = choice.places_of(n)};
                if (stack.bias.data != nullptr)
                    how.bias = stack.bias.row(e);
                return {kept_matrix<M>{&stack.matrices[e]}, x.of(n), stack.y, how};
            }
        };

        template <packed_matrix M>
        void expect_stack(expert_stack<M> const& stack, expert_choice const& choice, std::size_t x)
        {
            std::size_t const places = choice.tokens() * choice.used();
            JACKPLANE_EXPECTS(stack.matrices.size() == choice.count(), shape_error, stack.matrices.size(),
                              " matrices of ", choice.count(), " experts");
            JACKPLANE_EXPECTS(stack.y.rows == places, shape_error, places, " choices of experts into ", stack.y.rows,
                              " y");
            JACKPLANE_EXPECTS(x == choice.chosen().size(), shape_error, "x of ", x, " experts, of which ",
                              choice.chosen().size(), " are chosen");
            bool const has_bias = stack.bias.data != nullptr || stack.bias.rows != 0;
            JACKPLANE_EXPECTS(!has_bias || stack.bias.rows == choice.count(), shape_error, stack.bias.rows,
                              " rows of bias for ", choice.count(), " experts");
            bool const has_rows = stack.bias.cols != 0 || stack.y.cols == 0; // a bias of nothing would be none
            JACKPLANE_EXPECTS(!has_bias || has_rows, shape_error, "a bias of 0 for ", stack.y.cols, " rows");
            expect_whole(stack.bias, "bias");
        }
    }

    // y[place] = A_e x + bias_e for every place at which a token chose e, of every stack: gate and up in one parallel
    // region, with the bits of one call for each, and of multiply for each expert.
    //     choice.sort({experts, tokens, used}, count);
    //     ready.prepare(limbs<3>{}, x, choice, workers);
    //     multiply_experts(workers, choice, ready, expert_stack{gates, g}, expert_stack{ups, u, bias});
    // Allocates nothing. Throws shape_error before any thread starts.
    template <arch Arch = best_arch, accumulator Acc = suited, parallel_policy Parallel, activation A,
              packed_matrix... M>
    void multiply_experts(Parallel const& parallel, expert_choice const& choice, expert_x<A> const& x,
                          expert_stack<M> const&... stacks)
    {
        (detail::expect_stack(stacks, choice, x.count()), ...);
        multiply_each<Arch, Acc>(parallel, detail::stack_jobs<M, A>{choice, x, stacks}...);
    }
}
