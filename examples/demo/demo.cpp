// SPDX-License-Identifier: BSD-3-Clause
// The main job: a trained language model, quantized once to 8 bits, served at 8, 7, 6, 5, 4, 3, 2 and 1 bits from the
// same file: perplexity and size of each, with weights to the nearest code, with a few weights whole beside them, and
// with learned rounding; a passage written at some widths, and proof that the file's beginning is enough.
#include "../engine/quantize/detach_model.hpp"
#include "../engine/run/generate.hpp"
#include "../engine/keep/inputs.hpp"
#include "../engine/measure/perplexity.hpp"
#include "../engine/keep/program.hpp"
#include "../engine/quantize/quantize_model.hpp"
#include <jackplane/store/nested_read.hpp>
#include <cblas.h>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <initializer_list>
#include <span>
#include <string>
#include <vector>

namespace
{
    namespace fs = std::filesystem;

    double megabytes(std::uintmax_t bytes) { return static_cast<double>(bytes) / 1e6; }

    void quantize_once(fs::path const& folder, jackplane::atomic_file& out)
    {
        auto const begin = std::chrono::steady_clock::now();
        engine::packed_model const m = engine::quantize(engine::model_source(folder), engine::rtn{}).packed;
        engine::save_nested(m, folder, out);
        std::chrono::duration<double> const took = std::chrono::steady_clock::now() - begin;
        std::printf(
            "Quantized %zu matrices, %zu weights (round to nearest, 8 bits, groups of 64, eight one-bit planes)\n"
            "in %.2f s: %s, %.2f MB; the fp16 checkpoint has %.2f MB.\n\n",
            m.matrices.size(), m.table.tuned_size(), took.count(), out.path().c_str(), megabytes(out.size()),
            megabytes(fs::file_size(folder / "model.safetensors")));
    }

    // The same, with half a percent of the weights beside it: outliers, so that the others get finer steps.
    void quantize_beside(fs::path const& folder, fs::path const& text, engine::tokenizer const& words,
                         jackplane::atomic_file& out)
    {
        auto const tokens = words.encode_from_start(engine::settings_file::contents(text));
        engine::quantize_settings settings;
        settings.calibration =
            engine::calibration_text::of(tokens, 20, engine::read_config(folder / "config.json").context, 0);
        engine::detach_settings few;
        few.outliers = 0.5;
        few.score = "fisher"; // how many may leave which matrix
        few.bits = 2;
        auto const made = engine::quantize_and_detach(engine::model_source(folder), engine::rtn{}, settings, few);
        engine::save_nested(made.packed, folder, out);
    }

    void print_row(engine::row const& row)
    {
        std::printf("%s\n", engine::table_line(row).c_str());
        engine::flush_report();
    }

    void score_every_width(fs::path const& folder, fs::path const& nearest, fs::path const& beside,
                           fs::path const& tuned, engine::tokenizer const& words, fs::path const& text_file)
    {
        engine::model const full = engine::load_model(folder);
        std::string const text = engine::settings_file::contents(text_file);
        std::vector<std::size_t> ends;
        auto const text_tokens = words.encode(text, &ends);
        auto const scored = engine::scored_text::of(text_tokens, full.sizes.context, words.bos(), ends);
        std::printf(
            "Scored on all of %s (held out: six books of the Bible): %zu bytes, %zu tokens,\n"
            "%zu windows of %zu. KL and top-1 are against fp32. All widths of a table are read from one file.\n\n",
            text_file.c_str(), text.size(), text_tokens.size(), scored.cut.size(), full.sizes.context);
        auto const reference = engine::make_reference(full, scored.cut);
        auto const every_width = [&](fs::path const& file, std::initializer_list<unsigned> widths)
        {
            engine::packed_model const packed = engine::load_nested(file);
            for (unsigned const width : widths)
                print_row(engine::quantized_row(packed, width, scored, &reference));
        };
        std::printf("To the nearest code:\n\n%s\n", engine::table_head().c_str());
        print_row(engine::full_precision_row(full, scored, &reference));
        every_width(nearest, {8, 7, 6, 5, 4, 3, 2, 1});
        auto const alone = engine::quantize(full, engine::rtn{}, {.bits = 2}).packed;
        engine::row own = engine::quantized_row(alone, 2, scored, &reference);
        own.note = " own";
        print_row(own);
        std::printf("\n\"2 own\" was rounded to 2 bits on its own; a 2-bit prefix stands in the middle of its\n"
                    "cells (truncate_centred).\n\n"
                    "To the nearest code, after half a percent of the weights, outliers, left to stand beside the\n"
                    "planes in 16 bits: one sparse part for every width, shared out among the matrices by what\n"
                    "quantizing them to 2 bits costs (Fisher information).\n\n%s\n",
                    engine::table_head().c_str());
        every_width(beside, {8, 4, 3, 2});
        std::printf("\nLearned rounding (%s; its command: examples/results/one_parent.md):\n\n%s\n", tuned.c_str(),
                    engine::table_head().c_str());
        every_width(tuned, {8, 7, 6, 5, 4, 3, 2, 1});
        std::printf("\n");
    }

