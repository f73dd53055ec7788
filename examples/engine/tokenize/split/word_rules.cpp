// SPDX-License-Identifier: BSD-3-Clause
#include "word_rules.hpp"
#include "pattern.hpp"
#include <unicode/bytestream.h>
#include <unicode/normalizer2.h>
#include <unicode/utf8.h>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <limits>
#include <utility>

namespace engine
{
    struct word_rules::step
    {
        virtual ~step() = default;
        virtual void apply(passage& p, std::vector<text_range>& words) const = 0;
    };

    namespace
    {
        constexpr std::size_t most = std::numeric_limits<std::int32_t>::max() / 2; // bytes, for ICU

        // Another text for one range; an empty range is an insertion before what stands there.
        struct edit
        {
            text_range spot;
            std::string_view by;
        };

        // Edits stand in order and do not cut the boundaries of words.
        void rewrite(passage& p, std::vector<text_range>& words, std::vector<edit> const& edits)
        {
            if (edits.empty())
                return;
            passage out{{}, p.begin, {}};
            out.text.reserve(p.text.size() + edits.size() * 4);
            out.ends.reserve(p.text.size() + edits.size() * 4);
            std::size_t done = 0, word = 0;
            bool inside = false; // of words[word]
            auto const keep_until = [&](std::size_t end)
            {
                std::size_t const shift = out.text.size() - done; // modulo 2^64
                for (; word < words.size(); ++word, inside = false)
                {
                    if (!inside && words[word].begin > end)
                        break;
                    if (!inside)
                        words[word].begin += shift;
                    inside = true;
                    if (words[word].end > end)
                        break; // what is inserted at an end belongs to the next word
                    words[word].end += shift;
                }
                out.text.append(p.text, done, end - done);
                for (; done < end; ++done)
                    out.ends.push_back(p.end_of(done + 1));
            };
            for (edit const& e : edits)
            {
                keep_until(e.spot.begin);
                JACKPLANE_EXPECTS(out.text.size() + e.by.size() <= most, jackplane::value_error,
                                  "tokenizer: a text of ", p.text.size(), " bytes grows beyond 2^30");
                out.text += e.by;
                out.ends.insert(out.ends.end(), e.by.size(), p.end_of(e.spot.end));
                done = e.spot.end;
            }
            keep_until(p.text.size());
            p = std::move(out);
        }

        struct compose final : word_rules::step // NFC
        {
            // By the smallest parts that compose alone, so that it is known where the source of each ends.
            void apply(passage& p, std::vector<text_range>& words) const override
            {
                UErrorCode status = U_ZERO_ERROR;
                icu::Normalizer2 const* const nfc = icu::Normalizer2::getNFCInstance(status);
                expect_icu(status, "NFC");
                auto const part = [&](std::size_t begin, std::size_t end)
                { return icu::StringPiece(p.text.data() + begin, static_cast<std::int32_t>(end - begin)); };
                if (nfc->isNormalizedUTF8(part(0, p.text.size()), status))
                    return;
                auto const* const bytes = reinterpret_cast<std::uint8_t const*>(p.text.data());
                std::deque<std::string> changed;
                std::vector<edit> spots;
                for (std::size_t begin = 0, end = 0; begin < p.text.size(); begin = end)
                {
                    UChar32 c = 0;
                    U8_NEXT(bytes, end, p.text.size(), c);
                    for (std::size_t next = end; end < p.text.size(); end = next)
                    {
                        U8_NEXT(bytes, next, p.text.size(), c);
                        if (nfc->hasBoundaryBefore(c))
                            break;
                    }
                    if (end - begin == 1 || nfc->isNormalizedUTF8(part(begin, end), status))
                        continue;
                    icu::StringByteSink<std::string> sink(&changed.emplace_back());
                    nfc->normalizeUTF8(0, part(begin, end), sink, nullptr, status);
                    spots.push_back({{begin, end}, changed.back()});
                }
                expect_icu(status, "NFC");
                rewrite(p, words, spots);
            }
        };

        struct replace final : word_rules::step
        {
            replace(pattern w, std::string b) : what(std::move(w)), by(std::move(b)) {}

            void apply(passage& p, std::vector<text_range>& words) const override
            {
                std::vector<edit> spots;
                what.each(p.text, {{0, p.text.size()}}, [&](std::size_t, text_range r) { spots.push_back({r, by}); });
                rewrite(p, words, spots);
            }

            pattern what;
            std::string by;
        };

