// SPDX-License-Identifier: BSD-3-Clause
// witness BINS MODEL.gguf INPUT [CONTEXT]: what llama.cpp says of INPUT (a text, or tokens as u32) in windows of
// CONTEXT tokens: {"mean_nll", "tokens", "top1"} as JSON on stdout; without CONTEXT the tokens alone.
#include "library.hpp"

static void work(int argc, char** argv)
{
    llama::require(argc == 4 || argc == 5, "usage: witness BINS MODEL.gguf INPUT [CONTEXT]");
    llama::open(argv[1]);
    std::int32_t const context = argc == 5 ? std::atoi(argv[4]) : 2;
    llama::reader model(argv[2], context);
    auto const tokens = model.tokens_of(argv[3]);
    if (argc == 4)
    {
        std::printf("{\"tokens\": %s}\n", llama::listed(tokens).c_str());
        return;
    }
    double sum = 0;
    std::size_t scored = 0;
    std::vector<std::size_t> top;
    llama::for_each_window(tokens, static_cast<std::size_t>(context),
                           [&](std::span<std::uint32_t const> window)
                           {
                               model(window,
                                     [&](std::size_t i, std::span<float const> logits)
                                     {
                                         top.push_back(llama::likeliest(logits));
                                         if (i + 1 == window.size()) // the next is in no window, or the first of one
                                             return;
                                         sum += llama::log_sum(logits) - logits[window[i + 1]];
                                         ++scored;
                                     });
                           });
    std::printf("{\"mean_nll\": %.9f, \"tokens\": %s, \"top1\": %s}\n", sum / static_cast<double>(scored),
                llama::listed(tokens).c_str(), llama::listed(top).c_str());
}

int main(int argc, char** argv)
{
    return llama::run([=] { work(argc, argv); });
}
