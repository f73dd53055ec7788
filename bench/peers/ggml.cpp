// SPDX-License-Identifier: BSD-3-Clause
// peer/ggml/<type>[+repack]/...: weights quantized by ggml, in its plain or in its repacking buffers; one graph with
// one product for each matrix. Its own pool of threads, which sleeps between benchmarks.
#include "ggml.hpp"
#include "../bench.hpp"
#include "../multiply/memory.hpp"
#include "peer.hpp"
#include <jackplane/core/check.hpp>
#include <cstring>
#include <map>

namespace bench
{
    namespace
    {
        using ggml::library;

        constexpr std::size_t strip_rows = 64; // quantized once; the matrices repeat them

        struct type
        {
            char const *name, *ggml_name;
            bool thin; // also measured with several vectors
        };
        constexpr type types[] = {{"Q2_K", "q2_K", false}, {"Q3_K", "q3_K", false}, {"Q4_0", "q4_0", true},
                                  {"Q4_K", "q4_K", true},  {"IQ4_XS", "iq4_xs", false}, {"Q5_K", "q5_K", false},
                                  {"Q6_K", "q6_K", false}, {"Q8_0", "q8_0", false}};
        constexpr int f32 = 0;

        struct engine
        {
            library functions;
            ggml::backend* cpu;
            std::map<unsigned, ggml::threadpool*> pools;

            explicit engine(library const& g) : functions(g), cpu(g.cpu_init()) {}
            engine(engine const&) = delete;
            ~engine()
            {
                functions.backend_free(cpu);
                for (auto const& [threads, pool] : pools)
                    functions.threadpool_free(pool);
            }

            ggml::threadpool* pool(unsigned threads)
            {
                ggml::threadpool*& p = pools[threads];
                if (p == nullptr)
                {
                    alignas(64) std::byte memory[4096] = {}; // more than ggml_threadpool_params takes
                    auto* const params = reinterpret_cast<ggml::threadpool_params*>(memory);
                    functions.threadpool_params_init(params, static_cast<int>(threads));
                    p = functions.threadpool_new(params);
                    functions.threadpool_pause(p);
                }
                return p;
            }
        };

        // Null and the reason, once and for all, when the libraries cannot be used.
        struct opened
        {
            std::unique_ptr<engine> with;
            std::string why_not;
        };
        opened open(options const& o)
        {
            if (o.ggml.empty())
                return {nullptr, "no --ggml FOLDER"};
            try
            {
                library g(o.ggml, o.ggml_cpu);
                benchmark::AddCustomContext("ggml", jackplane::text(g.version(), ", CPU variant ", g.variant()));
                return {std::make_unique<engine>(g), {}};
            }
            catch (std::exception const& e)
            {
                return {nullptr, e.what()};
            }
        }
        opened& ggml_of(options const& o)
        {
            static opened once = open(o);
            return once;
        }

        // Tensors of a context in memory of one buffer.
        class tensors
        {
        public:
            tensors(library const& g, std::size_t count, std::size_t graphs)
                : m_g(g),
                  m_context(g.init({count * g.tensor_overhead() + graphs * g.graph_overhead_custom(4, false), nullptr,
                                    true}))
            {
            }
            tensors(tensors const&) = delete;
            ~tensors()
            {
                if (m_buffer != nullptr)
                    m_g.buffer_free(m_buffer);
                m_g.free(m_context);
            }
            ggml::context* context() const { return m_context; }
            void allocate(ggml::buffer_type* in)
            {
                m_buffer = m_g.alloc_tensors(m_context, in);
                if (m_buffer == nullptr)
                    jackplane::fail<jackplane::io_error>("ggml: no memory");
                advise(m_g.buffer_base(m_buffer), m_g.buffer_size(m_buffer));
            }

        private:
            library const& m_g;
            ggml::context* m_context;
            ggml::buffer* m_buffer = nullptr;
        };

        struct weights
        {
            std::unique_ptr<tensors> owner;
            std::vector<ggml::tensor*> matrices;
            std::vector<float> strip; // [strip_rows, cols]: what the first rows decode to
        };

