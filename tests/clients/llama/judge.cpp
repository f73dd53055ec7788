// SPDX-License-Identifier: BSD-3-Clause
// judge BINS INPUT CONTEXT REFERENCE.gguf MODEL.gguf...: how far each model is from REFERENCE on INPUT (a text, or
// tokens as u32) in windows of CONTEXT tokens, all as llama.cpp computes them. A JSON object a line, that of REFERENCE
// first: means over the scored tokens, and sums over those of each window. KL is of REFERENCE's distribution against
// the model's, nats.
#include "library.hpp"

namespace
{
    struct found
    {
        std::vector<double> nll, kl; // of each window
        std::size_t same = 0, scored = 0;
    };

    /// Sum of p (log p - log q) over the pieces, in double.
    double divergence(std::span<float const> p, double p_sum, std::span<float const> q, double q_sum)
    {
        double sum = 0;
        for (std::size_t i = 0; i < p.size(); ++i)
        {
            double const log_p = p[i] - p_sum;
            sum += std::exp(log_p) * (log_p - (q[i] - q_sum));
        }
        return sum;
    }

    /// What the reference said of a window.
    struct wanted
    {
        std::vector<float> logits; // [token, piece]
        std::vector<double> sums;  // log of the sum of exp(logits)

        std::span<float const> operator[](std::size_t i) const
        {
            std::size_t const pieces = logits.size() / sums.size();
            return std::span(logits).subspan(i * pieces, pieces);
        }
    };

    wanted ask(llama::reader& reference, std::span<std::uint32_t const> window, found& out)
    {
        wanted said;
        out.nll.push_back(0);
        out.kl.push_back(0);
        reference(window,
                  [&](std::size_t i, std::span<float const> logits)
                  {
                      said.logits.insert(said.logits.end(), logits.begin(), logits.end());
                      said.sums.push_back(llama::log_sum(logits));
                      if (i + 1 < window.size())
                          out.nll.back() += said.sums[i] - logits[window[i + 1]];
                  });
        out.same += window.size() - 1;
        out.scored += window.size() - 1;
        return said;
    }

    void score(llama::reader& model, wanted const& said, std::span<std::uint32_t const> window, found& out)
    {
        out.nll.push_back(0);
        out.kl.push_back(0);
        out.scored += window.size() - 1;
        model(window,
              [&](std::size_t i, std::span<float const> logits)
              {
                  if (i + 1 == window.size())
                      return;
                  double const sum = llama::log_sum(logits);
                  out.nll.back() += sum - logits[window[i + 1]];
                  out.kl.back() += divergence(said[i], said.sums[i], logits, sum);
                  out.same += llama::likeliest(logits) == llama::likeliest(said[i]);
              });
    }

    double sum_of(std::vector<double> const& values)
    {
        double sum = 0;
        for (double const value : values)
            sum += value;
        return sum;
    }

    void print(std::string const& file, found const& out)
    {
        auto const scored = static_cast<double>(out.scored);
        double const mean = sum_of(out.nll) / scored;
        std::printf("{\"file\": \"%s\", \"kernels\": \"%s\", \"tokens\": %zu, \"perplexity\": %.9f, "
                    "\"mean_nll\": %.9f, \"kl_divergence\": %.9g, \"top1_agreement\": %.6f, \"window_nll\": %s, "
                    "\"window_kl\": %s}\n",
                    file.c_str(), llama::kernels().c_str(), out.scored, std::exp(mean), mean, sum_of(out.kl) / scored,
                    static_cast<double>(out.same) / scored, llama::listed(out.nll).c_str(),
                    llama::listed(out.kl).c_str());
    }
}

static void work(int argc, char** argv)
{
    llama::require(argc >= 5, "usage: judge BINS INPUT CONTEXT REFERENCE.gguf MODEL.gguf...");
    llama::open(argv[1]);
    std::int32_t const context = std::atoi(argv[3]);
    std::span const files(argv + 4, argv + argc);
    std::vector<llama::reader> models;
    for (char const* const file : files)
    {
        models.emplace_back(file, context);
        llama::require(models.back().pieces() == models[0].pieces(),
                       std::string(file) + " has " + std::to_string(models.back().pieces()) + " pieces, " + files[0] +
                           " " + std::to_string(models[0].pieces()));
    }
    std::vector<found> out(files.size());
    llama::for_each_window(models[0].tokens_of(argv[2]), static_cast<std::size_t>(context),
                           [&](std::span<std::uint32_t const> window)
                           {
                               auto const said = ask(models[0], window, out[0]);
                               for (std::size_t i = 1; i < models.size(); ++i)
                                   score(models[i], said, window, out[i]);
                           });
    for (std::size_t i = 0; i < files.size(); ++i)
        print(files[i], out[i]);
}

int main(int argc, char** argv)
{
    return llama::run([=] { work(argc, argv); });
}
