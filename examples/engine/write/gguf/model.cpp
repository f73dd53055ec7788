// SPDX-License-Identifier: BSD-3-Clause
#include "model.hpp"
#include <jackplane/core/version.hpp>
#include <jackplane/store/gguf/write.hpp>
#include "../../describe/gguf/file_type.hpp"
#include "tensors.hpp"
#include "words.hpp"
#include <algorithm>
#include <cstdint>
#include <string>

namespace engine
{
    namespace
    {
        using jackplane::gguf::metadata;

        void add(metadata& to, metadata const& more)
        {
            for (auto const& [key, value] : more)
                to.set(key, value);
        }

        // What another GGUF file says that holds for this one, too.
        metadata kept(metadata const& from, std::string_view prefix)
        {
            metadata to;
            for (auto const& [key, value] : from)
                if (key.starts_with(prefix) && key != jackplane::gguf::alignment_key)
                    to.set(key, value);
            return to;
        }

        metadata words_for(model_source const& source)
        {
            metadata const* const before = source.gguf_metadata();
            return before != nullptr
                       ? kept(*before, "tokenizer.")
                       : fields_of_words(source.tokenizer_bytes(), source.tokenizer_settings(), source.sizes());
        }
    }

    void save_gguf(model_source const& source, std::span<block_matrix const> matrices, metadata const& more,
                   jackplane::atomic_file& out)
    {
        gguf_description const about(source.sizes());
        metadata const* const before = source.gguf_metadata();
        metadata all;
        all.set("general.architecture", about.architecture);
        if (before != nullptr)
            add(all, kept(*before, "general."));
        metadata const words = words_for(source);
        gguf_items const tensors(source, matrices, about);
        all.set("general.architecture", about.architecture);
        all.set("general.type", std::string("model"));
        all.set("general.file_type", file_type_of(tensors.commonest_type()));
        all.set("general.quantization_version", std::uint32_t{2});
        if (std::any_of(matrices.begin(), matrices.end(), [](block_matrix const& m) { return !m.empty(); }))
            all.set("general.quantized_by", text("jackplane ", JACKPLANE_VERSION_MAJOR, ".", JACKPLANE_VERSION_MINOR,
                                                 ".", JACKPLANE_VERSION_PATCH));
        add(all, about.keys);
        add(all, words);
        add(all, more);
        jackplane::gguf::save(out, tensors.items(), all);
    }

    void save_gguf(model_source const& source, std::span<block_matrix const> matrices, metadata const& more,
                   std::filesystem::path const& out)
    {
        jackplane::atomic_file file(out);
        save_gguf(source, matrices, more, file);
    }

    void expect_gguf(model_source const& source)
    {
        gguf_description const about(source.sizes());
        JACKPLANE_EXPECTS(about.query_factor == 1 || source.sizes().block.head_norms, jackplane::format_error,
                          "llama.cpp scales scores by another number than this model, so its queries have to be "
                          "written dense");
        words_for(source);
    }
}