        std::size_t bytes_of(library const& g, int id, shape s)
        {
            return g.row_size(id, static_cast<std::int64_t>(s.cols)) * s.rows;
        }

        std::unique_ptr<tensors> make_tensors(library const& g, int id, shape s, bool repack, std::size_t count,
                                              std::vector<ggml::tensor*>& matrices)
        {
            auto owner = std::make_unique<tensors>(g, count, 0);
            for (std::size_t i = 0; i < count; ++i)
                matrices.push_back(g.new_tensor_2d(owner->context(), id, static_cast<std::int64_t>(s.cols),
                                                   static_cast<std::int64_t>(s.rows)));
            owner->allocate(repack ? g.repacking() : g.cpu_buffer_type());
            return owner;
        }

        bool can_repack(library const& g, int id, shape s)
        {
            std::vector<ggml::tensor*> one;
            if (g.repacking() == nullptr)
                return false;
            auto const owner = make_tensors(g, id, s, true, 1, one);
            return repacked(g, one.front());
        }

        std::shared_ptr<weights const> make_weights(library const& g, type const& t, shape s, bool repack,
                                                    std::size_t count)
        {
            int const id = g.type(t.ggml_name);
            auto const all = std::make_shared<weights>();
            all->owner = make_tensors(g, id, s, repack, count, all->matrices);

            matrix const w(strip_rows, s.cols);
            std::size_t const row_bytes = bytes_of(g, id, {1, s.cols}), bytes = row_bytes * s.rows;
            std::vector<std::byte> strip(row_bytes * strip_rows), whole(bytes);
            auto const cols = static_cast<std::int64_t>(s.cols);
            g.quantize_chunk(id, w.data.data(), strip.data(), 0, strip_rows, cols, nullptr);
            all->strip.resize(strip_rows * s.cols);
            g.dequantize(t.ggml_name)(strip.data(), all->strip.data(), static_cast<std::int64_t>(all->strip.size()));
            for (std::size_t row = 0; row < s.rows; ++row)
                std::memcpy(whole.data() + row * row_bytes, strip.data() + row % strip_rows * row_bytes, row_bytes);

            ggml::tensor* const first = all->matrices.front(); // as a file is loaded; the others are its copies
            g.tensor_set(first, whole.data(), 0, bytes);
            for (ggml::tensor* m : all->matrices)
                if (m != first)
                    std::memcpy(g.get_data(m), g.get_data(first), bytes);
            return all;
        }

        // x is taken in int8 with a scale for 32 (Q8_0) or 256 (Q8_K) columns: off by at most half a step of the
        // largest |x| / 127 and by the rounding of the scale to 16 bits.
        answer expect(weights const& w, matrix const& x)
        {
            constexpr std::size_t at_most = 256;
            answer a{{}, {}, strip_rows};
            for (std::size_t n = 0; n < x.rows; ++n)
                for (std::size_t row = 0; row < strip_rows; ++row)
                {
                    double sum = 0, allowed = 0;
                    for (std::size_t begin = 0; begin < x.cols; begin += at_most)
                    {
                        double largest = 0, size = 0, group = 0;
                        for (std::size_t col = begin; col < std::min(begin + at_most, x.cols); ++col)
                        {
                            double const wc = w.strip[row * x.cols + col], xc = x.data[n * x.cols + col];
                            sum += wc * xc;
                            size += std::abs(wc);
                            group += std::abs(wc * xc);
                            largest = std::max(largest, std::abs(xc));
                        }
                        allowed += size * largest / 254 + group * 0x1p-10;
                    }
                    a.expected.push_back(sum);
                    a.allowed.push_back(allowed);
                }
            return a;
        }

