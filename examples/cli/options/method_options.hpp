// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include "../../engine/pack/nested_model.hpp"
#include "../../engine/quantize/methods.hpp"
#include "../numbers.hpp"
#include <CLI/CLI.hpp>
#include <algorithm>
#include <concepts>
#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace cli
{
    template <class T>
    using named = std::vector<std::pair<std::string, T>>;

    // A name to what CLI11 reads as the enumerator: its number. (CheckedTransformer takes numbers, too.)
    template <class T>
    CLI::Validator one_of(named<T> const& all)
    {
        std::string list;
        for (auto const& [name, value] : all)
            list += (list.empty() ? "" : ", ") + name;
        auto const number_of = [all, list](std::string& given)
        {
            for (auto const& [name, value] : all)
                if (given == name)
                {
                    given = std::to_string(static_cast<int>(value));
                    return std::string{};
                }
            return "'" + given + "' is none of " + list;
        };
        return CLI::Validator(number_of, "{" + list + "}");
    }

    // The names of methods of that kind, one after the other.
    template <class Is>
    std::string methods_that(Is&& is, char const* between = ", ")
    {
        std::string list;
        engine::for_each_method(
            [&]<class M>(M const&)
            { list += is(M::facts) ? (list.empty() ? "" : between) + std::string(M::facts.name) : std::string(); });
        return list;
    }

    // --method and the options of all methods, made from the list of methods: each stands once, for those that read it.
    class method_choice
    {
    public:
        void add_to(CLI::App& app)
        {
            _command = &app;
            collect();
            named<place> names;
            std::string help;
            engine::for_each_method(
                [&]<class M>(M const&)
                {
                    help += (names.empty() ? "" : "; ") + engine::text(M::facts.name, ": ", M::facts.about);
                    names.emplace_back(M::facts.name, static_cast<place>(names.size()));
                });
            app.add_option("--method", _chosen, help)->transform(one_of(names));
            for (entry& each : _entries)
                std::visit([&](auto& value) { add(each, value); }, each.value);
            for (entry const& each : _entries)
            {
                if (each.of.needs)
                    each.asked->needs(app.get_option(each.of.needs));
                if (each.of.excludes)
                    each.asked->excludes(app.get_option(each.of.excludes));
            }
            std::vector<std::string> efforts{"default"};
            engine::for_each_method(
                [&]<class M>(M const&)
                {
                    if constexpr (requires { M::efforts; })
                        for (engine::effort const& each : M::efforts)
                            efforts.push_back(each.name);
                });
            app.add_option("--preset", _preset,
                           with_efforts() + ": --iters, --finer-iters, --nsamples and --lr, where not given")
                ->check(CLI::IsMember(efforts));
        }

        // The chosen one, with its usual settings.
        engine::method_facts facts() const
        {
            engine::method_facts found{};
            with_chosen([&]<class M>(M) { found = M::facts; });
            return found;
        }

        // The chosen one with what is asked of it; some of that is of scales that learn end to end, too. samples: of
        // the calibration text, where a preset may say how many. A given model has but its name yet. Throws
        // ValidationError for options that contradict each other or that nothing would read.
        engine::any_method read(engine::scale_settings& scales, std::uint64_t seed, std::size_t* samples)
        {
            engine::any_method made;
            expect_read(facts(), scales.steps > 0);
            read_widths();
            with_chosen(
                [&]<class M>(M how)
                {
                    how.options([&]<class T>(engine::option const& of, T& field)
                                { field = given(of.name) ? value_of<T>(of.name) : field; });
                    if constexpr (requires { how.tuning; })
                        how.tuning.seed = seed;
                    if constexpr (requires { M::efforts; })
                        for (engine::effort const& each : M::efforts)
                            if (_preset == each.name)
                                apply(each, how.tuning, samples);
                    if constexpr (requires { how.check([](char const*) { return true; }, refuse); })
                        how.check([&](char const* name) { return given(name); }, refuse);
                    made = std::move(how);
                });
            if (given("--widths"))
                scales.widths = value_of<std::vector<unsigned>>("--widths");
            if (given("--batch"))
                scales.batch = value_of<std::size_t>("--batch");
            scales.seed = seed;
            return made;
        }

        // Of the file with a model; "" where the option is not there.
        std::string const& file(char const* name) const { return value_of<engine::given_model>(name).name; }

    private:
        enum class place : unsigned
        {
        };
        struct entry
        {
            engine::option of;
            std::variant<bool, unsigned, std::size_t, float, std::vector<unsigned>, std::vector<float>,
                         engine::given_model>
                value;
            std::string read_by, others{}; // methods; those of another usual value, with it
            CLI::Option* asked = nullptr;
        };

        template <class Body>
        void with_chosen(Body&& body) const
        {
            engine::for_each_method([&, n = 0u]<class M>(M const& how) mutable
                                    { static_cast<place>(n++) == _chosen ? body(how) : void(); });
        }

        static std::string bare(char const* name) { return name + (*name == '!'); }
        static auto& entry_of(auto& all, char const* name)
        {
            return *std::find_if(all.begin(), all.end(), [&](auto& e) { return bare(e.of.name) == bare(name); });
        }
        template <class T>
        T const& value_of(char const* name) const
        {
            return std::get<T>(entry_of(_entries, name).value);
        }
        bool given(char const* name) const { return _command->count(bare(name)) > 0; }

        void collect()
        {
            engine::for_each_method(
                [&]<class M>(M how)
                {
                    how.options(
                        [&]<class T>(engine::option const& of, T const& field)
                        {
                            std::string const name = M::facts.name;
                            bool const is_rate = bare(of.name) == "--lr";
                            std::string const usual = is_rate ? engine::text("; ", name, ": ", M::facts.rate) : "";
                            auto const found =
                                std::find_if(_entries.begin(), _entries.end(),
                                             [&](entry const& e) { return bare(e.of.name) == bare(of.name); });
                            if (found == _entries.end())
                            {
                                _entries.push_back({of, field, name, usual});
                                return;
                            }
                            found->read_by += ", " + name;
                            found->others += usual;
                            if constexpr (std::same_as<T, std::size_t>)
                                if (field != std::get<T>(found->value))
                                    found->others += engine::text("; ", name, ", where not given: ", field);
                        });
                });
        }

        template <class T>
        void add(entry& each, T& value)
        {
            engine::option const& of = each.of;
            std::string const help = each.read_by + ": " + of.help + each.others;
            if constexpr (std::same_as<T, bool>)
                each.asked = _command->add_flag(of.name, value, help);
            else if constexpr (std::same_as<T, engine::given_model>)
                each.asked = _command->add_option(of.name, value.name, help)->check(CLI::ExistingFile);
            else
            {
                each.asked = _command->add_option(of.name, value, help);
                constexpr bool list = requires { value.push_back(value.front()); };
                if (of.above_least)
                    each.asked->check(positive());
                else if (std::same_as<T, std::vector<float>>)
                    each.asked->check(CLI::Range(of.least, of.most));
                else
                    each.asked->check(CLI::Range(static_cast<int>(of.least), static_cast<int>(of.most)));
                if constexpr (list)
                    each.asked->delimiter(',');
                else if (value != T{})
                    each.asked->capture_default_str();
            }
        }

        static std::string with_efforts()
        {
            std::string text;
            engine::for_each_method(
                [&]<class M>(M const&)
                {
                    if constexpr (requires { M::efforts; })
                        text += (text.empty() ? "" : ", ") + std::string(M::facts.name);
                });
            return text;
        }

        static void refuse(char const* option, std::string const& why) { throw CLI::ValidationError(option, why); }

        // Any other method would read past the option.
        void expect_read(engine::method_facts const& chosen, bool scales_learn) const
        {
            auto const expect = [&](std::string const& name, std::string const& read_by, bool of_scales)
            {
                bool const read = (", " + read_by + ",").find(engine::text(", ", chosen.name, ",")) != read_by.npos;
                if (!read && !(of_scales && scales_learn) && given(name.c_str()))
                    throw CLI::ValidationError(name, "goes with " + read_by + (of_scales ? ", --scale-iters" : ""));
            };
            for (entry const& each : _entries)
            {
                std::string const name = bare(each.of.name);
                expect(name, each.read_by, name == "--widths" || name == "--batch");
            }
            expect("--preset", with_efforts(), false);
            expect("--scale-lr", methods_that([](auto const& of) { return of.scale_steps > 0; }), true);
            if (given("--scale-lr") && given("--scale-iters") && !scales_learn)
                refuse("--scale-lr", "goes with --scale-iters, which is 0");
        }

        // Both lists by width, narrowest first.
        void read_widths()
        {
            auto& widths = std::get<std::vector<unsigned>>(entry_of(_entries, "--widths").value);
            auto& lambdas = std::get<std::vector<float>>(entry_of(_entries, "--lambda").value);
            if (!lambdas.empty() && (!given("--widths") || lambdas.size() != widths.size()))
                refuse("--lambda", engine::text("has ", lambdas.size(), " weights, it needs one for each of --widths"));
            std::map<unsigned, float> by_width;
            for (std::size_t i = 0; i < widths.size(); ++i)
                if (!by_width.emplace(widths[i], lambdas.empty() ? 0 : lambdas[i]).second)
                    refuse("--widths", engine::text(widths[i], " is there twice"));
            std::size_t i = 0;
            for (auto const& [width, lambda] : by_width)
            {
                widths[i] = width;
                if (!lambdas.empty())
                    lambdas[i] = lambda;
                ++i;
            }
        }

        void apply(engine::effort const& asked, engine::tuning_settings& t, std::size_t* samples) const
        {
            t.steps = given("--iters") ? t.steps : asked.steps;
            t.finer_steps = given("--finer-iters") ? t.finer_steps : asked.finer_steps;
            t.rate = given("--lr") ? t.rate : t.widths.front() <= 3 ? asked.rate_to_3_bits : asked.rate;
            if (samples)
                *samples = asked.samples;
        }

        place _chosen{};
        std::string _preset{};
        std::deque<entry> _entries{};
        CLI::App* _command = nullptr;
    };
}
