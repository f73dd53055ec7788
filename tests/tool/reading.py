# SPDX-License-Identifier: BSD-3-Clause
"""reading.py JACKPLANE FOLDER: what a model's files say decides what it computes, or is an error, or a warning."""
import gzip
import json
import os
import shutil

import numpy as np

from harness import expect, fail, folder, make_model, run, store_model, tokenizer

model, tokens, text, jack = folder / "model", folder / "tokens.npy", folder / "text.txt", folder / "model.jack"
config, weights = make_model()
np.save(tokens, np.arange(35, dtype="<u2"))
text.write_text("the quick brown fox")


def fresh(c=config, w=weights, **files):
    """The folder with these and nothing else; settings files as objects or text, others as bytes."""
    shutil.rmtree(model, ignore_errors=True)
    store_model(model, c, w)
    for name, value in files.items():
        path = model / name.replace("__", ".")
        path.write_bytes(value if isinstance(value, bytes) else
                         (value if isinstance(value, str) else json.dumps(value)).encode())


def nll(path=model, *options, warns=()):
    """Of eval's last row; stderr must hold one line for each warning, and nothing else."""
    done = expect(0, run("eval", "--model", path, "--json", *(options or ("--tokens", tokens))))
    said = done.stderr.splitlines()
    if len(said) != len(warns) or not all("warning" in line and word in line for line, word in zip(said, warns)):
        fail(f"{path}: wanted warnings of {warns}, got {done.stderr!r}")
    return json.loads(done.stdout)["rows"][0 if path == model else 1]["mean_nll"]


def refused(*words):
    """Both ways to read a folder say the same."""
    for command in (["eval", "--model", model, "--tokens", tokens], ["quantize", model, "-o", jack, "--quiet"]):
        expect(1, run(*command), *words)


def quantized(*options):
    return expect(0, run("quantize", model, "-o", jack, "--quiet", *options)).stderr


fresh()
plain = nll()
quantized()
plain8 = nll(jack)

# a tied embedding and a stored head: a copy is fine, another one is an error, and untied it is used
embedding = weights["model.embed_tokens.weight"]
tied = {**config, "tie_word_embeddings": True}
fresh(tied, {k: v for k, v in weights.items() if k != "lm_head.weight"})
wanted = nll()
fresh(tied, {**weights, "lm_head.weight": embedding})
if nll() != wanted or wanted == plain:
    fail("a copy of the embedding as head changes the model, or none does")
quantized()
fresh(tied)
refused("lm_head.weight", "row 0", "column 0", "tie_word_embeddings")
fresh(tied, {**weights, "lm_head.weight": embedding[:, :8]})
refused("lm_head.weight", "[40, 8]", "[40, 16]")
for c in (config, {k: v for k, v in config.items() if k != "tie_word_embeddings"}):
    fresh(c, {k: v for k, v in weights.items() if k != "lm_head.weight"})
    refused("lm_head.weight", "tie_word_embeddings")

# tensors that a Llama has no place for; the frequencies that it recomputes
for name, shape in (("model.layers.0.self_attn.q_proj.bias", 12), ("model.layers.0.self_attn.q_norm.weight", 6),
                    ("model.layers.1.input_layernorm.weight", 16), ("lm_head.bias", 40)):
    fresh(w={**weights, name: np.zeros(shape, "<f4")})
    refused(name)
frequencies = (10000.0 ** (-np.arange(0, 6, 2) / 6)).astype("<f4")
fresh(w={**weights, "model.layers.0.self_attn.rotary_emb.inv_freq": frequencies})
if nll() != plain:
    fail("stored frequencies change the model")
fresh(w={**weights, "model.layers.0.self_attn.rotary_emb.inv_freq": frequencies / 4})
refused("inv_freq", "rotation")
for name, c, rest in (("model.layers.0.self_attn.rotary_emb.inv_freq", config, weights),
                      ("lm_head.weight", tied, {k: v for k, v in weights.items() if k != "lm_head.weight"})):
    fresh(c, {**rest, name: (frequencies if "freq" in name else embedding).astype("<i4")})
    data = (model / "model.safetensors").read_bytes()
    before, after = data[:data.index(name.encode())], data[data.index(name.encode()):]
    (model / "model.safetensors").write_bytes(before + after.replace(b"F32", b"I32", 1))
    refused("model.safetensors", name, "I32")

