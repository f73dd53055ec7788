// SPDX-License-Identifier: BSD-3-Clause
#include "byte_pairs.hpp"
#include "byte_alphabet.hpp"
#include <algorithm>
#include <functional>
#include <queue>
#include <tuple>
#include <utility>

namespace engine
{
    namespace
    {
        std::size_t length_of(char lead) // of a character
        {
            auto const c = static_cast<unsigned char>(lead);
            return c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
        }

        std::string replaced(std::string const& text, std::string const& from, char to)
        {
            std::string out;
            for (std::size_t at = 0; at < text.size();)
            {
                bool const here = !from.empty() && text.compare(at, from.size(), from) == 0;
                out += here ? to : text[at];
                at += here ? from.size() : 1;
            }
            return out;
        }
    }

    std::optional<token> byte_pairs::id_of(std::string const& piece) const
    {
        for (ids const* all : {&_ids, &_ids_beside})
            if (auto const found = all->find(piece); found != all->end())
                return found->second;
        return std::nullopt;
    }

    std::string byte_pairs::bytes(token t) const
    {
        std::string const& spelled = piece(t);
        switch (_kinds[t])
        {
        case kind::none:
        case kind::special:
            return {};
        case kind::byte:
            return {static_cast<char>(std::stoi(spelled.substr(3, 2), nullptr, 16))};
        case kind::added:
            return _rules.byte_level() ? spelled : replaced(spelled, _rules.space(), ' ');
        case kind::plain:
            break;
        }
        return _rules.byte_level() ? byte_alphabet::gpt2().read(spelled) : replaced(spelled, _rules.space(), ' ');
    }

    // The smallest units of a word that have a piece.
    std::vector<byte_pairs::symbol> byte_pairs::symbols_of(std::string_view word) const
    {
        std::vector<symbol> out;
        out.reserve(word.size());
        auto const add = [&](token id, std::size_t bytes)
        {
            auto const i = static_cast<std::int32_t>(out.size());
            out.push_back({id, static_cast<std::uint32_t>(bytes), i - 1, i + 1});
        };
        for (std::size_t at = 0; at < word.size();)
        {
            std::size_t const length = _rules.byte_level() ? 1 : length_of(word[at]);
            std::string_view const unit = word.substr(at, length);
            auto const known = _rules.byte_level() ? _ids.end() : _ids.find(unit);
            if (known != _ids.end())
                add(known->second, length);
            else
                for (char const b : unit)
                    add(_byte_ids[static_cast<unsigned char>(b)], 1);
            at += length;
        }
        if (!out.empty())
            out.back().behind = -1;
        return out;
    }

    // The merge of lowest rank first, of equal ones the leftmost: O(n log n).
    void byte_pairs::merge_all(std::vector<symbol>& word) const
    {
        struct candidate
        {
            std::uint32_t rank;
            std::int32_t at; // left of the two
            token id;
            bool operator<(candidate const& o) const { return std::tie(rank, at) > std::tie(o.rank, o.at); }
        };
        auto const at = [&](std::int32_t i) -> symbol& { return word[static_cast<std::size_t>(i)]; };
        std::vector<candidate> all;
        auto const merge_at = [&](std::int32_t i) -> merge const*
        {
            if (i < 0 || at(i).behind < 0)
                return nullptr;
            auto const found = _merges.find(pair_of(at(i).id, at(at(i).behind).id));
            return found == _merges.end() ? nullptr : &found->second;
        };
        for (std::size_t i = 0; i + 1 < word.size(); ++i)
            if (merge const* const m = merge_at(static_cast<std::int32_t>(i)))
                all.push_back({m->rank, static_cast<std::int32_t>(i), m->id});
        std::priority_queue<candidate> waiting(std::less<candidate>(), std::move(all));
        while (!waiting.empty())
        {
            candidate const best = waiting.top();
            waiting.pop();
            merge const* const now = at(best.at).bytes == 0 ? nullptr : merge_at(best.at);
            if (now == nullptr || now->id != best.id) // something else happened there
                continue;
            symbol& left = at(best.at);
            symbol& right = at(left.behind);
            left.id = best.id;
            left.bytes += right.bytes;
            left.behind = right.behind;
            right.bytes = 0;
            if (left.behind >= 0)
                at(left.behind).before = best.at;
            for (std::int32_t const i : {left.before, best.at})
                if (merge const* const m = merge_at(i))
                    waiting.push({m->rank, i, m->id});
        }
        std::erase_if(word, [](symbol const& s) { return s.bytes == 0; });
    }

    // Words to tokens; each of those that return is cut up once.
    class byte_pairs::words
    {
    public:
        words(byte_pairs const& of, std::vector<token>& tokens, std::vector<std::size_t>& ends)
            : _of(of), _tokens(tokens), _ends(ends)
        {
        }

        void add(passage const& p, text_range r)
        {
            std::string_view const word = std::string_view(p.text).substr(r.begin, r.end - r.begin);
            if (word.size() > 64)
                return add(p, r.begin, cut(word));
            auto known = _known.find(word);
            if (known == _known.end())
                known = _known.emplace(std::string(word), cut(word)).first;
            add(p, r.begin, known->second);
        }

    private:
        void add(passage const& p, std::size_t at, std::vector<symbol> const& symbols)
        {
            for (symbol const& s : symbols)
            {
                _tokens.push_back(s.id);
                _ends.push_back(p.end_of(at += s.bytes));
            }
        }

        std::vector<symbol> cut(std::string_view word) const
        {
            if (_of._whole_words)
            {
                auto const whole =
                    _of._rules.byte_level() ? _of._ids.find(byte_alphabet::gpt2().spell(word)) : _of._ids.find(word);
                if (whole != _of._ids.end())
                    return {{whole->second, static_cast<std::uint32_t>(word.size()), -1, -1}};
            }
            std::vector<symbol> out = _of.symbols_of(word);
            _of.merge_all(out);
            return out;
        }

        byte_pairs const& _of;
        std::vector<token>& _tokens;
        std::vector<std::size_t>& _ends;
        std::unordered_map<std::string, std::vector<symbol>, spelling, std::equal_to<>> _known;
    };

    std::vector<token> byte_pairs::encode(std::string_view text, std::vector<std::size_t>& ends) const
    {
        std::vector<token> out;
        ends.clear();
        out.reserve(text.size() / 3);
        ends.reserve(text.size() / 3);
        words known(*this, out, ends);
        passage const whole = passage::of(text);
        // Added tokens of that list as they are, what stands between them to `rest`.
        auto const each_part = [&](added_tokens const& added, passage const& all, auto const& rest)
        {
            for (auto const& part : added.cut(all.text))
            {
                if (part.which == nullptr)
                {
                    rest(all.part(part.where));
                    continue;
                }
                out.push_back(part.which->id);
                ends.push_back(all.end_of(part.where.end));
            }
        };
        each_part(_added, whole,
                  [&](passage raw)
                  {
                      _rules.normalize(raw);
                      each_part(_added_to_normalized, raw,
                                [&](passage p)
                                {
                                    for (text_range const r : _rules.split(p))
                                        known.add(p, r);
                                });
                  });
        if (!ends.empty())
            ends.back() = text.size();
        return out;
    }
}
