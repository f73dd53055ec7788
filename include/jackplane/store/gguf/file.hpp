// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include "../../core/view.hpp"
#include "../file.hpp"
#include "header.hpp"

// Reading GGUF, versions 2 and 3, strictly: every key and name once, offsets that follow one another, sizes that agree
// with types and shapes, a file that ends where the header says. Writing: write.hpp.
namespace jackplane::inline v0::inline JACKPLANE_TARGET::gguf
{
    // What the header says, and where the bytes of each tensor are. Those of a big-endian file are a copy in the order
    // of this machine.
    class file : public tensor_file<header>
    {
    public:
        file(std::string name, std::span<std::byte const> bytes, std::shared_ptr<void const> keep)
            : tensor_file(std::move(name), std::move(keep))
        {
            _all->head = detail::header_reader(_all->name, bytes).read();
            if (_all->head.is_big_endian)
                swap();
        }

        bool is_big_endian() const noexcept { return _all->head.is_big_endian; }
        std::uint64_t alignment() const noexcept { return _all->head.alignment; }
        std::span<tensor const* const> order() const& noexcept
        {
            return {_all->head.order.data(), _all->head.order.size()};
        }
        void order() const&& = delete; // it would point into a temporary

    private:
        void swap()
        {
            header& head = _all->head;
            auto const all = std::make_shared<aligned_vector<std::byte>>(
                static_cast<std::size_t>(head.end - head.data_start * !head.order.empty()));
            for (tensor* t : head.order)
            {
                if (!t->type.is_decoded && t->type.bytes > 1 && t->type.words.empty())
                    detail::reject({_all->name, t->name, t->offset}, "a type that is read of a big-endian file",
                                   std::string(t->type.name));
                auto const to =
                    std::span(*all).subspan(static_cast<std::size_t>(t->offset - head.data_start), t->bytes.size());
                std::copy(t->bytes.begin(), t->bytes.end(), to.begin());
                swap_bytes(t->type, to);
                t->bytes = to;
            }
            _all->keep = all;
        }
    };

    // Of a path, or of bytes and a name for them (../file.hpp).
    inline constexpr open_file<file> open{};
    inline constexpr parse_file<file> parse{};
    inline constexpr try_open_file<file> try_open{};
    inline constexpr try_parse_file<file> try_parse{};

    // f(T{}) for the type of a tensor. Throws format_error for one that is not decoded here, as IQ2_XS or I32.
    template <class F>
    void visit_type(tensor const& t, F&& f)
    {
        JACKPLANE_EXPECTS(visit_type(t.type.id, std::forward<F>(f)), format_error, "tensor '",
                          detail::printable(t.name), "': ", t.type.name, " is not decoded here");
    }

    // Rows of a tensor as numbers [rows, cols]. Throws shape_error where x has another shape, else as visit_type.
    inline void read_rows(tensor const& t, std::size_t first, matrix_view<float> x)
    {
        JACKPLANE_EXPECTS(x.cols == t.cols() && first <= t.rows() && x.rows <= t.rows() - first, shape_error,
                          "tensor '", detail::printable(t.name), "': rows ", first, " to ", first + x.rows, " of ",
                          x.cols, " columns, of ", t.rows(), " x ", t.cols());
        visit_type(t,
                   [&]<class T>(T)
                   {
                       for (std::size_t row = 0; x.cols > 0 && row < x.rows; ++row)
                           decode<T>(t.bytes.subspan((first + row) * t.row_bytes(), t.row_bytes()),
                                     std::span(&x(row, 0), x.cols));
                   });
    }
    // All of them.
    inline aligned_vector<float> read(tensor const& t)
    {
        aligned_vector<float> x(t.rows() * t.cols());
        read_rows(t, 0, {x.data(), t.rows(), t.cols()});
        return x;
    }
}