# an index is followed; what it does not name is not read
names = list(weights)


def sharded(first=names[:5], second=names[5:], index=None, **more):
    fresh()
    (model / "model.safetensors").unlink()
    for shard, part in (("a", first), ("b", second)):
        store_model(folder / "part", config, {name: weights[name] for name in part} if isinstance(part, list) else part)
        shutil.move(folder / "part" / "model.safetensors", model / f"{shard}.safetensors")
    places = {**{n: "a.safetensors" for n in names[:5]}, **{n: "b.safetensors" for n in names[5:]}, **more}
    (model / "model.safetensors.index.json").write_text(json.dumps({"weight_map": places}) if index is None else index)


sharded()
if nll() != plain:
    fail("shards give another model")
store_model(folder / "part", config, {k: v + 1 for k, v in weights.items()})
shutil.copy(folder / "part" / "model.safetensors", model)
if nll(warns=["model.safetensors"]) != plain:
    fail("a stray model.safetensors is read")
if quantized().count("model.safetensors: not part of the checkpoint and not read") != 1:
    fail("quantize does not tell of a stray model.safetensors")
if nll(jack) != plain8:
    fail("a stray model.safetensors is quantized")
store_model(folder / "part", config, {**weights, names[3]: weights[names[3]][:4]})
shutil.copy(folder / "part" / "model.safetensors", model)
refused("model.safetensors", names[3])
sharded(**{names[5]: "a.safetensors"})
refused(names[5], "b.safetensors")
sharded(**{names[5]: "c.safetensors"})
refused("c.safetensors")
sharded(extra="b.safetensors")
refused("extra")
sharded(second=names[4:])
if nll() != plain:
    fail("a tensor that two shards hold alike")
sharded(second={**{n: weights[n] for n in names[5:]}, names[4]: weights[names[4]] + 1})
refused(names[4], "a.safetensors", "b.safetensors")
for place in ("../model/b.safetensors", str(model.resolve() / "b.safetensors"), "..", "", "b.safetensors\0", 3, None):
    sharded(**{names[5]: place})
    refused(names[5], "plain name")
sharded(index="[]")
refused("index.json", "line 1")
fresh()
(model / "model.safetensors").unlink()
refused("model.safetensors")
(model / "pytorch_model.bin").write_bytes(b"PK\3\4" + bytes(60))
refused("pytorch_model.bin", "zip", "safetensors")

# the rotation, under each name; keys that change the function, and those that do not
for change in ({"rope_scaling": {"type": "default"}}, {"rope_parameters": {"rope_type": "default"}},
               {"rope_parameters": {"rope_theta": 10000.0, "type": "default"}, "rope_theta": 10000},
               {"rope_scaling": {"rope_type": None}, "rope_parameters": None},
               {"hidden_activation": "silu", "attn_logit_softcapping": None, "partial_rotary_factor": 1.0},
               {"sliding_window": 16}, {"sliding_window": 4, "use_sliding_window": False}, {"logits_scaling": 1},
               {"quantization_config": None, "architectures": ["LlamaForCausalLM"], "dtype": "float32"}):
    fresh({**config, **change})
    if nll() != plain:
        fail(f"{change} changes the model")
fresh({**config, "rope_parameters": {"rope_theta": 500.0}})
moved = nll()
fresh({**config, "rope_theta": 500})
if nll() != moved or moved == plain:
    fail("rope_theta does not decide")
fresh({**config, "sliding_window": 16})
nll(model, "--tokens", tokens, "--context", 16)
fresh()
nll(model, "--tokens", tokens, "--context", 17, warns=["made for texts of 16 tokens, not of 17"])
fresh({**config, "sliding_window": 16})
expect(1, run("eval", "--model", model, "--tokens", tokens, "--context", 17), "attention sees 16 tokens", "17")
expect(1, run("quantize", model, "-o", jack, "--quiet", "--method", "gptq", "--calibration", tokens, "--seqlen", 17),
       "attention sees 16 tokens", "17")
