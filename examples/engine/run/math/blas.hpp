// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <jackplane/core/parallel.hpp>
#include <cblas.h>
#include <concepts>
#include <cstddef>
#include <mutex>
#include <new>
#include <sys/mman.h>
#include <type_traits>
#include <vector>

extern "C" // of OpenBLAS, in none of its headers
{
    void* blas_memory_alloc(int);
    void blas_memory_free(void*);
}

namespace engine
{
    // A row-major operand: element (i, j) is data[i * stride + j]; `transposed` multiplies by its transpose.
    template <class T>
    struct operand
    {
        T const* data;
        std::size_t stride;
        bool transposed = false;
    };

    template <class T>
    constexpr operand<T> transpose(operand<T> a) noexcept
    {
        return {a.data, a.stride, !a.transposed};
    }

    // OpenBLAS takes a buffer for every product that runs beside others, keeps it, and tries for ever where there is no
    // memory for one. So all are taken before the first product. Throws bad_alloc where there is no room for them.
    inline void take_blas_buffers()
    {
        static std::once_flag taken;
        std::call_once(taken, []
        {
            constexpr std::size_t size = std::size_t{128} << 20;
            std::vector<void*> buffers(jackplane::threads{}.count);
            // One more than that: other threads may take memory between the look and the taking.
            std::size_t const room = size * (buffers.size() + 1);
            void* const found =
                ::mmap(nullptr, room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
            if (found == MAP_FAILED)
                throw std::bad_alloc();
            ::munmap(found, room);
            for (void*& buffer : buffers)
                buffer = blas_memory_alloc(0);
            for (void* const buffer : buffers)
                blas_memory_free(buffer);
        });
    }

    // c = alpha a b + beta c;  a [m, k], b [k, n], c [m, n] after the transpositions asked for.
    template <class T>
    void gemm(std::size_t m, std::size_t n, std::size_t k, std::type_identity_t<T> alpha, operand<T> a, operand<T> b,
              std::type_identity_t<T> beta, T* c, std::size_t stride)
    {
        take_blas_buffers();
        auto const product = []
        {
            if constexpr (std::same_as<T, float>)
                return cblas_sgemm;
            else
                return cblas_dgemm;
        }();
        auto const turned = [](operand<T> const& x) { return x.transposed ? CblasTrans : CblasNoTrans; };
        auto const size = [](std::size_t x) { return static_cast<blasint>(x); };
        product(CblasRowMajor, turned(a), turned(b), size(m), size(n), size(k), alpha, a.data, size(a.stride), b.data,
                size(b.stride), beta, c, size(stride));
    }

    // The three products of a linear layer y = x w^T:  w [out, in], x and dx [tokens, in], y and dy [tokens, out].

    template <class T>
    void linear(T const* x, T const* w, T* y, std::size_t tokens, std::size_t in, std::size_t out)
    {
        gemm(tokens, out, in, T{1}, operand<T>{x, in}, transpose(operand<T>{w, in}), T{0}, y, out);
    }

    template <class T>
    void linear_input_gradient(T const* dy, T const* w, T* dx, std::size_t tokens, std::size_t in, std::size_t out)
    {
        gemm(tokens, in, out, T{1}, operand<T>{dy, out}, operand<T>{w, in}, T{0}, dx, in);
    }

    // dw += dy^T x
    template <class T>
    void linear_weight_gradient(T const* dy, T const* x, T* dw, std::size_t tokens, std::size_t in, std::size_t out)
    {
        gemm(out, in, tokens, T{1}, transpose(operand<T>{dy, out}), operand<T>{x, in}, T{1}, dw, in);
    }
}