        class ggml_product : public product
        {
        public:
            ggml_product(engine& with, std::shared_ptr<weights const> w, int id, shape s, std::size_t vectors,
                         unsigned threads)
                : m_with(with), m_g(with.functions), m_w(std::move(w)), m_shape(s), m_bytes(bytes_of(m_g, id, s)),
                  m_x(vectors, s.cols), m_threads(threads),
                  m_work(m_g, m_w->matrices.size() + 1, m_w->matrices.size())
            {
                auto* const in = m_g.new_tensor_2d(m_work.context(), f32, static_cast<std::int64_t>(s.cols),
                                                   static_cast<std::int64_t>(vectors));
                for (ggml::tensor* const a : m_w->matrices)
                {
                    ggml::tensor* const out = m_g.mul_mat(m_work.context(), a, in);
                    m_out = m_out == nullptr ? out : m_out;
                    m_graphs.push_back(m_g.new_graph_custom(m_work.context(), 4, false));
                    m_g.build_forward_expand(m_graphs.back(), out);
                }
                m_work.allocate(m_g.cpu_buffer_type());
                m_g.tensor_set(in, m_x.data.data(), 0, m_x.data.size() * sizeof(float));
            }
            ~ggml_product() override { rest(); }

            std::size_t matrices() const override { return m_graphs.size(); }
            std::size_t bytes() const override { return m_bytes; }
            void multiply(std::size_t which) override
            {
                if (!m_awake)
                {
                    m_g.set_threads(m_with.cpu, static_cast<int>(m_threads));
                    m_g.set_threadpool(m_with.cpu, m_with.pool(m_threads));
                    m_g.threadpool_resume(m_with.pool(m_threads));
                    m_awake = true;
                }
                if (m_g.compute(m_with.cpu, m_graphs[which]) != 0)
                    jackplane::fail<jackplane::error>("ggml: the graph failed");
            }
            void rest() override
            {
                if (m_awake)
                    m_g.threadpool_pause(m_with.pool(m_threads));
                m_awake = false;
            }
            std::string wrong() override
            {
                multiply(0);
                std::vector<float> y(m_shape.rows * m_x.rows);
                m_g.tensor_get(m_out, y.data(), 0, y.size() * sizeof(float));
                return bench::wrong(expect(*m_w, m_x), y.data(), m_shape.rows, m_x.rows);
            }

        private:
            engine& m_with;
            library const& m_g;
            std::shared_ptr<weights const> m_w;
            shape m_shape;
            std::size_t m_bytes;
            matrix m_x; // [vectors, cols]
            unsigned m_threads;
            tensors m_work;
            ggml::tensor* m_out = nullptr; // of the first matrix
            std::vector<ggml::graph*> m_graphs;
            bool m_awake = false;
        };

        std::string add_ggml(options const& o, shape s)
        {
            opened& ggml = ggml_of(o);
            if (!ggml.with)
                return ggml.why_not;
            library const& g = ggml.with->functions;
            std::string skipped;
            for (type const& t : types)
                for (bool const repack : {false, true})
                {
                    int const id = g.type(t.ggml_name);
                    if (id < 0 || g.dequantize(t.ggml_name) == nullptr ||
                        s.cols % static_cast<std::size_t>(g.block_size(id)) != 0 || (repack && !can_repack(g, id, s)))
                    {
                        skipped += jackplane::text(skipped.empty() ? "" : ", ", t.name, repack ? "+repack" : "");
                        continue;
                    }
                    std::string const name = jackplane::text("peer/ggml/", t.name, repack ? "+repack/" : "/");
                    for_each_run(o, [&](std::size_t vectors, unsigned threads, bool cold)
                    {
                        if (vectors > 1 && !t.thin)
                            return;
                        std::size_t const bytes = bytes_of(g, id, s), count = set_size(cold, bytes);
                        auto make = [=, &g, &t, with = ggml.with.get()]
                        {
                            auto const w = set_of<weights>(name + end_of_name(s, 1, 1, cold), bytes * count,
                                                           [&] { return make_weights(g, t, s, repack, count); });
                            return std::make_unique<ggml_product>(*with, w, id, s, vectors, threads);
                        };
                        add({name + end_of_name(s, vectors, threads, cold), s, threads, vectors, make});
                    });
                }
            return skipped.empty() ? skipped : jackplane::text("not in this library or of this shape: ", skipped);
        }

        [[maybe_unused]] bool const registered = (peers().push_back({"ggml", add_ggml}), true);
    }
}
