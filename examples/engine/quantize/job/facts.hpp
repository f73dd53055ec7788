// SPDX-License-Identifier: BSD-3-Clause
#pragma once
#include <cstddef>

namespace engine
{
    // What a method looks at. Of layers it sees one after the other, behind those that it has quantized.
    enum class sight
    {
        weights,
        layers,
        model // all of it, and a way back through it
    };

    // Whether a method can make blocks of a GGUF file in place of planes, and where their scales come from.
    enum class block_scales
    {
        none,    // it makes no blocks
        usual,   // from the type's own quantizer, which looks at weights alone
        searched // from the same with an importance matrix, or from a file
    };

    // What others have to know of a method.
    struct method_facts
    {
        char const* name = "";
        char const* about = ""; // one line, for a list of methods
        sight looks_at = sight::weights;
        bool makes_parents = false;  // of 8 bits, whose leading bits are tuned, too: no other file
        bool learns = false;         // in steps; so a run is long, and told and kept
        bool compensates = false;    // errors of single weights make up for each other
        bool one_by_one = true;      // matrices are quantized one by one, so that weights may leave before
        bool balances = false;       // columns of large inputs are scaled up first, if that is asked for
        bool scales = true;          // of groups, chosen here; else each row has values of its own, or scales stay
        bool keeps = false;          // what the model stores, as it is: there is nothing to choose
        std::size_t scale_steps = 0; // of scales, end to end, that are its second phase
        block_scales blocks = block_scales::none;
        char const* rate = "";       // of a method that learns in steps, where none is asked for
        // What becomes of the weights of an expert that no token of the calibration text goes to.
        char const* unread =
            "what the method learns from tokens stays out of it, and its weights are rounded to nearest";
    };

    // Of a method that looks at layers, where errors of single weights make up for each other.
    constexpr method_facts compensating(char const* name, char const* about, bool makes_parents = false)
    {
        return {.name = name,
                .about = about,
                .looks_at = sight::layers,
                .makes_parents = makes_parents,
                .compensates = true,
                .balances = true};
    }
    // Of a method that learns layer by layer, or the whole model at once.
    constexpr method_facts learner(char const* name, char const* about, char const* rate = "",
                                   sight looks_at = sight::layers)
    {
        method_facts f = compensating(name, about, true);
        f.looks_at = looks_at;
        f.learns = true;
        f.one_by_one = f.balances = looks_at == sight::layers;
        f.rate = rate;
        return f;
    }
    constexpr method_facts with_blocks(method_facts f, block_scales from = block_scales::searched)
    {
        f.blocks = from;
        return f;
    }
}