        struct prepend final : word_rules::step // to a text that is not empty
        {
            explicit prepend(std::string w) : what(std::move(w)) {}
            void apply(passage& p, std::vector<text_range>& words) const override
            {
                rewrite(p, words, {{{0, 0}, what}});
            }

            std::string what;
        };

        struct prefix final : word_rules::step // before every word, or that which starts the original
        {
            prefix(std::string w, bool f) : what(std::move(w)), first(f) {}
            void apply(passage& p, std::vector<text_range>& words) const override
            {
                std::vector<edit> spots;
                for (text_range const& w : words)
                    if (p.text.compare(w.begin, what.size(), what) != 0 && (!first || p.begin + w.begin == 0))
                        spots.push_back({{w.begin, w.begin}, what});
                rewrite(p, words, spots);
            }

            std::string what;
            bool first;
        };

        enum class matches
        {
            apart,             // Isolated
            dropped,           // Removed
            together,          // Contiguous: runs of them
            end_what_precedes, // MergedWithPrevious
            begin_what_follows // MergedWithNext
        };

        struct split_at final : word_rules::step
        {
            split_at(pattern p, matches k, bool i) : where(std::move(p)), kept(k), inverted(i) {}

            void apply(passage& p, std::vector<text_range>& words) const override
            {
                struct part : text_range
                {
                    bool matched;
                };
                std::vector<text_range> out;
                std::vector<part> parts; // of one word, without a gap
                std::size_t word = 0, done = words.empty() ? 0 : words.front().begin;
                auto const finish = [&]
                {
                    if (done < words[word].end)
                        parts.push_back({{done, words[word].end}, inverted});
                    for (std::size_t i = 0; i < parts.size(); ++i)
                    {
                        bool const before = i > 0 && parts[i - 1].matched, here = parts[i].matched;
                        if (kept == matches::dropped && here)
                            continue;
                        // "a" "." "." "b": previous gives "a." "." "b", next gives "a" "." ".b"
                        bool const joins = i > 0 && ((kept == matches::together && before == here) ||
                                                     (kept == matches::end_what_precedes && here && !before) ||
                                                     (kept == matches::begin_what_follows && before && !here));
                        if (joins)
                            out.back().end = parts[i].end;
                        else
                            out.push_back(parts[i]);
                    }
                    parts.clear();
                    if (++word < words.size())
                        done = words[word].begin;
                };
                where.each(p.text, words,
                           [&](std::size_t i, text_range r)
                           {
                               while (word < i)
                                   finish();
                               if (done < r.begin)
                                   parts.push_back({{done, r.begin}, inverted});
                               parts.push_back({r, !inverted});
                               done = r.end;
                           });
                while (word < words.size())
                    finish();
                std::erase_if(out, [](text_range r) { return r.begin == r.end; });
                words = std::move(out);
            }

            pattern where;
            matches kept;
            bool inverted;
        };

        constexpr char const* words_of_gpt2 =
            R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|[\s]+(?![\S])|[\s]+)";

