// SPDX-License-Identifier: BSD-3-Clause
// Trains a small Llama on the King James Bible and the State of the Union speeches; README.md says how.

#include "../engine/keep/inputs.hpp"
#include "../engine/read/source.hpp"
#include "../engine/keep/program.hpp"
#include "../engine/tokenize/tokenizer.hpp"
#include "checkpoint.hpp"
#include "settings.hpp"
#include "trainer.hpp"
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <exception>
#include <fstream>
#include <span>
#include <string>

namespace engine
{
    namespace
    {
        void write_file(std::filesystem::path const& file, std::string const& all)
        {
            jackplane::atomic_file out(file);
            out.write(std::as_bytes(std::span(all)));
            out.commit();
        }

        // Runs the script that makes texts and tokenizer, unless they are there; then makes the folders to write
        // to and looks whether every file can be written there.
        settings const& prepared(settings const& s)
        {
            auto const& data = s.data;
            std::filesystem::path const script = "examples/train/prepare"; // from the top of the tree
            if (!std::filesystem::exists(data / "tokenizer.model") && std::filesystem::exists(script))
            {
                std::string const command = text(script.string(), " '", data.string(), "'");
                JACKPLANE_EXPECTS(std::system(command.c_str()) == 0, jackplane::io_error, command, " failed");
            }
            inputs const read{data};
            std::filesystem::create_directory(s.out);
            std::filesystem::create_directory(s.out / "model");
            for (auto const* name : {"checkpoint", "loss.csv", "model/config.json", "model/model.safetensors",
                                     "model/tokenizer.model", "model/tokenizer_config.json"})
                read.create(s.out / name);
            return s;
        }

        // A text to score in windows of the context.
        struct scored_text
        {
            std::vector<token> tokens;
            double bytes = 0.0; // of all tokens but the first of each window

            scored_text(tokenizer const& t, std::filesystem::path const& file, std::size_t length)
            {
                std::vector<std::size_t> ends;
                tokens = t.encode(settings_file::contents(file), &ends);
                for (std::size_t i = 1; i < tokens.size(); ++i)
                    bytes += i % length != 0 ? static_cast<double>(ends[i] - ends[i - 1]) : 0.0;
            }

            double bits_per_byte(double nll) const { return nll / std::log(2.0) / bytes; }
        };

        config sizes(settings const& s, std::size_t vocabulary)
        {
            config c;
            c.vocabulary = vocabulary;
            c.hidden = s.count("hidden");
            c.intermediate = s.count("intermediate");
            c.layers = s.count("layers");
            c.heads = s.count("heads");
            c.kv_heads = s.count("kv-heads");
            c.head_dim = s.count("head-dim");
            c.context = s.count("context");
            return c;
        }

        class run
        {
        public:
            explicit run(settings const& s)
                : _settings(prepared(s)),
                  _seed(s.count("seed")),
                  _tokenizer(s.data / "tokenizer.model"),
                  _sizes(sizes(s, _tokenizer.size())),
                  _bible(encoded("bible.txt"), _sizes.context, mix(_seed, 1)),
                  _speeches(encoded("sotu.txt"), _sizes.context, mix(_seed, 2)),
                  _validation(_tokenizer, s.data / "validation.txt", _sizes.context),
                  _trainer(_sizes, s.count("at-once"), _sizes.context),
                  _state(_trainer.table().size()),
                  _window_tokens(s.count("windows") * _sizes.context),
                  _rate{s["rate"], s["warm-up"]}
            {
                bool const resumed = _state.load(s.out / "checkpoint");
                if (!resumed)
                    _trainer.initialize(_state.w, mix(_seed, 3));
                _curve.open(s.out / "loss.csv", resumed ? std::ios::app : std::ios::trunc);
                if (!resumed)
                    _curve << "step,tokens,minutes,cpu_minutes,rate,training_nats,validation_nats,validation_bits_per_"
                              "byte\n";
                _seconds_before = _state.seconds;
                _cpu_seconds_before = _state.cpu_seconds;
                std::fprintf(stderr, "%zu parameters, %zu in linear layers; %zu steps of %zu tokens from step %zu\n",
                             _trainer.table().size(), _trainer.table().tuned_size(), s.count("steps"),
                             _window_tokens.size(), _state.step);
            }

            void train()
            {
                for (;;)
                {
                    clock();
                    bool const last =
                        _state.step >= _settings.count("steps") || _state.seconds >= 60.0 * _settings["minutes"];
                    if (_summed != 0 && (last || _state.step % _settings.count("validate") == 0))
                        validate();
                    if (last)
                        return;
                    step();
                }
            }

            // Writes the best weights as a Hugging Face folder and scores what was written on the held-out texts.
            void publish()
            {
                auto const folder = _settings.out / "model";
                model best(_sizes);
                best.w.assign(_state.best_w.begin(), _state.best_w.end());
                save_model<jackplane::half>(best, folder, "float16");
                write_file(folder / "tokenizer.model", settings_file::contents(_settings.data / "tokenizer.model"));
                write_file(folder / "tokenizer_config.json",
                           "{\n  \"tokenizer_class\": \"LlamaTokenizer\",\n  \"add_bos_token\": false,\n"
                           "  \"add_eos_token\": false,\n  \"add_prefix_space\": false,\n  \"legacy\": false,\n"
                           "  \"unk_token\": \"<unk>\"\n}\n");
                best = load_model(folder);
                std::printf("step %zu, %.1f minutes, %.1f CPU minutes; model in %s, in fp16:\n", _state.best_step,
                            _state.seconds / 60.0, _state.cpu_seconds / 60.0, folder.c_str());
                for (auto const* name : {"validation.txt", "test.txt", "sotu_test.txt"})
                {
                    scored_text const text(_tokenizer, _settings.data / name, _sizes.context);
                    auto const score = _trainer.evaluate(text.tokens, best.w);
                    std::printf("%-15s %.4f nats per token, %.4f bits per byte (%zu tokens, %.0f bytes)\n", name,
                                score.mean(), text.bits_per_byte(score.nll), score.tokens, text.bytes);
                }
            }

