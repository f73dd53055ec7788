// SPDX-License-Identifier: BSD-3-Clause
// Writes the seeds in corpus/:  seeds FOLDER
#include <jackplane/store/gguf/imatrix.hpp>
#include <jackplane/store/nested_write.hpp>
#include <jackplane/store/npy.hpp>
#include <jackplane/store/safetensors_write.hpp>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <span>
#include <string>
#include <vector>
#include "../store/models.hpp"

using namespace jackplane;

int main(int argc, char** argv)
{
    if (argc != 2)
        return std::fprintf(stderr, "seeds FOLDER\n"), 2;
    std::filesystem::path const folder = argv[1];
    std::filesystem::create_directories(folder);

    std::vector<float> const values = {1, 2, 3, 4, 5, 6};
    std::vector<half> const halves(4);
    safetensors::item const items[] = {safetensors::item::of<float>("w", {2, 3}, values),
                                       safetensors::item::of<half>("n", {4}, halves),
                                       safetensors::item::of<half>("s", {}, std::span(halves).first(1)),
                                       safetensors::item::of<half>("e", {0, 3}, {})};
    safetensors::save(folder / "plain.safetensors", items, {{"format", "pt"}});

    npy::save<float>(folder / "matrix.npy", {2, 3}, values);
    npy::save<std::uint16_t>(folder / "tokens.npy", {3}, std::vector<std::uint16_t>{1, 2, 3});

    std::string const config = "{}";
    nested::writer two;
    two.add({"config.json", dtype::U8, {2}, files::bytes(config), {}});
    two.add("a", models::matrix<packed<planes<4, 4>, uniform<8>, half, std::uint8_t>>(3, 5, 2));
    two.save(folder / "two_levels.nested");
    nested::writer one;
    one.add("b", models::matrix<packed<planes<4>, nf4, half, no_zero>>(17, 1, 1));
    one.save(folder / "one_level.nested");

    nested::writer beside;
    std::vector<triplet> const weights = {{0, 1, 1}, {2, 0, 2}};
    csr<> const few(3, 5, weights);
    beside.add("a", models::matrix<packed<planes<4, 4>, uniform<8>, half, std::uint8_t>>(3, 5, 2), few);
    beside.save(folder / "sparse.nested");

    gguf::metadata about;
    about.set("general.architecture", std::string("llama"));
    about.set("general.alignment", std::uint32_t{8});
    about.set("flag", true);
    about.set("tokens", gguf::array(std::vector<std::string>{"a", "bc"}));
    about.set("scores", gguf::array(std::vector<float>{1, 2}));
    std::vector<std::byte> const blocks(144);
    gguf::item const tensors[] = {gguf::item::of<gguf::q4_k>("a", {1, 256}, blocks),
                                  gguf::item::of<gguf::q4_0>("b", {2, 32}, std::span(blocks).first(36)),
                                  gguf::item::of<gguf::f32>("c", {2}, std::span(blocks).first(8))};
    gguf::save(folder / "model.gguf", tensors, about);
    gguf::importance_matrix importance{{"text"}, 1, 2, {}};
    importance.of["a"] = {{1, 2, 3, 4}, {1, 2}};
    gguf::save_imatrix(folder / "imatrix.gguf", importance);
    gguf::save_old_imatrix(folder / "imatrix.dat", importance);

    std::ifstream whole(folder / "two_levels.nested", std::ios::binary);
    std::string const bytes(std::istreambuf_iterator<char>(whole), {});
    auto const metadata = bytes.find("{\\\"slice\\\"");
    std::string settings = bytes.substr(metadata, bytes.find("}}}\"", metadata) + 3 - metadata);
    std::erase(settings, '\\');
    files::put(folder / "settings.json", settings);
}
