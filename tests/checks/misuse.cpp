// SPDX-License-Identifier: BSD-3-Clause
// What must not compile: beside each line stands what the compiler says of it, and it says nothing else.
#include <jackplane/multiply/jobs.hpp>
#include <jackplane/multiply/multiply.hpp>
#include <jackplane/multiply/sparse.hpp>
#include <jackplane/pack/pack.hpp>
#include <jackplane/quantize/quantize.hpp>
#include <jackplane/quantize/row_table.hpp>

using namespace jackplane;
using matrix = packed<bit_planes>;
using floats = std::vector<float>;
template <std::size_t Dimensions, bool Columns = false>
struct array // as those of xtensor are
{
    enum class layout { row_major, column_major };
    using value_type = float;
    static constexpr layout static_layout = Columns ? layout::column_major : layout::row_major;
    std::array<std::size_t, Dimensions> const& shape() const;
    float* data() const;
};
struct expression : array<2>
{
    void data() const = delete; // until it is evaluated
};

void policies(matrix const& a, csr<> const& s, floats const& x, floats& y, limbs<3>::prepared const& ready,
              limbs<1>::prepared& one)
{
    multiply(a, x, y, 4);                                     // says: the last argument of a product
    multiply(s, x, y, 4L);                                    // says: the last argument of a product
    multiply_add(a, ready, std::span(y), nullptr);            // says: the last argument of a product
    multiply<fp64>(a, x, y);                                  // says: the first template argument of a product
    multiply<fp64, fp32>(s, x, y);                            // says: the first template argument of a product
    multiply_add<fp32>(a, ready, std::span(y));               // says: the first template argument of a product
    multiply_rows<compensated>(a, ready, y, 0, 16);           // says: the first template argument of a product
    multiply<scalar, avx2>(a, x, y);                          // says: the second template argument of a product
    multiply<avx512, fp64>(a, ready, y);                      // says: this unit is not compiled with the flags
    limbs<1>{}.prepare<avx512>(x, one);                       // says: this unit is not compiled with the flags
}
void arguments(matrix const& a, csr<> const& s, floats const& x, floats& y, limbs<3>::prepared const& ready)
{
    std::vector<double> wide;
    std::vector<int> whole;
    floats const constant;
    multiply(a, x, wide);                                     // says: y is written as float, half or bfloat16
    multiply(s, ready, wide);                                 // says: y is written as float, half or bfloat16
    multiply(a, wide, wide, threads{2});                      // says: y is written as float, half or bfloat16
    multiply(a, x, constant);                                 // says: y is written as float, half or bfloat16
    multiply(a, x, y.data());                                 // says: y is written as float, half or bfloat16
    multiply(a, x, floats(8));                                // says: y is written as float, half or bfloat16
    multiply_add(a, x, wide);                                 // says: y is written as float where a product is added
    multiply_add(a, ready, std::vector<half>(8));             // says: y is written as float where a product is added
    multiply_rows(s, x, std::span(wide), 0, 16);              // says: y is written as float where a product is added
    multiply(a, whole, y);                                    // says: x is one vector of float
    multiply(a, x.data(), y);                                 // says: x is one vector of float
    multiply(a, matrix_view<int const>{whole.data(), 1, 8}, y); // says: x is one vector of float
    multiply_add(a, whole, y);                                // says: x is one vector of float
    multiply_rows(a, std::span(whole), y, 0, 16);             // says: x is one vector of float
    multiply(a, x, y, limbs<1>{}, threads{2});
    multiply(a, matrix_view<float const>{x.data(), 1, 8}, matrix_view<float>{y.data(), 1, 8}, bf16{});
    multiply(a, x, y, limbs<1>{}, 4u);                        // says: the last argument of a product
    multiply(a, x, y, 4, threads{2});                         // says: between y and the parallel policy stands
    multiply(a, ready, y, limbs<1>{});                        // says: an activation prepares values
    multiply(a, x, std::span(wide), limbs<1>{});              // says: y is written as float, half or bfloat16
}
struct no_map
{
};
struct without_cols
{
    std::size_t rows() const;
};
struct without_product : without_cols
{
    std::size_t cols() const;
};
void maps(floats const& x, floats& y)
{
    multiply(no_map{}, x, y);                                 // says: a linear map, and has rows
    multiply(without_cols{}, x, y);                           // says: a linear map, and has cols
    multiply(without_product{}, x, y);                        // says: a linear map: multiply_add
}
void several(matrix const& a, csr<> const& s, floats const& x, floats& y, limbs<3>::prepared const& ready)
{
    std::vector<double> wide;
    multiply_each(serial{}, job{a, ready, y}, std::vector{job{a.prefix(2), ready, y, {.alpha = 2}}});
    multiply_each(job{a, ready, y});                          // says: the first argument of multiply_each
    multiply_each(4, job{a, ready, y});                       // says: the first argument of multiply_each
    multiply_each(serial{}, a, ready, y);                     // says: multiply_each takes jobs
    multiply_each<fp32, fp64>(serial{}, job{a, ready, y});    // says: the first template argument of a product
    multiply_each<avx512_vnni>(serial{}, job{a, ready, y});   // says: this unit is not compiled with the flags
    job{a, ready, wide};                                      // says: the y of a job is written as float
    job{a, x, y};                                             // says: the x of a job is what an activation prepared
    job{s, ready, y};                                         // says: the matrix of a job is packed
}
void tables()
{
    packed<planes<2, 1>, row_table<3>>{};
    packed<planes<2, 1>, row_table<2>>{};                           // says: planes of a row_codebook hold the bits
    prefixed{packed_view<planes<4>, row_table<3>, half, no_zero>{}}; // says: planes of a row_codebook hold the bits
}
void arrays(quantized<uniform<8>> const& q, array<2> const& rows, array<2, true>& columns, array<3> const& three,
            expression const& sum)
{
    quantize(rows, uniform<8>{}, absmax{}, group{64});
    quantize(std::as_const(columns), uniform<8>{}, absmax{}, group{64}); // says: this array is column-major
    dequantize(q, columns);                                              // says: this array is column-major
    quantize(three, uniform<8>{}, absmax{}, group{64});                  // says: a matrix has 2 dimensions
    quantize(sum, uniform<8>{}, absmax{}, group{64});                    // says: an expression has no elements
}
struct without_coordinate
{
    static constexpr unsigned bits = 4, size = 16;
    static constexpr float centre = 8;
    static constexpr char const* name() { return "without coordinate"; }
    float decode(code q) const;
    code encode(float x) const;
};
struct other_coordinate : without_coordinate
{
    int coordinate(float x) const; // no float
};
struct without_zero : absmax
{
    using zero_type = int;
};
struct without_call
{
    using zero_type = no_zero;
};
void policies_of_one_s_own(array<2> const& w)
{
    quantize(w, without_coordinate{}, absmax{}, group{64});              // says: a codebook has coordinate
    quantize<float>(w, other_coordinate{}, absmax{}, group{64});         // says: a codebook has coordinate
    quantize(w, uniform<4>{}, without_zero{}, group{64});                // says: a scale policy has zero_type
    quantize(w, uniform<4>{}, without_call{}, group{64}, nearest{}, independent{}); // says: a scale policy is called
}
