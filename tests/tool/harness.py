# SPDX-License-Identifier: BSD-3-Clause
"""What the scripts of the tool's tests share; each is called SCRIPT.py JACKPLANE FOLDER and works in that folder."""
import json
import pathlib
import shutil
import signal
import struct
import subprocess
import sys
import time

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "files"))
import safetensors  # noqa: E402

tool, folder = sys.argv[1], pathlib.Path(sys.argv[2])
folder.mkdir(parents=True, exist_ok=True)


def run(*arguments):
    return subprocess.run([tool, *map(str, arguments)], capture_output=True, text=True, errors="replace")


def fail(message):
    sys.exit(f"{pathlib.Path(sys.argv[0]).stem}: {message}")


def expect(code, done, *words):
    """The exit code, and for errors one line on stderr that holds the words, and nothing on stdout."""
    said = done.stderr.splitlines()
    one_line = len(said) == 1 and all(w in said[0] for w in words) and not done.stdout
    if done.returncode != code or (code != 0 and not one_line):
        fail(f"{done.args[1:]}: exit {done.returncode} instead of {code}, wanted {words}, said {done.stderr!r} and "
             f"{done.stdout[:200]!r}")
    return done


def contents():
    """Every file there is, with what changes when it is written or replaced."""
    return {path: (found.st_ino, found.st_size, found.st_mtime_ns, found.st_mode)
            for path in folder.rglob("*") for found in [path.lstat()] if not path.is_dir() or path.is_symlink()}


def refused(code, *arguments, words=()):
    """Refused in one line, before anything changed or was told."""
    before = contents()
    expect(code, run(*arguments), *words)
    if contents() != before:
        fail(f"{arguments}: changed {set(contents().items()) ^ set(before.items())}")


def child(*arguments, **options):
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
    return subprocess.Popen([tool, *map(str, arguments)], **options)


def ended(process, seconds=30):
    out, err = process.communicate(timeout=seconds)
    return process.returncode, (out or b"").decode(errors="replace"), (err or b"").decode(errors="replace")


def killed_behind(name, output, *learn):
    """Kills a run that learns when it has kept the layer in the file of that name. All files of layers there, and
    whether it had to begin anew, because it had ended before."""
    layer = output.with_name(f"{output.name}.layers") / name
    for anew in range(10):
        process = child(*learn, "-o", output)
        while process.poll() is None and not layer.exists():
            time.sleep(0.002)
        process.kill()
        told = ended(process)
        if told[0] not in (0, -signal.SIGKILL):
            fail(f"ended before {layer} was kept: {told}")
        if not output.exists():
            return {path.name: (path.stat().st_ino, path.stat().st_mtime_ns)
                    for path in layer.parent.glob(f"layer.?{layer.suffix}")}, anew > 0
        output.unlink()
    fail(f"ten runs ended before they could be killed behind {layer}")


def expect_taken_up(suffix, whole, output, *learn):
    """Killed twice while it learns and started again, a run of three layers goes on behind those that it kept, to the
    same file as one that nothing stopped (whole)."""
    kept, before = {}, set(output.parent.iterdir())
    for number in range(2):
        found, anew = killed_behind(f"layer.{number}{suffix}", output, *learn)
        if not anew and not kept.items() <= found.items():
            fail(f"a layer that was kept is learned again: {kept}, {found}")
        kept = found
    expect(0, run(*learn, "-o", output))
    if output.read_bytes() != whole.read_bytes():
        fail(f"{learn}: a run that was killed and taken up again makes another file")
    if set(output.parent.iterdir()) != before | {output}:
        fail(f"after a run that was killed and taken up again: {list(output.parent.iterdir())}")


def iterations(options, first, further):
    """--iters and --finer-iters, where the method of the options reads them."""
    method = options[options.index("--method") + 1] if "--method" in options else "rtn"
    asked = ["--iters", first, "--finer-iters", further]
    if "--inside" in options:
        return asked[2:]
    if "--lambda" in options and "--joint-iters" not in options:
        asked = asked[:2]
    return {"signround": asked, "omniquant": asked, "efficientqat": asked[:2], "qat": asked[:2]}.get(method, [])


