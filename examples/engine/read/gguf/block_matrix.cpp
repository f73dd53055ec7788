// SPDX-License-Identifier: BSD-3-Clause
#include "block_matrix.hpp"
#include <jackplane/core/parallel.hpp>
#include <jackplane/store/gguf/from_blocks.hpp>
#include "../with_width.hpp"
#include <cmath>
#include <concepts>
#include <optional>
#include <utility>

namespace engine
{
    namespace
    {
        // f(T{}) of the type of that number, if it has levels.
        template <class F>
        bool with_levels(std::uint32_t type, F&& f)
        {
            bool done = false;
            jackplane::gguf::visit_type(type,
                                        [&]<class T>(T t)
                                        {
                                            if constexpr (jackplane::gguf::ordered_block<T>)
                                                f(t), done = true;
                                        });
            return done;
        }
        // The zero of a type whose blocks are a scale of 16 bits and codes of a width that planes have,
        // x = d (code - zero); none where it is no code.
        template <class T>
        std::optional<jackplane::code> zero_of()
        {
            if constexpr (jackplane::gguf::linear_block<T>)
                if constexpr (std::same_as<typename T::constants, jackplane::gguf::one_scale> &&
                              is_parent_width(T::bits))
                {
                    typename T::constants const one{jackplane::from_float<jackplane::half>(1)};
                    float const zero = -T::offset(one, 0);
                    if (T::scale(one, 0) == 1 && zero >= 0 && zero < float{1u << T::bits} && zero == std::floor(zero))
                        return static_cast<jackplane::code>(zero);
                }
            return {};
        }
        template <class F>
        void expect_levels(block_matrix const& m, F&& f)
        {
            JACKPLANE_EXPECTS(with_levels(m.type, f), jackplane::format_error, "blocks of type ", m.type,
                              " have no codes of ascending values");
        }

        template <class T>
        void encode(std::span<float const> x, std::span<float const> importance, std::span<std::byte> to,
                    std::string_view name, std::size_t row)
        {
            try
            {
                jackplane::gguf::encode<T>(x, importance, to);
            }
            catch (jackplane::value_error const& error)
            {
                jackplane::fail<jackplane::value_error>(jackplane::text(name, ", row ", row, ", ", error.what()));
            }
        }
    }

    void block_matrix::decode(jackplane::matrix_view<float> out) const
    {
        auto const by_rows = [&]<class T>(T)
        {
            jackplane::threads{}(rows,
                                 [&](std::size_t first, std::size_t end)
                                 {
                                     for (std::size_t i = first; i < end; ++i)
                                         jackplane::gguf::decode<T>(row(i), {&out(i, 0), cols});
                                 });
        };
        bool const is_known = jackplane::gguf::visit_type(type, by_rows);
        JACKPLANE_EXPECTS(is_known, jackplane::format_error, "blocks of type ", type, " are not read here");
    }

    bool block_matrix::has_levels() const
    {
        return with_levels(type, [](auto) {});
    }
    jackplane::given_levels block_matrix::levels() const
    {
        std::optional<jackplane::given_levels> found;
        expect_levels(*this, [&]<class T>(T) { found = jackplane::gguf::levels<T>(bytes, cols); });
        return *std::move(found);
    }
    jackplane::aligned_vector<jackplane::code> block_matrix::codes() const
    {
        jackplane::aligned_vector<jackplane::code> q;
        expect_levels(*this, [&]<class T>(T) { q = jackplane::gguf::codes<T>(bytes, cols); });
        return q;
    }
    void block_matrix::put_codes(std::span<jackplane::code const> q)
    {
        expect_levels(*this, [&]<class T>(T) { jackplane::gguf::put_codes<T>(q, bytes); });
    }

    std::optional<stored_codes> block_matrix::with_zeros(std::string_view name) const
    {
        std::optional<stored_codes> found;
        jackplane::gguf::visit_type(type,
                                    [&]<class T>(T)
                                    {
                                        auto const zero = zero_of<T>();
                                        if constexpr (jackplane::gguf::linear_block<T>)
                                            if (zero)
                                            {
                                                auto q = jackplane::gguf::from_blocks<T>(bytes, rows, cols, name);
                                                jackplane::aligned_vector<jackplane::integer_zero> zeros(
                                                    q.scales.size(), *zero);
                                                found = {.bits = T::bits,
                                                         .rows = rows,
                                                         .cols = cols,
                                                         .grid = q.grid,
                                                         .codes = std::move(q.codes),
                                                         .scales = {q.scales.begin(), q.scales.end()},
                                                         .zeros = std::move(zeros),
                                                         .scale_type = jackplane::dtype::F16,
                                                         .type = std::string(T::name)};
                                            }
                                    });
        return found;
    }
    std::string types_with_zeros()
    {
        std::string names;
        auto const add = [&]<class T>(T)
        {
            if (zero_of<T>())
                names += jackplane::text(names.empty() ? "" : ", ", T::name);
        };
        [&]<class... T>(jackplane::gguf::type_list<T...>) { (add(T{}), ...); }(jackplane::gguf::block_types{});
        return names;
    }

    block_matrix to_blocks(jackplane::matrix_view<float const> w, std::uint32_t type, std::span<float const> importance,
                           std::string_view name)
    {
        block_matrix m{type, w.rows, w.cols};
        auto const by_rows = [&]<class T>(T)
        {
            JACKPLANE_EXPECTS(w.cols % T::values == 0, jackplane::shape_error, name, ": rows of ", w.cols,
                              " values in ", T::name, " blocks of ", T::values);
            m.bytes.resize(w.rows * (w.cols / T::values * T::bytes));
            jackplane::threads{}(w.rows,
                                 [&](std::size_t first, std::size_t end)
                                 {
                                     for (std::size_t i = first; i < end; ++i)
                                         encode<T>({&w(i, 0), w.cols}, importance, m.row(i), name, i);
                                 });
        };
        bool const is_known = jackplane::gguf::visit_type(type, by_rows);
        JACKPLANE_EXPECTS(is_known, jackplane::format_error, "blocks of type ", type, " are not written here");
        return m;
    }
}
