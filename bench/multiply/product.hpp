// SPDX-License-Identifier: BSD-3-Clause
#pragma once
// What a row of the table is made of: ours and every peer's alike.
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace bench
{
    // A set of matrices that take turns is cold when it is larger than any last-level cache.
    inline constexpr std::size_t cold_bytes = std::size_t{512} << 20;

    struct shape
    {
        std::size_t rows, cols;
    };

    // y = A x for one or several vectors x by some library, A one of a set of matrices of the same shape.
    class product
    {
    public:
        product() = default;
        product(product const&) = delete;
        virtual ~product() = default;

        virtual std::size_t matrices() const = 0;
        virtual std::size_t bytes() const = 0;        // read of one matrix
        virtual void multiply(std::size_t which) = 0; // preparing x included
        virtual std::string wrong() = 0;              // with y of the first matrix; empty: it is right
        virtual void rest() {}                        // its other threads sleep from now on
    };

    struct row
    {
        std::string name; // with shape, threads, cold or llc
        shape of;
        unsigned threads = 1;
        std::size_t vectors = 1;
        std::function<std::unique_ptr<product>()> make;
    };

    // The end of every name: [n<vectors>/]<rows>x<cols>/t<threads>/<cold|llc>
    std::string end_of_name(shape s, std::size_t vectors, unsigned threads, bool cold);

    // How many matrices of so many bytes are in a set.
    std::size_t set_size(bool cold, std::size_t bytes);

    // Makes it a benchmark: answer checked, then timed between passes of READ.
    void add(row r);
}