        private:
            std::vector<token> encoded(char const* name) const
            {
                return _tokenizer.encode(settings_file::contents(_settings.data / name));
            }

            void clock()
            {
                std::chrono::duration<double> const elapsed = std::chrono::steady_clock::now() - _start;
                _state.seconds = _seconds_before + elapsed.count();
                _state.cpu_seconds = _cpu_seconds_before + static_cast<double>(std::clock()) / CLOCKS_PER_SEC;
            }

            // Steps decide, unless they would not fit into the minutes.
            double progress() const
            {
                return std::max((static_cast<double>(_state.step) + 1.0) / _settings["steps"],
                                _state.seconds / (60.0 * _settings["minutes"]));
            }

            // Of the first n windows, how many come from the Bible: its share, spread evenly.
            std::size_t bible_windows(std::size_t n) const
            {
                return static_cast<std::size_t>(static_cast<double>(n) * _settings["bible"]);
            }

            void step()
            {
                std::size_t const windows = _settings.count("windows");
                for (std::size_t i = 0; i < windows; ++i)
                {
                    std::size_t const k = _state.step * windows + i, bible = bible_windows(k);
                    auto const window = bible_windows(k + 1) > bible ? _bible(bible) : _speeches(k - bible);
                    std::copy(window.begin(), window.end(),
                              _window_tokens.begin() + static_cast<std::ptrdiff_t>(i * _sizes.context));
                }
                double const loss = _trainer.step(_window_tokens, _state, _rate(progress()),
                                                  static_cast<float>(_settings["dropout"]), mix(_seed, 4));
                JACKPLANE_EXPECTS(std::isfinite(loss), jackplane::value_error, "step ", _state.step,
                                  ": the loss is not finite");
                _sum += loss;
                ++_summed;
                ++_state.step;
            }

            void validate()
            {
                auto const score = _trainer.evaluate(_validation.tokens, _state.w);
                double const training = _sum / static_cast<double>(_summed),
                             bits = _validation.bits_per_byte(score.nll);
                if (score.mean() < _state.best)
                {
                    _state.best = score.mean();
                    _state.best_step = _state.step;
                    _state.best_w = _state.w;
                }
                char line[200];
                std::snprintf(line, sizeof line, "%zu,%zu,%.2f,%.2f,%.3g,%.4f,%.4f,%.4f", _state.step,
                              _state.step * _window_tokens.size(), _state.seconds / 60.0, _state.cpu_seconds / 60.0,
                              static_cast<double>(_rate(progress())), training, score.mean(), bits);
                _curve << line << std::endl;
                JACKPLANE_EXPECTS(_curve, jackplane::io_error, (_settings.out / "loss.csv").string(),
                                  ": cannot be written");
                std::fprintf(stderr,
                             "step %zu of %zu, epoch %.2f: training %.4f, validation %.4f nats, %.4f bits/byte; "
                             "%.1f minutes, %.1f to go\n",
                             _state.step, _settings.count("steps"),
                             _bible.epochs(bible_windows(_state.step * _settings.count("windows"))), training,
                             score.mean(), bits, _state.seconds / 60.0,
                             _state.seconds / 60.0 * std::max(0.0, 1.0 / progress() - 1.0));
                _sum = 0.0;
                _summed = 0;
                _state.save(_settings.out / "checkpoint");
            }

            settings _settings;
            std::uint64_t _seed;
            tokenizer _tokenizer;
            config _sizes;
            window_sampler _bible, _speeches;
            scored_text _validation;
            trainer _trainer;
            checkpoint _state;
            std::vector<token> _window_tokens; // of one step
            warm_cosine _rate;
            std::ofstream _curve;
            double _seconds_before = 0.0, _cpu_seconds_before = 0.0, _sum = 0.0;
            std::size_t _summed = 0; // training losses in _sum
            std::chrono::steady_clock::time_point _start = std::chrono::steady_clock::now();
        };

        void advise()
        {
            std::string const kernels = openblas_get_corename();
#if defined(__x86_64__)
            if (__builtin_cpu_supports("avx512dq") && (kernels == "Haswell" || kernels == "Zen"))
                std::fprintf(stderr,
                             "OpenBLAS does not know this CPU and runs its %s kernels; with "
                             "OPENBLAS_CORETYPE=SkylakeX in the environment they are about twice as fast\n",
                             kernels.c_str());
#endif
        }
    }
}

int main(int argc, char** argv)
{
    engine::begin_program();
    try
    {
        if (argc == 2 && std::string(argv[1]) == "--help")
        {
            std::fputs(engine::settings::help().c_str(), stdout);
            engine::flush_report();
            return 0;
        }
        engine::settings const settings(argc, argv);
        openblas_set_num_threads(1); // the two workers are the threads
        engine::advise();
        engine::run run(settings);
        run.train();
        run.publish();
        engine::flush_report();
        return 0;
    }
    catch (std::exception const& problem)
    {
        std::fprintf(stderr, "jackplane_train: %s\n", problem.what());
        return 1;
    }
}
