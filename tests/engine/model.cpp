// SPDX-License-Identifier: BSD-3-Clause
#include <doctest/doctest.h>
#include <engine/describe/config_keys.hpp>
#include <engine/read/warnings.hpp>
#include "tiny.hpp"
#include <filesystem>
#include <fstream>
#include <limits>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace engine
{
    namespace
    {
        config read(std::string const& more)
        {
            return read_config(settings_file("c.json", R"({"vocab_size":512,"hidden_size":64,"intermediate_size":172,)"
                                                       R"("num_hidden_layers":2,"num_attention_heads":8)" +
                                                           more + "}"));
        }

        void write(std::filesystem::path const& file, std::string const& bytes)
        {
            std::ofstream(file, std::ios::binary) << bytes;
        }
    }

    TEST_CASE("engine: config.json, with Hugging Face's defaults")
    {
        config const c = read("");
        CHECK(c.kv_heads == 8);
        CHECK(c.head_dim == 8);
        CHECK_FALSE(c.tied);
        CHECK(c.rms_norm_eps == 1e-6);
        CHECK(read(R"(,"head_dim":10,"num_key_value_heads":4)").kv_width() == 40);
        CHECK(read(R"(,"rope_parameters":{"rope_theta":5e5,"rope_type":"default"})").rope_theta == 5e5);
        CHECK(read(R"(,"rope_scaling":null,"head_dim":null)").head_dim == 8);
    }

    TEST_CASE("engine: a wrong config.json gives one line with file, key and number")
    {
        std::map<std::string, std::string> const wrong = {
            {R"(,"num_key_value_heads":3)", "c.json: 'num_key_value_heads' is 3, expected a divisor of the 8 heads"},
            {R"(,"head_dim":7)", "c.json: 'head_dim' is 7, expected an even number (rotary pairs)"},
            {R"(,"head_dim":-8)", "c.json: 'head_dim' is -8, expected a whole number from 1 to 4096"},
            {R"(,"head_dim":8.5)", "c.json: 'head_dim' is 8.5, expected a whole number from 1 to 4096"},
            {R"(,"rope_theta":0)", "c.json: 'rope_theta' is 0, expected a positive number"},
            {R"(,"rms_norm_eps":"1")", "c.json: 'rms_norm_eps' is \"1\", expected a positive number"},
            {R"(,"tie_word_embeddings":1)", "c.json: 'tie_word_embeddings' is 1, expected true or false"},
            {R"(,"use_bias":true)",
             "c.json: 'use_bias' is true, expected false; another value means biases, not implemented here"},
            {R"(,"model_type":"mamba")",
             "c.json: 'model_type' is \"mamba\", expected one of llama, mistral, mixtral, qwen2, "
             "qwen3, qwen3_moe, gemma2, gemma3_text, phi3"},
            {R"(,"rope_scaling":{"factor":8})", "c.json: 'factor' is 8, expected 1 beside a default rotation"},
            {R"(,"rms_norm_eps":16.0,"vocab_size":16.0)", "c.json: line 1, column 137: expected every key once, found "
                                                          "'vocab_size' twice"},
            {R"(,"llm_config":{})", "c.json: 'llm_config' holds the sizes: a language model inside a larger one (of "
                                     "images, sound), not implemented here; take a folder of the language model alone"},
        };
        for (auto const& [more, message] : wrong)
            CHECK_THROWS_WITH_AS(read(more), message.c_str(), jackplane::format_error);
        CHECK_THROWS_WITH_AS(read(R"(,"model_type":"gemma3","text_config":{})"),
                             "c.json: 'text_config': no 'vocab_size'", jackplane::format_error);
        CHECK_THROWS_WITH_AS(read_config(settings_file("c.json", "{}")), "c.json: no 'vocab_size'",
                             jackplane::format_error);
    }

    TEST_CASE("engine: what is no JSON object is told by line and column, or by what it is")
    {
        std::map<std::string, std::string> const wrong = {
            {"[1]", "line 1, column 1: expected JSON that is an object, found '[1]'"},
            {"[1", "line 1, column 1: expected JSON that is an object, found '[1'"},
            {"{\n  \"a\": Infinity\n}", "line 2, column 8: expected a finite number, found 'Infinity'"},
            {"{\n  \"a\": -Infinity\n}", "line 2, column 8: expected a finite number, found '-Infinity'"},
            {"{\"a\": 1,\n\n \"b\": [NaN]}", "line 3, column 8: expected a finite number, found 'NaN'"},
            {"{\n// sizes\n}", "line 2, column 1: expected JSON, which has no comments, found '//'"},
            {"{\"a\": 1} /* b */", "line 1, column 10: expected JSON, which has no comments, found '/*'"},
            {"{\n\"a\": 1,\n}", "line 3, column 1: expected JSON, found '}'"},
            {"{\"a\": 1e400}", "line 1, column 7: expected JSON, found '1e400'"},
            {"{\"a\": True}", "line 1, column 7: expected JSON, found 'True'"},
            {"{\"a\": 1", "line 1, column 8: expected JSON, found its end"},
            {"{\"a\": {\"b\": 1,\n\"b\": 2}}", "line 2, column 3: expected every key once, found 'b' twice"},
            {"", "expected a JSON object, found an empty file"},
            {"version https://git-lfs.github.com/spec/v1\noid sha256:0\n",
             "expected a JSON object, found a git-lfs pointer; fetch the file itself: git lfs pull"},
            {"\n<!DOCTYPE html>\n", "expected a JSON object, found an HTML page; download the file itself"},
            {"Access to model x is restricted.", "line 1, column 1: expected JSON, found 'Access'"},
        };
        for (auto const& [json, message] : wrong)
            CHECK_THROWS_WITH_AS(settings_file("c.json", json), ("c.json: " + message).c_str(),
                                 jackplane::format_error);
        CHECK(settings_file("c.json", "\xef\xbb\xbf{\"a\": 1}").size("a", 1) == 1); // a byte order mark
    }

    TEST_CASE("engine: the rotation under each of its names")
    {
        auto const theta = [](std::string const& more) { return read("," + more).rope_theta; };
        CHECK(theta(R"("rope_scaling":{"type":"default"})") == 10000);
        CHECK(theta(R"("rope_scaling":{"rope_type":"default","type":"default"},"rope_parameters":null)") == 10000);
        CHECK(theta(R"("rope_parameters":{"type":"default","rope_theta":500})") == 500);
        CHECK(theta(R"("rope_parameters":{"rope_type":null,"rope_theta":500},"rope_theta":500.0)") == 500);
        CHECK(theta(R"("rope_scaling":{"type":"linear","factor":1.0},"rope_theta":7)") == 7);
        CHECK(theta(R"("rope_parameters":{"rope_type":"default","partial_rotary_factor":1.0})") == 10000);
        CHECK(theta(R"("rope_parameters":{"full_attention":{"rope_type":"default","rope_theta":9},)"
                    R"("sliding_attention":{"rope_type":"default","rope_theta":9}})") == 9);
        for (std::string const wrong :
             {R"("rope_parameters":{"rope_type":"llama3","factor":8})", R"("rope_scaling":{"rope_type":"yarn"})",
              R"("rope_scaling":{"rope_type":"default","type":"linear"})", R"("rope_scaling":{"type":"linear"})",
              R"("rope_scaling":"linear")", R"("rope_parameters":["linear"])", R"("rope_scaling":{"factor":4})",
              R"("rope_parameters":{"rope_theta":500},"rope_theta":501)",
              R"("rope_parameters":{"rope_theta":500},"rope_scaling":{"rope_theta":501})",
              R"("rope_parameters":{"partial_rotary_factor":0.5})", R"("rope_parameters":{"short_factor":[1,2]})",
              R"("rope_parameters":{"full_attention":{"rope_theta":9},"sliding_attention":{"rope_theta":10}})",
              R"("rope_parameters":{"full_attention":{"rope_type":"ntk","factor":2}})"})
            CHECK_THROWS_AS(theta(wrong), jackplane::format_error);
    }

    TEST_CASE("engine: keys that change the function are refused, unless their value is neutral; others are named")
    {
        std::map<std::string, std::pair<std::string, std::string>> const keys = {
            // neutral, then not; head_dim is 8, the context 2048
            {"architectures", {R"(["LlamaForCausalLM"])", R"(["GemmaForCausalLM"])"}},
            {"hidden_activation", {R"("silu")", R"("gelu_pytorch_tanh")"}},
            {"attn_logit_softcapping", {"null", "50.0"}},
            {"final_logit_softcapping", {"null", "30.0"}},
            {"query_pre_attn_scalar", {"8", "256"}},
            {"partial_rotary_factor", {"1.0", "0.5"}},
            {"embedding_multiplier", {"1", "12.0"}},
            {"residual_multiplier", {"1.0", "0.22"}},
            {"attention_multiplier", {"0.35355339", "0.0078125"}},
            {"logits_scaling", {"1.0", "8.0"}},
            {"sliding_window", {"2048", "4"}},
            {"layer_types", {R"(["full_attention"])", R"(["sliding_attention"])"}},
            {"quantization_config", {"null", R"({"quant_method":"gptq"})"}},
            {"layer_norm_eps", {"1e-6", "1e-5"}},
            {"rope_local_base_freq", {"10000", "500"}},
            {"no_rope_layers", {"[1,1]", "[1,0]"}},
            {"num_local_experts", {"0", "8"}},
            {"use_qk_norm", {"false", "true"}},
        };
        for (auto const& [key, values] : keys)
        {
            CAPTURE(key);
            CHECK_NOTHROW(read(text(",\"", key, "\":", values.first)));
            CHECK_NOTHROW(read(text(",\"", key, "\":null")));
            CHECK_THROWS_AS(read(text(",\"", key, "\":", values.second)), jackplane::format_error);
        }
        CHECK_NOTHROW(read(R"(,"sliding_window":4,"use_sliding_window":false)"));
        CHECK_THROWS_AS(read(R"(,"sliding_window":4,"use_sliding_window":true)"), jackplane::format_error);
        CHECK_THROWS_AS(read(R"(,"attention_chunk_size":4,"use_sliding_window":false)"), jackplane::format_error);
        // a window of all the context is no window, but of longer texts
        CHECK(window_of(read(R"(,"sliding_window":4096,"attention_chunk_size":3000)"), 3000, "m") == 3000);
        CHECK_THROWS_WITH_AS(window_of(read(R"(,"sliding_window":4096,"attention_chunk_size":3000)"), 3001, "m"),
                             doctest::Contains("m: attention sees 3000 tokens"), jackplane::shape_error);
        CHECK(window_of(read(R"(,"sliding_window":2048,"use_sliding_window":false)"), 9999, "m") == 9999);
        CHECK(window_of(read(""), 0, "m") == 2048);
        settings_file const file("c.json", R"({"hidden_size":1,"use_cache":true,"_name_or_path":"x","twist":2,)"
                                           R"("bias":true,"odd":null,"auto_map":{}})");
        CHECK(unknown_keys(file) == std::vector<std::string>{"auto_map", "twist"});
        CHECK(unknown_keys(settings_file("c.json", write_config(tiny_config(true), "float32"))).empty());
    }

    TEST_CASE("engine: the tuned weights come first, layer by layer")
    {
        model const m = random_model(tiny_config(false, 10));
        auto const& all = m.table.parameters();
        std::size_t end = 0;
        for (parameter const& p : all)
        {
            CHECK(p.offset == end);
            end += p.size();
        }
        CHECK(end == m.table.size());
        CHECK(m.table.tuned_parameters() == 2 * 7 + 1); // an untied lm_head too
        CHECK(all[m.table.tuned_parameters()].offset == m.table.tuned_size());
        for (std::size_t i = 0; i < 2; ++i)
        {
            auto const v = m.view().layer(i);
            CHECK(v.qkv == m.w.data() + all[7 * i].offset);
            CHECK(v.output == m.w.data() + all[7 * i + 3].offset);
            CHECK(v.gate_up == m.w.data() + all[7 * i + 4].offset);
            CHECK(v.down == m.w.data() + all[7 * i + 6].offset);
        }
        CHECK(m.view().layer(1).mlp_norm == m.w.data() + all.back().offset);
        CHECK(m.view().ends().output == m.w.data() + all[14].offset);
    }

    TEST_CASE("engine: what is saved is what is loaded")
    {
        std::filesystem::path const folder = "saved";
        std::filesystem::remove_all(folder);
        for (bool const tied : {true, false})
        {
            model const m = random_model(tiny_config(tied, 10));
            save_model<float>(m, folder, "float32");
            model const same = load_model(folder);
            CHECK(same.w == m.w);
            CHECK(same.sizes.kv_width() == 40);
            save_model<jackplane::half>(m, folder, "float16");
            model const rounded = load_model(folder);
            bool right = true;
            for (std::size_t i = 0; i < m.w.size(); ++i)
                right = right && rounded.w[i] == jackplane::to_float(jackplane::from_float<jackplane::half>(m.w[i]));
            CHECK(right);
        }
    }

    namespace
    {
        struct shards // a tied model in a.safetensors, further tensors in b.safetensors
        {
            std::filesystem::path folder = "shards";
            model m = random_model(tiny_config(true));
            std::string map; // of all tensors of the model, with a comma behind it

            shards()
            {
                std::filesystem::remove_all(folder);
                save_model<float>(m, folder, "float32");
                std::filesystem::rename(folder / "model.safetensors", folder / "a.safetensors");
                for (parameter const& p : m.table.parameters())
                    map += "\"" + p.name + "\":\"a.safetensors\",";
            }
            void put(char const* file, char const* name, safetensors::extents const& shape,
                     std::span<float const> values) const
            {
                std::vector<safetensors::item> const items = {safetensors::item::of<float>(name, shape, values)};
                safetensors::save(folder / file, items);
            }
            std::string error_of(std::string const& index) const // of the index; "" when it loads
            {
                write(folder / "model.safetensors.index.json", index);
                try
                {
                    bool const same = load_model(folder).w == m.w;
                    return same ? "" : "other weights";
                }
                catch (jackplane::error const& problem)
                {
                    return problem.what();
                }
            }
            std::string with(std::string const& tensor, std::string const& file) const
            {
                return error_of(R"({"weight_map":{)" + map + "\"" + tensor + R"(":")" + file + R"("}})");
            }
        };
        bool has(std::string const& error, std::string const& part)
        {
            CHECK_MESSAGE(error.find(part) != error.npos, error, " has no '", part, "'");
            return error.find('\n') == error.npos;
        }
    }

    TEST_CASE("engine: shards, and their errors")
    {
        shards const s;
        auto const embedding = std::span(s.m.w).subspan(s.m.table.tuned_size(), 512 * 64);
        std::vector<float> const small(4);
        s.put("b.safetensors", "rotary_emb.inv_freq", {4}, std::vector<float>{1, 0.1f, 0.01f, 0.001f});
        CHECK(s.with("rotary_emb.inv_freq", "b.safetensors") == "");
        for (std::string const file : {"../b.safetensors", "/b.safetensors", "", ".", "..", "a/b", "b\\u0000"})
            CHECK(has(s.with("rotary_emb.inv_freq", file), "the plain name of a file"));
        CHECK(has(s.with("rotary_emb.inv_freq", "c.safetensors"), "shards/c.safetensors"));
        CHECK(has(s.with("rotary_emb.inv_freq", "a.safetensors\",\"x\":\"b.safetensors"),
                  "'rotary_emb.inv_freq' is \"a.safetensors\", expected 'shards/b.safetensors', which holds it"));
        CHECK(has(s.with("x", "b.safetensors"), "none does"));
        for (std::string const json : {R"({"weight_map":{}})", R"({"weight_map":3})", "{}"})
            CHECK(has(s.error_of(json), "no 'weight_map'"));

        s.put("b.safetensors", "model.layers.0.mlp.up_proj.bias", {4}, small);
        CHECK(has(s.with("model.layers.0.mlp.up_proj.bias", "b.safetensors"), "has no place"));
        s.put("b.safetensors", "model.norm.weight", {64}, std::vector<float>(64));
        CHECK(has(s.with("model.norm.weight\":\"a.safetensors\",\"x", "b.safetensors"), "every key once"));
        s.put("b.safetensors", "model.embed_tokens.weight", {512, 64}, std::vector<float>(512 * 64));
        CHECK(has(s.with("x", "b.safetensors"), "'model.embed_tokens.weight' is another one than in"));
        s.put("b.safetensors", "model.embed_tokens.weight", {512, 64}, embedding);
        CHECK(has(s.with("x", "b.safetensors"), "none does")); // an equal copy is fine
        // what a shard holds and the index does not name counts, too
        s.put("b.safetensors", "model.layers.0.self_attn.q_proj.bias", {4}, small);
        CHECK(has(s.with("model.layers.0.self_attn.q_proj.bias", "b.safetensors"), "q_proj.bias' has no place"));
    }

    TEST_CASE("engine: a file that the index does not name is not read, and named")
    {
        shards const s;
        std::string const index = R"({"weight_map":{)" + s.map.substr(0, s.map.size() - 1) + "}}";
        CHECK(s.error_of(index) == "");
        CHECK(warnings_about(s.folder).empty());
        model other = s.m;
        other.w[0] += 1;
        save_model<float>(other, "stray", "float32");
        std::filesystem::rename("stray/model.safetensors", s.folder / "model.safetensors");
        CHECK(s.error_of(index) == ""); // the weights of the shard
        CHECK(warnings_about(s.folder) ==
              std::vector<std::string>{"shards/model.safetensors: not part of the checkpoint and not read"});
        s.put("model.safetensors", "model.norm.weight", {4}, std::vector<float>(4));
        CHECK(has(s.error_of(index), "'model.norm.weight' has shape [4] there and [64] in shards/a.safetensors"));
        write(s.folder / "model.safetensors", "version https://git-lfs.github.com/spec/v1\n");
        CHECK(s.error_of(index) == "");
    }

    TEST_CASE("engine: an lm_head beside a tied embedding is a copy or an error")
    {
        shards s;
        auto const embedding = std::span(s.m.w).subspan(s.m.table.tuned_size(), 512 * 64);
        s.put("b.safetensors", "lm_head.weight", {512, 64}, embedding);
        CHECK(s.with("lm_head.weight", "b.safetensors") == "");
        std::vector<float> head(embedding.begin(), embedding.end());
        head[64 * 3 + 5] += 1;
        s.put("b.safetensors", "lm_head.weight", {512, 64}, head);
        CHECK(has(s.with("lm_head.weight", "b.safetensors"), "tensor 'lm_head.weight', row 3, column 5 is "));
        s.put("b.safetensors", "lm_head.weight", {4}, std::span(head).first(4));
        CHECK(has(s.with("lm_head.weight", "b.safetensors"), "has shape [4], the embedding [512, 64]"));
        s.put("b.safetensors", "model.rotary_emb.inv_freq", {4}, std::vector<float>{0.25f, 0.025f, 0.0025f, 0.00025f});
        CHECK(has(s.with("model.rotary_emb.inv_freq", "b.safetensors"), "another rotation"));
    }

    TEST_CASE("engine: a checkpoint that does not fit names the tensor and both shapes")
    {
        std::filesystem::path const folder = "wrong";
        std::filesystem::remove_all(folder);
        model m = random_model(tiny_config(true));
        save_model<float>(m, folder, "float32");
        config other = m.sizes;
        other.intermediate = 171;
        write(folder / "config.json", write_config(other, "float32"));
        CHECK_THROWS_WITH_AS(
            load_model(folder),
            "wrong/model.safetensors: tensor 'model.layers.0.mlp.gate_proj.weight' has shape [172, 64], "
            "config.json makes it [171, 64]",
            jackplane::shape_error);
        other = m.sizes;
        other.layers = 3;
        write(folder / "config.json", write_config(other, "float32"));
        CHECK_THROWS_WITH_AS(load_model(folder),
                             "wrong/model.safetensors: no tensor 'model.layers.2.self_attn.q_proj.weight'",
                             jackplane::format_error);
        other.layers = 1;
        write(folder / "config.json", write_config(other, "float32"));
        CHECK_THROWS_AS(load_model(folder), jackplane::format_error); // tensors left over

        m.w[64 * 3 + 5] = std::numeric_limits<float>::infinity();
        CHECK_THROWS_AS(save_model<float>(m, folder, "float32"), jackplane::value_error);
        m.w[64 * 3 + 5] = 1e6f;
        CHECK_THROWS_AS(save_model<jackplane::half>(m, folder, "float16"), jackplane::value_error);
    }
}