def make_model(**changes):
    """config.json and tensors of one random layer whose sizes divide nothing."""
    c = {"model_type": "llama", "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 1, "vocab_size": 40,
         "num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 6, "rms_norm_eps": 1e-5,
         "max_position_embeddings": 16, "tie_word_embeddings": False, **changes}
    rng = np.random.default_rng(5)
    shapes = {"model.embed_tokens": (40, 16), "model.norm": (16,), "lm_head": (40, 16)}
    layer = {"self_attn.q_proj": (12, 16), "self_attn.k_proj": (6, 16), "self_attn.v_proj": (6, 16),
             "self_attn.o_proj": (16, 12), "mlp.gate_proj": (24, 16), "mlp.up_proj": (24, 16),
             "mlp.down_proj": (16, 24), "input_layernorm": (16,), "post_attention_layernorm": (16,)}
    shapes.update({f"model.layers.0.{name}": shape for name, shape in layer.items()})
    tensors = {f"{name}.weight": rng.normal(0, 0.3, shape).astype("<f4") for name, shape in shapes.items()}
    return c, tensors


def store_model(path, c, tensors):
    path.mkdir(exist_ok=True)
    (path / "config.json").write_text(json.dumps(c))
    safetensors.save(path / "model.safetensors", tensors)


def make_folder(path, shards=False, layers=1):
    """A model of equal layers and the repository's tokenizer; a folder as they come, with files that nobody reads."""
    words, vocabulary = pathlib.Path(__file__).resolve().parents[2] / "examples/model/tokenizer.model", 4096
    config, tensors = make_model(vocab_size=vocabulary, num_hidden_layers=layers)
    tensors = {name.replace("layers.0.", f"layers.{number}."): value
               for number in range(layers) for name, value in tensors.items()}
    rng = np.random.default_rng(3)
    for name in ("model.embed_tokens.weight", "lm_head.weight"):
        tensors[name] = rng.normal(0, 0.3, (vocabulary, 16)).astype("<f4")
    store_model(path, config, tensors)
    shutil.copy(words, path)
    (path / "generation_config.json").write_text("{}")
    (folder / "elsewhere").mkdir(exist_ok=True)
    (path / "README.md").symlink_to(folder / "elsewhere" / "card.md")
    (folder / "elsewhere" / "card.md").write_text("a card")
    if shards:
        (path / "model.safetensors").unlink()
        place = {}
        names = sorted(tensors)
        for number, part in enumerate((names[::2], names[1::2]), 1):
            store_model(folder / "part", config, {name: tensors[name] for name in part})
            file = f"model-{number:05d}-of-00002.safetensors"
            shutil.move(folder / "part" / "model.safetensors", path / file)
            place.update({name: file for name in part})
        (path / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": place}))


def field(number, value):
    """One field of a protocol buffer."""
    if isinstance(value, bytes):
        return bytes([number << 3 | 2]) + varint(len(value)) + value
    if isinstance(value, float):
        return bytes([number << 3 | 5]) + struct.pack("<f", value)
    return varint(number << 3) + varint(value)


def varint(n):
    out = b""
    while n > 127:
        out, n = out + bytes([n & 127 | 128]), n >> 7
    return out + bytes([n])


def tokenizer(with_bos, newline=False):
    """A SentencePiece model of single letters, a space, and perhaps a newline; it drops spaces that follow a first."""
    unknown, control, plain, user_defined = 2, 3, 1, 4
    pieces = [("<unk>", unknown), ("<s>", control if with_bos else plain), ("</s>", control)]
    pieces += [(letter, plain) for letter in "\u2581abcdefghijklmnopqrstuvwxyz"]
    pieces += [("\n", user_defined)] if newline else []
    out = b"".join(field(1, field(1, name.encode()) + field(2, -1.0) + field(3, kind)) for name, kind in pieces)
    out += field(2, field(3, 1))
    return out + field(3, field(1, b"identity") + field(3, 0) + field(4, 1) + field(5, 1))