        matches behavior(json_place const& from)
        {
            constexpr std::pair<std::string_view, matches> known[] = {
                {"Isolated", matches::apart},
                {"Removed", matches::dropped},
                {"Contiguous", matches::together},
                {"MergedWithPrevious", matches::end_what_precedes},
                {"MergedWithNext", matches::begin_what_follows},
            };
            for (auto const& [name, kept] : known)
                if (from.string() == name)
                    return kept;
            from.expect(false, "Isolated, Removed, Contiguous, MergedWithPrevious or MergedWithNext");
            return {};
        }
    }

    passage passage::of(std::string_view original)
    {
        JACKPLANE_EXPECTS(original.size() <= most, jackplane::value_error, "tokenizer: a text of ", original.size(),
                          " bytes; less than 2^30 can be read at once");
        passage out;
        auto const* const bytes = reinterpret_cast<std::uint8_t const*>(original.data());
        std::size_t const size = original.size();
        std::vector<edit> wrong;
        for (std::size_t at = 0; at < size;)
        {
            std::size_t const begin = at;
            UChar32 c = 0;
            U8_NEXT(bytes, at, size, c);
            if (c < 0)
                wrong.push_back({{begin, at}, "\xef\xbf\xbd"});
        }
        out.text = original;
        std::vector<text_range> none;
        rewrite(out, none, wrong);
        return out;
    }

    word_rules::word_rules(json_place const& file)
    {
        add_normalizer(file.at("normalizer"));
        add_splitter(file.at("pre_tokenizer"));
        file.at("pre_tokenizer").expect(!_byte_level || _space.empty(), "no ByteLevel where spaces have another sign");
    }

    void word_rules::normalize(passage& p) const
    {
        std::vector<text_range> none;
        for (auto const& one : _normalizers)
            if (!p.text.empty())
                one->apply(p, none);
    }

    std::vector<text_range> word_rules::split(passage& p) const
    {
        if (p.text.empty())
            return {};
        std::vector<text_range> words = {{0, p.text.size()}};
        for (auto const& one : _splitters)
            one->apply(p, words);
        return words;
    }

    void word_rules::expect_space(json_place const& from, std::string const& mark)
    {
        from.expect(_space.empty() || _space == mark, text("one text for spaces, ", _space));
        _space = mark;
    }

    void word_rules::add_normalizer(json_place const& from)
    {
        if (from.is_null())
            return;
        json_place const type = from.at("type");
        if (type.value() == "Sequence")
        {
            for (json_place const& part : from.sequence("normalizers"))
                add_normalizer(part);
        }
        else if (type.value() == "NFC")
        {
            from.only({"type"});
            _normalizers.push_back(std::make_shared<compose>());
        }
        else if (type.value() == "Prepend")
        {
            from.only({"type", "prepend"});
            _normalizers.push_back(std::make_shared<prepend>(from.at("prepend").string()));
        }
        else if (type.value() == "Replace")
        {
            from.only({"type", "pattern", "content"});
            auto what = pattern::of(from.at("pattern"));
            std::string const& by = from.at("content").string();
            if (what.exact() == " " && !by.empty())
                expect_space(from.at("content"), by);
            _normalizers.push_back(std::make_shared<replace>(std::move(what), by));
        }
        else
            type.expect(false, "NFC, Prepend, Replace or Sequence");
    }

    void word_rules::add_splitter(json_place const& from)
    {
        if (from.is_null())
            return;
        json_place const type = from.at("type");
        type.expect(!_byte_level, "nothing after ByteLevel, which makes bytes of a text");
        if (type.value() == "Sequence")
        {
            for (json_place const& part : from.sequence("pretokenizers"))
                add_splitter(part);
        }
        else if (type.value() == "Split")
        {
            from.only({"type", "pattern", "behavior", "invert"});
            _splitters.push_back(std::make_shared<split_at>(
                pattern::of(from.at("pattern")), behavior(from.at("behavior")), from.at("invert").flag(false)));
        }
        else if (type.value() == "Digits")
        {
            from.only({"type", "individual_digits"});
            bool const each = from.at("individual_digits").flag(false);
            _splitters.push_back(std::make_shared<split_at>(pattern::of_regex("\\p{N}"),
                                                            each ? matches::apart : matches::together, false));
        }
        else if (type.value() == "ByteLevel")
        {
            from.only({"type", "add_prefix_space", "trim_offsets", "use_regex"}); // offsets are ours
            if (from.at("add_prefix_space").flag(true))
                _splitters.push_back(std::make_shared<prefix>(" ", false));
            if (from.at("use_regex").flag(true))
                _splitters.push_back(
                    std::make_shared<split_at>(pattern::of_regex(words_of_gpt2), matches::apart, false));
            _byte_level = true;
        }
        else if (type.value() == "Metaspace")
            add_metaspace(from);
        else
            type.expect(false, "Split, Digits, ByteLevel, Metaspace or Sequence");
    }

    void word_rules::add_metaspace(json_place const& from)
    {
        from.only({"type", "replacement", "add_prefix_space", "prepend_scheme", "split", "str_rep"});
        std::string const& mark = from.at("replacement").string();
        from.at("replacement").expect(!mark.empty(), "a character");
        expect_space(from.at("replacement"), mark);
        json_place const scheme = from.at("prepend_scheme"), before = from.at("add_prefix_space");
        from.at("str_rep").expect(from.at("str_rep").is_null() || from.at("str_rep").value() == mark,
                                  "the same as 'replacement'");
        std::string how = before.flag(true) ? "always" : "never"; // files of before 2024
        if (!scheme.is_null())
        {
            how = scheme.string();
            scheme.expect(how == "always" || how == "first" || how == "never", "always, first or never");
            before.expect(before.flag(how != "never") == (how != "never"), "what 'prepend_scheme' says");
        }
        _splitters.push_back(std::make_shared<replace>(pattern::of(" "), mark));
        if (how != "never")
            _splitters.push_back(std::make_shared<prefix>(mark, how == "first"));
        if (from.at("split").flag(true))
            _splitters.push_back(std::make_shared<split_at>(pattern::of(mark), matches::begin_what_follows, false));
    }
}
