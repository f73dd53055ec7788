// SPDX-License-Identifier: BSD-3-Clause
#include "warnings.hpp"
#include <jackplane/store/nested_read.hpp>
#include "../describe/config_keys.hpp"
#include "../describe/gguf/config.hpp"
#include "model_files.hpp"
#include "model.hpp"
#include "../tokenize/tokenizer.hpp"
#include <algorithm>
#include <iterator>
#include <string_view>

namespace engine
{
    namespace
    {
        constexpr std::string_view tokenizers_of_llamas[] = {"LlamaTokenizer", "LlamaTokenizerFast"};

        void look_at_keys(settings_file const& whole, std::vector<std::string>& out)
        {
            settings_file const config = language_part(whole);
            if (!config.has("model_type"))
                out.push_back(config.name() + ": no 'model_type'; read as \"llama\"");
            std::string names;
            for (std::string const& key : unknown_keys(config))
                names += text(names.empty() ? "'" : ", '", jackplane::detail::printable(key), "'");
            if (!names.empty())
                out.push_back(text(config.name(), ": ", names, ": not known here and read past"));
        }

        void look_at_tokenizer(std::string_view model, settings_file const& settings, std::vector<std::string>& out)
        {
            auto const warn = [&](char const* key, std::string const& what) {
                out.push_back(
                    text(settings.name(), ": '", key, "' is ", settings_file::shown(settings.tree()[key]), "; ", what));
            };
            auto const is = [&](char const* key, bool value)
            { return settings.has(key) && settings.tree()[key] == value; };
            if (is("add_eos_token", true))
                warn("add_eos_token", "no end is put behind a text here");
            if (is("do_lower_case", true))
                warn("do_lower_case", "letters stay as they are here");
            bool const known = !settings.has("tokenizer_class") ||
                               std::any_of(std::begin(tokenizers_of_llamas), std::end(tokenizers_of_llamas),
                                           [&](auto name) { return settings.tree()["tokenizer_class"] == name; });
            if (!known)
                warn("tokenizer_class", "tokenizer.model is used as by a LlamaTokenizer");
            if (model.empty())
                return;
            tokenizer const words(model, "", settings.name());
            auto const added = tokenizer::added_by(settings);
            if (!added.empty() && added.rbegin()->first >= words.size())
                warn("added_tokens_decoder",
                     "tokenizer.model has no such pieces; a text that spells them is read as any other");
            if (!is("add_prefix_space", true) && !is("add_prefix_space", false))
                return;
            auto const tokens = words.encode("a");
            bool const prefixed = !tokens.empty() && words.bytes(tokens.front()).starts_with(' ');
            if (!is("add_prefix_space", prefixed))
                warn("add_prefix_space",
                     text("tokenizer.model decides, and puts ", prefixed ? "a space" : "nothing", " before a text"));
        }

        // Older tokenizers wrote there what tokenizer_config.json says now.
        void look_at_special_tokens(std::filesystem::path const& folder, std::vector<std::string>& out)
        {
            auto const file = folder / "special_tokens_map.json", words = folder / "tokenizer.model";
            if (!is_there(file) || !is_there(words))
                return;
            settings_file const map(file);
            auto const& value = map.tree().value("bos_token", nlohmann::json());
            auto const piece = value.is_object() ? value.value("content", nlohmann::json()) : value;
            tokenizer const used(words);
            bool const known = used.bos() && *used.bos() < used.size();
            if (!piece.is_null() && known && piece != used.piece(*used.bos()))
                out.push_back(text(file.string(), ": 'bos_token' is ", settings_file::shown(piece),
                                   "; not read here, a text begins with ",
                                   settings_file::shown(used.piece(*used.bos()))));
        }

        std::vector<std::string> about_folder(std::filesystem::path const& folder)
        {
            auto const from = model_files::open(folder);
            settings_file const file = from->settings();
            from->check(read_config(file));
            checkpoint_files const files(folder);
            std::vector<std::string> out;
            look_at_keys(file, out);
            if (files.left_out() > 0)
                out.push_back(text(file.name(), ": a language model inside a larger one; ", files.left_out(),
                                   " tensors of that are not read"));
            for (std::string const& stray : files.strays())
                out.push_back(stray + ": not part of the checkpoint and not read");
            auto const words = folder / "tokenizer.model", settings = folder / "tokenizer_config.json";
            if (is_there(settings) && (is_there(words) || tokenizer::file_in(folder).empty()))
                look_at_tokenizer(is_there(words) ? settings_file::contents(words) : "", settings_file(settings), out);
            look_at_special_tokens(folder, out);
            return out;
        }

        std::vector<std::string> about_gguf(std::filesystem::path const& model)
        {
            auto const from = model_files::open(model);
            from->check(read_config(from->settings()));
            jackplane::gguf::file const file = jackplane::gguf::open(model);
            std::vector<std::string> out;
            std::string names;
            for (std::string const& key : settings_of(file).unread)
                names += text(names.empty() ? "'" : ", '", jackplane::detail::printable(key), "'");
            if (!names.empty())
                out.push_back(text(model.string(), ": ", names, ": not read for this architecture"));
            if (file.metadata().find("tokenizer.ggml.add_eos_token") != nullptr &&
                file.metadata().get<bool>("tokenizer.ggml.add_eos_token"))
                out.push_back(model.string() + ": 'tokenizer.ggml.add_eos_token' is true; no end is put behind a text "
                                               "here");
            return out;
        }
    }

    std::vector<std::string> warnings_about(std::filesystem::path const& model)
    {
        if (std::filesystem::is_directory(model))
            return about_folder(model);
        if (is_dense(model))
            return about_gguf(model);
        std::vector<std::string> out;
        auto const file = jackplane::nested::try_open(model);
        auto const text_in = [&](char const* name) -> std::string_view
        {
            auto const* const t = file->find(name);
            return t ? std::string_view(reinterpret_cast<char const*>(t->bytes.data()), t->bytes.size()) : "";
        };
        if (file && file->find("config.json"))
        {
            settings_file const config(model.string() + ": config.json", text_in("config.json"));
            read_config(config);
            look_at_keys(config, out);
        }
        if (file && file->find("tokenizer_config.json") && !file->find("tokenizer.json"))
            look_at_tokenizer(
                text_in("tokenizer.model"),
                settings_file(model.string() + ": tokenizer_config.json", text_in("tokenizer_config.json")), out);
        return out;
    }
}
