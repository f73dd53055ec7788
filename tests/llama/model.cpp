// SPDX-License-Identifier: BSD-3-Clause
#include <doctest/doctest.h>
#include "tiny.hpp"
#include <filesystem>
#include <fstream>
#include <limits>
#include <map>
#include <string>
#include <vector>

namespace llama
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

    TEST_CASE("llama: config.json, with Hugging Face's defaults")
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

    TEST_CASE("llama: a wrong config.json gives one line with file, key and number")
    {
        std::map<std::string, std::string> const wrong = {
            {R"(,"num_key_value_heads":3)", "c.json: 'num_key_value_heads' is 3, expected a divisor of the 8 heads"},
            {R"(,"head_dim":7)", "c.json: 'head_dim' is 7, expected an even number (rotary pairs)"},
            {R"(,"head_dim":-8)", "c.json: 'head_dim' is -8, expected a whole number from 1 to 4096"},
            {R"(,"head_dim":8.5)", "c.json: 'head_dim' is 8.5, expected a whole number from 1 to 4096"},
            {R"(,"rope_theta":0)", "c.json: 'rope_theta' is 0, expected a positive number"},
            {R"(,"rms_norm_eps":"1")", "c.json: 'rms_norm_eps' is \"1\", expected a positive number"},
            {R"(,"tie_word_embeddings":1)", "c.json: 'tie_word_embeddings' is 1, expected true or false"},
            {R"(,"attention_bias":true)", "c.json: 'attention_bias' is true, expected false"},
            {R"(,"model_type":"qwen2")", "c.json: 'model_type' is \"qwen2\", expected \"llama\""},
            {R"(,"rope_scaling":{"factor":8})", "c.json: 'rope_scaling' is {\"factor\":8}, expected null"},
        };
        for (auto const& [more, message] : wrong)
            CHECK_THROWS_WITH_AS(read(more), message.c_str(), jackplane::format_error);
        CHECK_THROWS_WITH_AS(read_config(settings_file("c.json", "{}")), "c.json: no 'vocab_size'",
                             jackplane::format_error);
        CHECK_THROWS_WITH_AS(settings_file("c.json", "[1"), "c.json: expected a JSON object", jackplane::format_error);
    }

    TEST_CASE("llama: the tuned weights come first, layer by layer")
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

    TEST_CASE("llama: what is saved is what is loaded")
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

    TEST_CASE("llama: shards, and their errors")
    {
        std::filesystem::path const folder = "shards";
        std::filesystem::remove_all(folder);
        model const m = random_model(tiny_config(true));
        save_model<jackplane::bfloat16>(m, folder, "bfloat16");
        std::filesystem::rename(folder / "model.safetensors", folder / "a.safetensors");
        std::vector<float> const extra(4);
        std::vector<safetensors::item> const items = {
            safetensors::item::of<float>("lm_head.weight", {4}, std::span<float const>(extra))};
        safetensors::save(folder / "b.safetensors", items);
        std::string map;
        for (parameter const& p : m.table.parameters())
            map += "\"" + p.name + "\":\"a.safetensors\",";
        auto const index = folder / "model.safetensors.index.json";
        write(index, R"({"weight_map":{)" + map + R"("lm_head.weight":"b.safetensors"}})");
        CHECK(load_model(folder).w.size() == m.w.size());
        write(index, R"({"weight_map":{)" + map + R"("lm_head.weight":"../b.safetensors"}})");
        CHECK_THROWS_AS(load_model(folder), jackplane::format_error);
        write(index, R"({"weight_map":{}})");
        CHECK_THROWS_AS(load_model(folder), jackplane::format_error);
        write(index, R"({"weight_map":{)" + map + R"("model.layers.0.mlp.up_proj.bias":"b.safetensors"}})");
        CHECK_THROWS_AS(load_model(folder), jackplane::format_error);
    }

    TEST_CASE("llama: a checkpoint that does not fit names the tensor and both shapes")
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