typed = {**config}
untyped = {k: v for k, v in config.items() if k != "model_type"}
for change, *words in (
        ({"rope_parameters": {"type": "dynamic", "factor": 4}}, "rope_type", "dynamic", "one of default, linear"),
        ({"rope_scaling": {"type": "linear"}}, "no 'factor'"),
        ({"rope_scaling": {"type": "linear", "factor": 4, "beta_fast": 32}}, "beta_fast", "no such key"),
        ({"rope_scaling": {"rope_type": "llama3", "factor": 8}}, "no 'low_freq_factor'"),
        ({"rope_parameters": {"rope_type": "default", "type": "linear", "factor": 4}}, "rope_parameters"),
        ({"rope_parameters": {"rope_theta": 5e5}, "rope_theta": 1e4}, "rope_theta"),
        ({"rope_parameters": {"sliding_attention": {"rope_type": "yarn"}}}, "no 'factor'"),
        ({"rope_parameters": {"partial_rotary_factor": 0.5}}, "partial_rotary_factor"),
        ({"hidden_activation": "gelu_pytorch_tanh"}, "hidden_activation", "gelu_pytorch_tanh"),
        ({"attn_logit_softcapping": 50.0}, "attn_logit_softcapping", "50"),
        ({"partial_rotary_factor": 0.5}, "partial_rotary_factor"),
        ({"embedding_multiplier": 12.0}, "embedding_multiplier"),
        ({"residual_multiplier": 0.22}, "residual_multiplier"),
        ({"attention_multiplier": 0.015625}, "attention_multiplier"), ({"logits_scaling": 8.0}, "logits_scaling"),
        ({"sliding_window": 4}, "sliding_window", "4"), ({"quantization_config": {"bits": 4}}, "quantization_config"),
        ({"architectures": ["GemmaForCausalLM"]}, "GemmaForCausalLM"), ({"text_config": []}, "model_type"),
        ({"hidden_size": 16.0}, "16.0"), ({"hidden_size": "16"}, '"16"'), ({"vocab_size": 10**30}, "vocab_size")):
    for c in (typed, untyped):
        fresh({**c, **change})
        refused("config.json", *words)
fresh({**config, "twist": 2, "use_cache": True, "attention_dropout": 0.5})
if nll(warns=["'twist'"]) != plain or "'twist'" not in quantized() or nll(jack, warns=["'twist'"]) != plain8:
    fail("an unknown key is not named")
fresh(untyped)
nll(warns=["model_type"])

# what stands before a text: the file decides, in the folder and in what is made of it
fresh(tokenizer__model=tokenizer(True))
start = nll(model, "--text", text)
fresh(tokenizer__model=tokenizer(False))
bare = nll(model, "--text", text)
if start == bare:
    fail("a tokenizer's own start does not count")
for settings, wanted in (({}, start), ({"add_bos_token": True}, start), ({"add_bos_token": False}, bare),
                         ({"bos_token": "<s>"}, start), ({"bos_token": {"content": "<s>"}}, start),
                         ({"bos_token": None}, bare)):
    fresh(tokenizer__model=tokenizer(True), tokenizer_config__json=settings)
    if nll(model, "--text", text) != wanted:
        fail(f"{settings}: another start of the text")
    quantized()
    eight = nll(jack, "--text", text)
    said = expect(0, run("generate", "--model", jack, "--prompt", "a b", "--tokens", 4, "--temperature", 0)).stdout
    (model / "tokenizer_config.json").unlink()
    (model / "tokenizer.model").write_bytes(tokenizer(wanted == start))
    quantized()
    again = expect(0, run("generate", "--model", jack, "--prompt", "a b", "--tokens", 4, "--temperature", 0)).stdout
    if nll(jack, "--text", text) != eight or said != again:
        fail(f"{settings}: the nested file starts a text in another way than its folder")
