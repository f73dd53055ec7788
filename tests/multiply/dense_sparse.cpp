// SPDX-License-Identifier: BSD-3-Clause
// One sparse part beside every width of one parent.
#include <jackplane/multiply/dense_sparse.hpp>
#include "sparse_subjects.hpp"

using namespace jackplane;

namespace
{
    // A parent with a weight in eight beside it, at every width.
    struct parent_and_sparse
    {
        static std::vector<unsigned> widths() { return {8, 4, 3, 2, 1}; }
        static auto make(laws::shape s, group g, std::uint64_t seed, unsigned bits)
        {
            auto const q = subjects::random(s, uniform<8>{}, minmax<integer_zero>{}, g, seed);
            auto const dense = pack<bit_planes>(q);
            auto const weights = subjects::scattered(s.rows, s.cols, 8, seed + 1);
            auto const map = dense_sparse(dense, csr<half>(s.rows, s.cols, weights)).prefix(bits);
            laws::twin exact = laws::twin_of(q, bits);
            for (triplet const& t : weights)
            {
                auto& w = exact.weight[t.row * s.cols + t.col];
                auto const whole = static_cast<laws::exact_number>(to_float(from_float<half>(t.value)));
                // what is there is multiplied, too, and taken away again
                exact.bound[t.row * s.cols + t.col] += 8 * 0x1p-23L * (std::abs(whole) + std::abs(w));
                w = whole;
            }
            return subjects::subject<std::remove_const_t<decltype(map)>>{map, exact, dense.owner()};
        }
    };
}
TEST_CASE_TEMPLATE_INVOKE(linear_map_law, parent_and_sparse);

TEST_CASE("weights beside a parent are what they were, at every width; the dense ones stay")
{
    laws::sample const w = laws::weights(33, 100, 1);
    auto const dense = pack<bit_planes>(quantize(w.view(), uniform<8>{}, minmax<>{}, group{32}));
    auto const few = subjects::scattered(33, 100, 20, 2);
    dense_sparse const both(dense, csr<half>(33, 100, few));
    for (unsigned const bits : {8u, 4u, 2u})
    {
        auto const at = both.prefix(bits);
        std::size_t next = 0;
        for (std::size_t row = 0; row < 33; ++row)
            for (std::size_t col = 0; col < 100; ++col)
            {
                bool const apart = next < few.size() && few[next].row == row && few[next].col == col;
                float const expected =
                    apart ? to_float(from_float<half>(few[next].value)) : dense.prefix(bits).at(row, col);
                CHECK(at.at(row, col) == doctest::Approx(expected).epsilon(1e-6));
                next += apart;
            }
        CHECK(at.weights().view().values == both.weights().view().values); // one array
        CHECK(at.second().view().columns == both.weights().view().columns);
        CHECK(bytes_read(at) == bytes_read(dense.prefix(bits)) + few.size() * 6 + 34 * 4);
    }
    CHECK_THROWS_AS(dense_sparse(dense, csr<half>(33, 99, {})), shape_error);
    CHECK_THROWS_AS(both.prefix(9), width_error);
}

TEST_CASE("a temporary gives what lives on its own")
{
    laws::sample w = laws::weights(17, 65, 1);
    auto const places = choose(by_magnitude{}, w.data, {}, 9);
    auto const sparse = detach(w.view(), places);
    auto const dense = [&] { return pack<bit_planes>(quantize(w.view(), uniform<8>{}, absmax{}, group{32})); };
    auto const kept = dense();
    dense_sparse const whole(kept, sparse);
    auto const four = dense_sparse(dense(), sparse).prefix(4);
    auto const first = sum(dense().prefix(4), sparse).first();
    auto const weights = dense_sparse(dense(), sparse).weights();
    std::vector<std::byte> const elsewhere(100000); // where freed planes would be written over
    for (std::size_t row = 0; row < 17; ++row)
        for (std::size_t col = 0; col < 65; ++col)
        {
            CHECK(four.at(row, col) == whole.prefix(4).at(row, col));
            CHECK(first.at(row, col) == kept.prefix(4).at(row, col));
            CHECK(weights.at(row, col) == sparse.at(row, col));
        }
}