    void write_passages(fs::path const& file, engine::tokenizer const& words)
    {
        constexpr std::size_t count = 60;
        std::string const prompt = "And the king said unto him,";
        engine::packed_model const packed = engine::load_nested(file);
        for (unsigned const bits : {8u, 4u, 3u, 2u})
        {
            auto const start = words.encode_from_start(prompt);
            engine::decoder decode(packed, bits, start.size() + count);
            std::string text = prompt;
            auto const begin = std::chrono::steady_clock::now();
            engine::generate(decode, start, count, {}, [&](engine::token t) { text += words.bytes(t); });
            std::chrono::duration<double> const took = std::chrono::steady_clock::now() - begin;
            std::replace(text.begin(), text.end(), '\n', ' ');
            std::printf("%u bits, %zu tokens after a prompt of %zu in %.0f ms: %s\n\n", bits, count, start.size(),
                        1e3 * took.count(), text.c_str());
            engine::flush_report();
        }
    }

    std::vector<float> logits_at_2_bits(fs::path const& file)
    {
        engine::packed_model const m = engine::load_nested(file);
        engine::decoder decode(m, 2, 8);
        std::span<float const> logits;
        for (engine::token const t : {1u, 2u, 3u, 5u, 8u})
            logits = decode(t);
        return {logits.begin(), logits.end()};
    }

    fs::path prefix_of(fs::path const& file) { return file.string() + ".2bit"; }

    // Cuts a copy of the file after the second plane and runs the same tokens on both.
    bool prefix_is_enough(fs::path const& file)
    {
        std::printf("The file up to each width, as a download could stop:\n");
        std::uint64_t end_of_2_bits = 0;
        {
            jackplane::nested::file const nested = jackplane::nested::open(file);
            for (auto const& level : nested.levels())
            {
                std::printf("  %u bits  %6.2f MB\n", level.bits, megabytes(level.end));
                end_of_2_bits = level.bits == 2 ? level.end : end_of_2_bits;
            }
        }
        fs::path const prefix = prefix_of(file);
        fs::copy_file(file, prefix, fs::copy_options::overwrite_existing);
        fs::resize_file(prefix, end_of_2_bits);
        bool const same = logits_at_2_bits(file) == logits_at_2_bits(prefix);
        std::printf("\nThe first %llu bytes alone, at 2 bits: %s\n", static_cast<unsigned long long>(end_of_2_bits),
                    same ? "the same logits, bit for bit." : "OTHER LOGITS THAN THE WHOLE FILE.");
        return same;
    }
}

// demo MODEL_FOLDER TEXT CALIBRATION_TEXT TUNED OUTPUT
int main(int argc, char** argv)
{
    if (argc != 6)
    {
        std::fprintf(stderr, "usage: %s MODEL_FOLDER TEXT CALIBRATION_TEXT TUNED OUTPUT\n", argv[0]);
        return 2;
    }
    engine::begin_program();
    fs::path const folder = argv[1], text = argv[2], calibration = argv[3], tuned = argv[4], file = argv[5];
    openblas_set_num_threads(1); // windows run side by side
    try
    {
        engine::inputs const read{folder, text, calibration, tuned};
        fs::path const beside = file.string() + ".beside";
        auto nearest_out = read.create(file), beside_out = read.create(beside);
        read.expect_other(prefix_of(file));
        std::printf("Kernels: %s\n", engine::kernels_name());
        engine::tokenizer const words(engine::tokenizer::file_in(folder));
        quantize_once(folder, nearest_out);
        quantize_beside(folder, calibration, words, beside_out);
        score_every_width(folder, file, beside, tuned, words, text);
        write_passages(tuned, words);
        fs::copy_file(tuned, file, fs::copy_options::overwrite_existing);
        bool const enough = prefix_is_enough(file);
        engine::flush_report();
        return enough ? 0 : 1;
    }
    catch (std::exception const& e)
    {
        std::fprintf(stderr, "%s: %s\n", argv[0], e.what());
        return 1;
    }
}