fresh(tokenizer__model=tokenizer(True), tokenizer_config__json={"bos_token": "b"})
other = nll(model, "--text", text)
if other in (start, bare):
    fail("another bos_token does not decide")
for settings, *words in (({"bos_token": "<x>"}, "bos_token", "<x>"), ({"add_bos_token": 1}, "add_bos_token"),
                         ({"add_bos_token": True, "bos_token": None}, "add_bos_token"), ("{,}", "line 1, column 2")):
    fresh(tokenizer__model=tokenizer(True), tokenizer_config__json=settings)
    expect(1, run("eval", "--model", model, "--text", text), "tokenizer_config.json", *words)
fresh(tokenizer__model=tokenizer(True), tokenizer_config__json={"add_eos_token": True, "add_bos_token": True,
                                                                "tokenizer_class": "LlamaTokenizer"})
if nll(model, "--text", text, warns=["add_eos_token"]) != start:
    fail("add_eos_token")
quantized()
nll(jack, "--text", text, warns=["add_eos_token"])
for value, warns in (("<s>", []), ({"content": "<s>"}, []), (None, []), ("b", ["special_tokens_map.json"])):
    fresh(tokenizer__model=tokenizer(True), special_tokens_map__json={"bos_token": value, "eos_token": "</s>"})
    if nll(model, "--text", text, warns=warns) != start:
        fail(f"special_tokens_map.json: {value} starts a text in another way")
for added, warns in ((5, []), ({"": {"content": "x"}, "1": 2}, []), ({"28": {"content": "z"}}, []),
                     ({"31": {"content": "<|user|>"}}, ["added_tokens_decoder"])):
    fresh(tokenizer__model=tokenizer(True), tokenizer_config__json={"added_tokens_decoder": added})
    if nll(model, "--text", text, warns=warns) != start:
        fail(f"added_tokens_decoder {added}: another text")
fresh(tokenizer__model=tokenizer(False, newline=True))
(folder / "lines.txt").write_text("a  \n  b")  # a, a space, a newline, a space, b
scored = json.loads(expect(0, run("eval", "--model", model, "--text", folder / "lines.txt", "--json")).stdout)["tokens"]
if scored != 4:
    fail(f"lines with spaces at their ends: {scored} tokens scored")
(folder / "empty.txt").write_text("")
fresh(tokenizer__model=tokenizer(True))
expect(1, run("eval", "--model", model, "--text", folder / "empty.txt"), "empty.txt", "0 tokens")

# what is no text is not scored; bytes that are no UTF-8 are told
fresh(tokenizer__model=tokenizer(True))
quantized()
wanted = nll(model, "--text", text)
reads_text = (["eval", "--model", model, "--text"], ["allocate", "--model", jack, "--quiet", "--text"],
              ["quantize", model, "-o", folder / "other.jack", "--quiet", "--method", "gptq", "--calibration"])
for data, kind in ((tokens.read_bytes(), "NumPy array"), (jack.read_bytes(), "safetensors"),
                   (b"PK\3\4" + bytes(64), "zip"), (b"abc\0def", "byte 3 is 0"),
                   (text.read_bytes() * 9 + bytes(1), "byte 171 is 0"), ("abc".encode("utf-16"), "UTF-16"),
                   (gzip.compress(bytes(1000)), "gzip")):
    (folder / "words.NPY").write_bytes(data)
    for command in reads_text:
        expect(1, run(*command, folder / "words.NPY"), "words.NPY", "no text", kind)
for data in (b"the quick br\xf6wn fox", b"the quick brown fox \xe2\x82"):
    (folder / "latin.txt").write_bytes(data)
    nll(model, "--text", folder / "latin.txt", warns=["latin.txt: not all of it is UTF-8"])
    said = "".join(run("generate", "--model", jack, "--prompt", os.fsdecode(prompt), "--tokens", "1").stderr
                   for prompt in (data[8:], b"the quick"))
    if said.count("warning") != 1 or "the prompt: not all of it is UTF-8" not in said:
        fail(f"a prompt that is no UTF-8: {said!r}")
for data, kind in ((b"<html>\xe2\x82\xac</html>", "an HTML page"), (b"\n<!DOCTYPE html>\n", "an HTML page"),
                   (b"%PDF-1.4 in letters alone", "a PDF")):  # a text all the same
    (folder / "page.txt").write_bytes(data)
    nll(model, "--text", folder / "page.txt", warns=[f"page.txt begins as {kind}"])
(folder / "page.txt").write_text("<s>a line of a play</s>")
nll(model, "--text", folder / "page.txt")
for data in (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n", b"# xet version 0\n"):
    (folder / "words.txt").write_bytes(data)
    for command in reads_text:
        expect(1, run(*command, folder / "words.txt"), "words.txt", "no text", "pointer")
(folder / "marked.txt").write_bytes(b"\xef\xbb\xbf" + text.read_bytes())  # a mark is no letter
if nll(model, "--text", folder / "marked.txt") != wanted:
    fail("a byte order mark at the start of a text is read as text")

fresh({**config, "vocab_size": 20}, {k: v[:20] if v.shape[0] == 40 else v for k, v in weights.items()},
      tokenizer__model=tokenizer(True))
expect(1, run("eval", "--model", model, "--text", text), "text.txt", "vocabulary has 20")

# a language model inside a larger one: its own settings, its tensors under both names; the others are named
inside = {"model_type": "llava", "architectures": ["SeeingModel"], "text_config": typed,
          "vision_config": {"layers": 3}}
for old in (True, False):
    fresh(inside, {**{f"language_model.{k}" if old else k.replace("model.", "model.language_model."): v
                      for k, v in weights.items()}, "vision_tower.patch.weight": np.zeros((2, 2), "<f4")})
    if nll(warns=["1 tensors"]) != plain or "1 tensors" not in quantized() or nll(jack) != plain8:
        fail("a language model inside a larger one is another model")
fresh({**inside, "quantization_config": {"bits": 4}}, {f"language_model.{k}": v for k, v in weights.items()})
refused("config.json", "quantization_config")
fresh({**inside, "model_type": "paligemma"}, {f"language_model.{k}": v for k, v in weights.items()})
refused("config.json", "paligemma", "one of gemma3, llava, mistral3")
fresh(inside, {**{f"language_model.{k}": v for k, v in weights.items()}, "lm_head.weight": weights["lm_head.weight"]})
refused("lm_head.weight", "twice")
fresh(w={**weights, **{f"language_model.{k}": v for k, v in weights.items()}})
refused("language_model.", "no place")

# tokenizer.json: byte pairs, from the folder and from inside a nested file; tokenizer.model goes before it
alphabet = [chr(b) if 33 <= b < 127 or 161 <= b < 173 or 174 <= b < 256 else "" for b in range(256)]
for n, b in enumerate([b for b in range(256) if not alphabet[b]]):
    alphabet[b] = chr(256 + n)
pieces = [*alphabet, "th", "the", "\u0120q", "<|start|>"]
words = {"added_tokens": [{"id": 259, "content": "<|start|>", "special": True}], "normalizer": None,
         "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False, "use_regex": True},
         "post_processor": None, "decoder": {"type": "ByteLevel"},
         "model": {"type": "BPE", "vocab": {piece: i for i, piece in enumerate(pieces[:-1])},
                   "merges": [["t", "h"], ["th", "e"], ["\u0120", "q"]]}}
wide = {**config, "vocab_size": 260}
rows = {k: np.random.default_rng(1).normal(0, 0.3, (260, 16)).astype("<f4") if v.shape[0] == 40 else v
        for k, v in weights.items()}
fresh(wide, rows, tokenizer__json=words)
ids = [pieces.index("the"), pieces.index("\u0120q"), *b"uick brown fox"]
np.save(folder / "ids.npy", np.array(ids, "<u2"))
wanted = nll(model, "--text", text)
if wanted != nll(model, "--tokens", folder / "ids.npy"):
    fail("tokenizer.json: another text")
quantized()
if nll(jack, "--text", text) != nll(jack, "--tokens", folder / "ids.npy") or len(ids) != 16:
    fail("tokenizer.json inside a file: another text")
done = json.loads(expect(0, run("generate", "--model", jack, "--prompt", "the quick", "--tokens", 5, "--json")).stdout)
if done["prompt_tokens"] != 6 or done["tokens"] != 5:
    fail(f"tokenizer.json: generate says {done}")
expect(0, run("quantize", model, "-o", jack, "--quiet", "--method", "gptq", "--calibration", text, "--seqlen", "8"))
fresh(wide, rows, tokenizer__json={**words, "normalizer": {"type": "Lowercase"}})
for command in (["eval", "--model", model, "--text", text], ["quantize", model, "-o", jack, "--quiet"]):
    expect(1, run(*command), "tokenizer.json", "normalizer", "Lowercase")
fresh(wide, rows)
expect(1, run("quantize", model, "-o", jack, "--quiet", "--method", "gptq", "--calibration", text), "tokenizer.json")

# JSON that is none: where; files of other kinds: what they are
for said, *words in (('{\n  "a": Infinity}', "line 2, column 8", "Infinity"), ('{"a": NaN}', "line 1, column 7", "NaN"),
                     ('// ' + 70 * "=" + '\n{}', "line 1, column 1", "comments"),
                     ('{\n// sizes\n}', "line 2, column 1", "comments"), ('{"a": 1e400}', "line 1, column 7"),
                     ('{"a": 1,\n "a": 2}', "line 2", "'a' twice"), ("", "an empty file"), ("[1]", "object"),
                     ('{"a": 1', "line 1, column 8", "its end"), ("\n{\n} x", "line 3, column 3")):
    fresh(config__json=said)
    refused("config.json", *words)
fresh(config__json="\ufeff" + json.dumps(config))
if nll() != plain:
    fail("a byte order mark")
kinds = {"GGUF": b"GGUF\3\0\0\0" + bytes(64), "git-lfs": b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n",
         "HTML": b"<!DOCTYPE html>\n<html>", "zip": b"PK\3\4" + bytes(64), "pickle": b"\x80\2}q\0" + bytes(64),
         "gzip": gzip.compress(bytes(1000)), "Entry": b"Entry not found"}
store_model(folder / "good", config, weights)
for kind, data in kinds.items():
    for name in ("model.safetensors", "config.json"):
        fresh(**{name.replace(".", "__"): data})
        refused(name, kind)
    fresh(tokenizer__model=data)
    expect(1, run("eval", "--model", model, "--text", text), "tokenizer.model", kind)
    expect(1, run("quantize", model, "-o", jack, "--quiet"), "tokenizer.model", kind)
    (folder / "file").write_bytes(data)
    found = ["a file of 32 bytes"] if kind == "GGUF" else [kind]  # which is read, but holds nothing
    expect(1, run("eval", "--model", folder / "file", "--tokens", tokens), "file", *found)
    found = found if kind == "GGUF" else [kind, "folder"]
    expect(1, run("quantize", folder / "file", "-o", jack, "--quiet"), "file", *found)
    expect(1, run("eval", "--model", folder / "good", "--tokens", folder / "file"), "file", kind)

fresh(tokenizer__model=tokenizer(True)[:-1])
expect(1, run("eval", "--model", model, "--text", text), "tokenizer.model", "not a SentencePiece model")
if "model: a SentencePiece" in run("eval", "--model", model, "--text", text).stderr:
    fail("a damaged tokenizer is told to be none because it is one")

# a link to nothing, as half a download leaves it, is no missing file
for name in ("tokenizer.model", "tokenizer_config.json", "model.safetensors.index.json", "model.safetensors",
             "config.json"):
    fresh(tokenizer__model=tokenizer(True))
    (model / name).unlink(missing_ok=True)
    (model / name).symlink_to("gone")
    for command in (["eval", "--model", model, "--text", text], ["quantize", model, "-o", jack, "--quiet"]):
        expect(1, run(*command), name)
print("reading: ok")
