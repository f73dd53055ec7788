# SPDX-License-Identifier: BSD-3-Clause
"""outputs.py JACKPLANE FOLDER: no command writes over what it reads; what cannot be written is found before any work;
a report that does not arrive is an error; pipes never hang; nothing is left behind by a run that is ended.
"""
import json
import os
import pathlib
import resource
import shutil
import signal
import struct
import subprocess
import sys
import time

import numpy as np

from harness import expect, fail, folder, iterations, make_model, run, store_model, tool

shutil.rmtree(folder)
folder.mkdir()
repository = pathlib.Path(__file__).resolve().parents[2]
words = repository / "examples/model/tokenizer.model"
vocabulary = 4096


def make(path, shards=False, layers=1):
    """A model of equal layers and the repository's tokenizer; a folder as they come, with files that nobody reads."""
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


model, sharded, text, tokens = folder / "model", folder / "sharded", folder / "text.txt", folder / "tokens.npy"
deep = folder / "deep"
make(model)
make(sharded, shards=True)
make(deep, layers=3)
text.write_text("And it came to pass in those days. " * 20)
np.save(tokens, np.arange(64, dtype="<u2"))
file, whole = folder / "model.jack", ["--calibration", tokens, "--seqlen", "8", "--group-size", "8"]
short = [*whole, "--nsamples", "4"]
quick = [*short, "--iters", "2", "--finer-iters", "1"]
endless = ["quantize", model, "--method", "signround", *whole, "--iters", "1000000", "--no-resume"]
expect(0, run("quantize", model, "-o", file, "--quiet"))


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


# ---- 1. an output that is an input, by its own name, through links and by another name of the same file
def names_of(path):
    for number, make_name in enumerate((None, os.symlink, os.link)):
        name = path
        if make_name:
            name = folder / f"other{number}"
            name.unlink(missing_ok=True)
            make_name(path.resolve() if make_name is os.link else path, name)
        yield name
    (folder / "door").unlink(missing_ok=True)
    os.symlink(path.parent, folder / "door")
    yield folder / "door" / path.name


inputs = {}
for place in (model, sharded):
    for path in sorted(place.iterdir()) + [folder / "elsewhere" / "card.md"]:
        inputs[path] = [["quantize", place, "-o"]]
inputs[tokens] = [["quantize", model, "--method", "gptq", *whole, "-o"],
                  ["quantize", model, "--outliers", "1", *whole, "-o"]]
inputs[text] = [["quantize", model, "--method", "awq", "--calibration", text, "-o"],
                ["quantize", model, "--method", "gptq", *whole, "--significant", "1", "--validation", text, "-o"]]
inputs[file] = [["quantize", model, "--method", "signround", "--calibration", tokens, "--inside", file, "-o"],
                ["cut", file, "--bits", "4", "-o"]]
for path, commands in inputs.items():
    for name in names_of(path):
        for command in commands:
            refused(1, *command, name, words=["read"])
for name in ("config.json", "tokenizer.model", "x.safetensors"):  # parts that a model without them would get
    lone = folder / "lone"
    lone.mkdir(exist_ok=True)
    refused(1, "quantize", lone, "-o", lone / name, words=["lone"])
(model / "deeper").mkdir()
(model / "deeper" / "file").write_text("kept")
refused(1, "quantize", model, "-o", model / "deeper" / "file", words=["model"])
# what no reader of the folder takes loses nothing: a new file, the second time the one of the first, and what a killed
# run left; but not where it is what is read
for attempt in range(2):
    expect(0, run("quantize", model, "-o", model / "new.jack", "--quiet"))
    shutil.copy(file, model / "new.jack.1.1.jackplane.tmp")
expect(0, run("cut", file, "--bits", "8", "-o", model / "new.jack"))
if (model / "new.jack.1.1.jackplane.tmp").exists() or (model / "new.jack").read_bytes() != file.read_bytes():
    fail("the temporary of a killed run is left in the model's folder, or another file")
refused(1, "cut", model / "new.jack", "--bits", "4", "-o", model / "new.jack", words=["read"])
refused(1, "quantize", model, "--method", "signround", "--calibration", tokens, "--inside", model / "new.jack", "-o",
        model / "new.jack", words=["read"])
(model / "new.jack").unlink()
for name in ("y.1.2.jackplane.tmp", "new.jack.77.0.jackplane.tmp"):  # which the next file of that name would remove
    for output in (folder / name, model / name):
        refused(1, "quantize", model, "-o", output, words=[name, "temporary"])
        refused(1, "cut", file, "--bits", "4", "-o", output, words=[name, "temporary"])

some = ["sensitivity", model, "--quantized", file, "--bits", "4", "--seqlen", "8", "--quiet", "--calibration", tokens]
maps = folder / "maps"
for name in ("model.layers.0.self_attn.q_proj.weight.npy", "model.layers.0.mlp.down_proj.weight.npy"):
    for path in (tokens, file, model / "model.safetensors", model / "README.md"):
        for link in (os.symlink, os.link):
            maps.mkdir()
            link(path.resolve(), maps / name)
            refused(1, *some, "--maps", maps, words=["read", name])
            shutil.rmtree(maps)
maps.mkdir()
os.mkfifo(maps / name)
refused(1, *some, "--maps", maps, words=["not a regular file"])
shutil.rmtree(maps)

# folders that a finished run removes: never one with anything else in it
def kept_tensors(**metadata):
    head = json.dumps({"__metadata__": metadata}).encode()
    return struct.pack("<Q", len(head)) + head


learn = ["quantize", model, "--method", "signround", *quick, "--quiet", "--widths", "2"]
for kept, command in ((folder / "k.jack.layers", [*learn, "-o", folder / "k.jack"]),
                      (folder / "model.jack.integral", some)):
    kept.mkdir()
    for name in ("own.txt", "scales.csv", "layer.notes.txt", "layer.7.jack.txt", "integral.safetensors", "layer.jack",
                 "training.safetensors.old", "layer.7.jack.1.2.tmp"):
        (kept / name).write_text("kept")
        refused(1, *command, words=[name, "--no-resume"])
        (kept / name).unlink()
    for name, data in (("layer.0.jack", b"somebody's own"), ("training.safetensors", b"somebody's own"),
                       ("integral.0.safetensors", kept_tensors(of="somebody"))):  # our names, not our files
        (kept / name).write_bytes(data)
        refused(1, *command, words=[name, "--no-resume"])
        expect(0, run(*command, "--no-resume"))
        if (kept / name).read_bytes() != data:
            fail(f"{kept / name} is not as it was")
        (kept / name).unlink()
    (kept / "layer.0.jack.1.2.jackplane.tmp").write_text("of a killed run")
    (kept / "layer.7.jack").write_bytes(kept_tensors(origin="of a killed run"))
    expect(0, run(*command))
    if kept.exists():
        fail(f"{kept} is left")
    os.symlink(model, kept)
    refused(1, *command, words=["it holds", "--no-resume"])
    kept.unlink()
shutil.copytree(model, folder / "l.jack.layers", symlinks=True)
refused(1, "quantize", folder / "l.jack.layers", "--method", "signround", *quick, "-o", folder / "l.jack",
        words=["l.jack.layers"])
shutil.rmtree(folder / "l.jack.layers")

# temporaries that a killed run left are removed: never a file that is read, or one of another name
for name, code in (("t.jack.1.1.jackplane.tmp", 1), ("t.jack.1.1.tmp", 0), ("t.jack.2026.1129.tmp", 0)):
    shutil.copyfile(file, folder / name)
    done = run("cut", folder / name, "--bits", 4, "-o", folder / "t.jack")
    if done.returncode != code or (folder / name).read_bytes() != file.read_bytes():
        fail(f"cut of {name}: exit {done.returncode}, {done.stderr!r}")
    (folder / name).unlink()
    (folder / "t.jack").unlink(missing_ok=True)

programs = pathlib.Path(tool).parent
if (programs / "jackplane_demo").exists():
    for path in (model / "config.json", text, file):
        for suffix in ("", ".beside", ".2bit"):
            output = folder / "demo"
            os.link(path, str(output) + suffix)
            before = contents()
            done = subprocess.run([programs / "jackplane_demo", model, text, text, file, output], capture_output=True)
            if done.returncode != 1 or b"read" not in done.stderr or contents() != before:
                fail(f"demo {path}{suffix}: {done}")
            os.unlink(str(output) + suffix)
if (programs / "jackplane_train").exists():
    data, out = folder / "data", folder / "out"
    (out / "model").mkdir(parents=True)
    shutil.copytree(model, data, symlinks=True)
    (data / "bible.txt").write_text("a text")
    for name in ("checkpoint", "loss.csv", "model/config.json", "model/model.safetensors", "model/tokenizer.model",
                 "model/tokenizer_config.json"):
        os.link(data / "bible.txt", out / name)
        before = contents()
        done = subprocess.run([programs / "jackplane_train", data, out], capture_output=True)
        if done.returncode != 1 or b"read" not in done.stderr or contents() != before:
            fail(f"train {name}: {done}")
        (out / name).unlink()

# ---- 2. found before the first weight is read: a model whose weights are no weights is never looked at
broken, nonsense = folder / "broken", folder / "nonsense.jack"
shutil.copytree(model, broken, symlinks=True)
(broken / "model.safetensors").write_text("no weights")
nonsense.write_text("no planes")
methods = [["--method", name, *short, *iterations(["--method", name], 2, 1)]
           for name in ("awq", "gptq", "matgptq", "nested-gptq", "signround", "omniquant", "qat")]
methods += [["--method", "rtn"], ["--method", "mse", "--group-size", "8"],
            ["--method", "efficientqat", "--widths", "2", *short, "--iters", "2"],
            ["--method", "squeezellm", "--bits", "4", "--calibration", tokens, "--seqlen", "8"],
            ["--outliers", "1", *short], ["--scale-iters", "2", *short]]
late = [["quantize", broken, *method, "-o"] for method in methods] + [["cut", nonsense, "--bits", "4", "-o"]]
os.mkfifo(folder / "pipe")
impossible = {folder / "none" / "x.jack": "none", text / "x.jack": "text.txt", folder / "pipe": "not a regular file",
              pathlib.Path("/dev/full"): "not a regular file", folder: "not a regular file",
              pathlib.Path("/dev/stdout"): "/dev/stdout: cannot replace: not a regular file", "": "'': cannot create"}
for command in late:
    for output, words in impossible.items():
        refused(1, *command, output, words=[words])
for output, words in {folder / "none" / "maps": "none", text / "maps": "text.txt", text: "text.txt"}.items():
    refused(1, "sensitivity", broken, "--quantized", nonsense, *some[4:], "--maps", output, words=[words])
closed = folder / "closed"
closed.mkdir(0o555)
for command in late:
    become_nobody = (lambda: os.setuid(65534)) if os.geteuid() == 0 else None  # whom permissions bind
    code, out, err = ended(child(*command, closed / "x.jack", preexec_fn=become_nobody))
    if code != 1 or len(err.splitlines()) != 1 or "x.jack: cannot create: Permission denied" not in err or out:
        fail(f"{command} to a closed folder: exit {code}, {err!r}")

# a device without room; and a limit on the size of files, which ends a process that does not expect it
small = folder / "small"
small.mkdir()
shutil.copy(file, folder / "large.jack")
if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", small], capture_output=True).returncode == 0:
    try:
        for command in late[:-1]:
            refused(1, *command, small / "x.jack", words=["x.jack", "No space left on device"])
        refused(1, "cut", file, "--bits", "8", "-o", small / "x.jack", words=["No space left on device"])
        # room for the output alone, not for the layers beside it, which a killed run goes on from
        subprocess.run(["mount", "-o", "remount,size=292k", small], check=True)
        refused(1, "quantize", deep, "-o", small / "x.jack", "--method", "signround", *quick,
                words=["x.jack.layers", "bytes are left", "--no-resume"])
    finally:
        subprocess.run(["umount", small], check=True)
else:
    print("skipped: a device without room: no right to mount one")


def limited(size):
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


# little memory: an error or a result, never a wait for ever
for size in range(160, 1200, 20):
    process = child("eval", "--model", file, "--tokens", tokens, "--bits", "4",
                    env={**os.environ, "OPENBLAS_NUM_THREADS": "2"},  # its own end, where it lacks memory for more
                    preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (size << 20, size << 20)))
    code, out, err = ended(process, 60)
    if code not in (0, 1) or (code == 1 and len(err.splitlines()) != 1):
        fail(f"eval with {size} MiB: exit {code}, {err!r}")

before = contents()
for command in [[*command, folder / "x.jack"] for command in late[:-1]] + [
        ["cut", file, "--bits", "8", "-o", folder / "x.jack"],
        ["sensitivity", broken, "--quantized", nonsense, *some[4:], "--maps", maps]]:
    code, out, err = ended(child(*command, preexec_fn=limited(6000)))
    if code != 1 or len(err.splitlines()) != 1 or "File too large" not in err or out or contents() != before:
        fail(f"{command} beyond the size of a file: exit {code}, {err}")
if maps.exists():
    fail("a refused sensitivity left the folder of its maps")

# a link to what is not there yet
os.symlink("elsewhere/made.jack", folder / "link")
expect(0, run("quantize", model, "-o", folder / "link", "--quiet"))
if (not (folder / "link").is_symlink() or
        (folder / "elsewhere" / "made.jack").read_bytes() != file.read_bytes()):
    fail("the target of a dangling link is not the output")

# ---- 3. reports that do not arrive
reports = [["--help"], ["quantize", model, "-o", folder / "r.jack", "--quiet"], ["inspect", file],
           ["cut", file, "--bits", "4", "-o", folder / "r.jack"],
           ["eval", "--model", file, "--text", text, "--bits", "4"],
           ["generate", "--model", file, "--tokens", "2"],
           [*some, "--no-resume"],  # runs side by side would keep checkpoints in one folder
           ["allocate", "--model", file, "--text", text, "--quiet", "--average", "4"],
           ["bench-decode", "--shape", "tiny", "--tokens", "1", "--bits", "4"]]
commands = [command[0] for command in reports[1:]]
reports += [[*command, "--json"] for command in reports[1:]] + [[command, "--help"] for command in commands]
for command in reports:
    ways = {"full": {"stdout": open("/dev/full", "wb")}, "closed": {"preexec_fn": lambda: os.close(1), "stdout": None}}
    reader, writer = os.pipe()
    os.close(reader)
    ways["gone"] = {"stdout": writer}
    running = {name: child(*command, **way) for name, way in ways.items()}
    for name, process in running.items():
        code, out, err = ended(process)
        said = err.splitlines()
        if code != 1 or not said or "standard output" not in said[-1] or (command[0] != "generate" and len(said) != 1):
            fail(f"{command} on a {name} stdout: exit {code}, {err!r}")
    os.close(writer)
# nothing is printed into a file that took the number of a closed stream
for closed in ((2,), (0, 1, 2)):
    code, _, _ = ended(child("quantize", model, "-o", folder / "r.jack", stdout=subprocess.DEVNULL,
                             stderr=subprocess.DEVNULL, preexec_fn=lambda: [os.close(number) for number in closed]))
    if (folder / "r.jack").read_bytes() != file.read_bytes() or code != (1 if 1 in closed else 0):
        fail(f"with the streams {closed} closed: exit {code}, or another file")

# ---- 4. pipes: a text is read to its end, whatever else is refused, and nothing waits without a word
pipes = folder / "pipes"
for name in ("config.json", "tokenizer.model", "model.safetensors", "model.safetensors.index.json"):
    shutil.rmtree(pipes, ignore_errors=True)
    shutil.copytree(sharded if "index" in name else model, pipes, symlinks=True)
    (pipes / name).unlink()
    os.mkfifo(pipes / name)
    for command in (["quantize", pipes, "-o", folder / "x.jack", "--method", "gptq", "--calibration", text],
                    ["eval", "--model", pipes, "--text", text]):
        code, out, err = ended(child(*command), 20)
        if code != 1 or len(err.splitlines()) != 1 or name not in err:
            fail(f"{command} with a pipe as {name}: exit {code}, {err!r}")
shutil.rmtree(pipes)
pipe, no_text = folder / "pipe", "nobody writes"
waiting = {}
for command, said in ((["eval", "--model", pipe, "--text", text], "not a regular file"),
                      (["eval", "--model", file, "--tokens", pipe], "not a regular file"),
                      (["inspect", pipe], "not a regular file"),
                      (["cut", pipe, "--bits", "4", "-o", folder / "x.jack"], "not a regular file"),
                      (["generate", "--model", pipe], "not a regular file"),
                      (["eval", "--model", file, "--text", pipe], no_text),
                      (["allocate", "--model", file, "--text", pipe, "--average", "4"], no_text),
                      ([*some[:-1], pipe], no_text),
                      (["quantize", model, "-o", folder / "x.jack", "--method", "gptq", "--calibration", pipe],
                       no_text),
                      (["quantize", model, "-o", folder / "y.jack", "--significant", "1", "--fit", *whole,
                        "--validation", pipe],
                       no_text),
                      (["eval", "--model", file, "--text", "/dev/zero"], "neither a file nor a pipe")):
    waiting[child(*command)] = said, command
for process, (said, command) in waiting.items():
    code, out, err = ended(process, 20)
    if code != 1 or len(err.splitlines()) != 1 or said not in err or out:
        fail(f"{command}: exit {code}, {err!r}")
for command in (["eval", "--model", file, "--bits", "4", "--json", "--text"],
                ["allocate", "--model", file, "--average", "4", "--json", "--text"], [*some[:-1]],
                ["quantize", model, "-o", folder / "r.jack", "--method", "awq", "--seqlen", "8", "--significant", "1",
                 "--detach-nsamples", "2", "--quiet", "--calibration"]):
    wanted = json.loads(expect(0, run(*command, text, "--json")).stdout)
    piped = subprocess.run(["bash", "-c", '"$@" <(sleep 0.2; cat "$0") --json', text, tool, *map(str, command)],
                           capture_output=True)
    found = json.loads(piped.stdout or "{}")
    for report in (wanted, found):
        for row in report.get("rows", []) + [report]:
            for key in ("seconds", "peak_bytes", "tokens_per_second"):
                row.pop(key, None)
    if piped.returncode != 0 or found != wanted:
        fail(f"{command} of a pipe: {piped}")
slow = child("eval", "--model", file, "--bits", "4", "--text", pipe)
with open(pipe, "w") as writer:
    time.sleep(2.5)
    writer.write(text.read_text())
code, out, err = ended(slow, 20)
if code != 0 or err != f"jackplane: waiting for {pipe}, a pipe\n":
    fail(f"a slow pipe: exit {code}, {err!r}")

# ---- 5. runs that are ended
last = folder / "last"
last.mkdir()
output = last / "x.jack"


def started():
    """A run that never ends, and has begun its output."""
    process = child(*endless, "-o", output, "--quiet",
                    preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CORE, (0, 0)))
    while not any(str(process.pid) in name for name in os.listdir(last)):
        time.sleep(0.01)
        if process.poll() is not None:
            fail(f"an endless run ended: {ended(process)}")
    return process


for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGXCPU, signal.SIGABRT):
    process = started()
    process.send_signal(number)
    if ended(process)[0] != -number or os.listdir(last):
        fail(f"{number}: exit {process.returncode}, left {os.listdir(last)}")
killed, alive = started(), started()
killed.kill()
ended(killed)
if len(os.listdir(last)) != 2:
    fail(f"a temporary that was in use is gone: {os.listdir(last)}")
expect(0, run("quantize", model, "-o", output, "--quiet"))
left = sorted(os.listdir(last))
if len(left) != 2 or str(alive.pid) not in left[1]:
    fail(f"after a killed run and the next one: {left}")
alive.terminate()
ended(alive)
if os.listdir(last) != ["x.jack"] or output.read_bytes() != file.read_bytes():
    fail(f"after the last run: {os.listdir(last)}")

# killed twice while it learns and started again: it goes on after the layers that it kept, to the same file
output, layers = last / "y.jack", last / "y.jack.layers"
learn = ["quantize", deep, "--method", "signround", *whole, "--nsamples", "4", "--widths", "2", "--iters", "80",
         "--quiet"]
expect(0, run(*learn, "-o", folder / "undisturbed.jack"))
kept = {}
for number in range(2):
    process = child(*learn, "-o", output)
    while not (layers / f"layer.{number}.jack").exists():
        time.sleep(0.005)
        if process.poll() is not None:
            fail(f"ended before layer {number} was kept: {ended(process)}")
    process.kill()
    if ended(process)[0] != -signal.SIGKILL or output.exists():
        fail(f"ended before it was killed, after layer {number}")
    found = {path.name: (path.stat().st_ino, path.stat().st_mtime_ns) for path in layers.glob("layer.?.jack")}
    if not kept.items() <= found.items():
        fail(f"a layer that was kept is learned again: {kept}, {found}")
    kept = found
expect(0, run(*learn, "-o", output))
if output.read_bytes() != (folder / "undisturbed.jack").read_bytes():
    fail("a run that was killed and taken up again makes another file")
if sorted(os.listdir(last)) != ["x.jack", "y.jack"]:
    fail(f"after a run that was killed and taken up again: {os.listdir(last)}")

# an output that is the report's, too, would take its name and lose it
shared = folder / "shared.jack"
for command in (["cut", file, "--bits", "4", "-o", shared], ["quantize", model, "-o", shared]):
    for stream in ("stdout", "stderr"):
        with open(shared, "wb") as to:
            code, _, err = ended(child(*command, **{stream: to}))
        said = err if stream == "stdout" else shared.read_text()
        if code != 1 or "name another output" not in said:
            fail(f"{command} with {stream} into its output: exit {code}, {said!r}")

# ---- 6. names that are no UTF-8, in every report
odd = folder / os.fsdecode(b"odd \xff name")
odd.mkdir()
shutil.copy(file, odd / "m.jack")
shutil.copytree(model, odd / "model", symlinks=True)
for command in (["quantize", odd / "model", "-o", odd / "n.jack", "--quiet"], ["inspect", odd / "m.jack"],
                ["cut", odd / "m.jack", "--bits", "4", "-o", odd / "n.jack"],
                ["eval", "--model", odd / "m.jack", "--text", text, "--bits", "4"],
                ["generate", "--model", odd / "m.jack", "--tokens", "2"],
                ["generate", "--model", file, "--tokens", "2", "--prompt", os.fsdecode(b"\xff and")],
                ["sensitivity", odd / "model", "--quantized", odd / "m.jack", *some[4:]],
                ["allocate", "--model", odd / "m.jack", "--text", text, "--quiet", "--average", "4"]):
    done = subprocess.run([tool, *map(os.fsencode, command), "--json"], capture_output=True)
    if done.returncode != 0 or not json.loads(done.stdout.decode()):
        fail(f"{command}: {done}")

# ---- 7. what cannot be done is said before anything is looked at
nowhere = ["quantize", folder / "nowhere", "-o", folder / "x.jack"]
for option, options in (("--validation", ["--significant", "1", "--fit", *whole]),
                        ("--validation", ["--significant", "1", "--significant-rule", "pursuit", *whole]),
                        ("--before", ["--significant", "1", "--fit", "--before", "--validation", text, *whole]),
                        ("--before", ["--significant", "1", "--significant-rule", "pursuit", "--before", "--validation",
                                      text, *whole]),
                        ("--detach-bits", ["--outliers", "1", "--bits", "4", "--detach-bits", "8", *whole]),
                        ("--significant", ["--outliers", "60", "--significant", "40", *whole]),
                        ("--widths", ["--method", "efficientqat", *whole]),
                        ("--widths", ["--method", "efficientqat", "--widths", "2,4", *whole]),
                        ("--widths", ["--method", "signround", "--widths", "2,2", *whole]),
                        ("--lambda", ["--method", "signround", "--widths", "2,4", "--lambda", "0,0", *whole]),
                        ("--teacher", ["--method", "signround", "--widths", "2,4", "--lambda", "1,1", "--teacher", "3",
                                       *whole]),
                        ("--teacher", ["--method", "signround", "--widths", "2,4", "--lambda", "1,1", "--teacher", "2",
                                       *whole]),
                        ("--inside", ["--method", "gptq", "--inside", file, *whole]),
                        ("--layer-wise", ["--method", "omniquant", "--layer-wise", *whole]),
                        ("--act-order", ["--method", "rtn", "--act-order"]),
                        ("--mse", ["--method", "awq", "--mse", *whole]),
                        ("--widths", ["--widths", "2"]),
                        ("--iters", ["--method", "nested-gptq", "--iters", "2", *whole]),
                        ("--finer-iters", ["--method", "qat", "--finer-iters", "2", *whole]),
                        ("--lambda", ["--method", "nested-gptq", "--widths", "4,2", "--lambda", "1,1", *whole]),
                        ("--preset", ["--method", "gptq", "--preset", "best", *whole]),
                        ("--lr", ["--method", "gptq", "--lr", "0.1", *whole]), ("--batch", ["--batch", "2"]),
                        ("--scale-lr", ["--method", "gptq", "--scale-lr", "0.1", *whole]),
                        ("--suppress-outliers", ["--method", "qat", "--suppress-outliers", *whole]),
                        ("--keep-best", ["--method", "nested-gptq", "--keep-best", *whole]),
                        ("--dense-inputs", ["--method", "gptq", "--dense-inputs", *whole]),
                        ("--no-clipping", ["--method", "omniquant", "--no-clipping", *whole]),
                        ("--own-range", ["--method", "qat", "--own-range", *whole]),
                        ("--group-size", ["--method", "squeezellm", "--bits", "4", "--dense-head", *whole]),
                        ("--outlier-rule", ["--outlier-rule", "even"]), ("--rule", ["--rule", "simpson"]),
                        ("--detach-bits", ["--detach-bits", "2"]), ("--method", ["--method", "0"]),
                        ("--calibration", ["--method", "gptq"]),
                        ("--seed", ["--method", "rtn", "--seed", "1"]), ("--seqlen", ["--seqlen", "8"]),
                        ("--nsamples", ["--method", "mse", "--nsamples", "4"]),
                        ("--bits", ["--method", "signround", "--bits", "4", *whole]),
                        ("--balance", ["--outliers", "1", "--balance", *whole])):
    refused(2, *nowhere, *options, words=[option])
refused(2, "allocate", "--model", nonsense, "--text", text, "--average", "1", words=["--average", "1", "2"])
refused(2, "allocate", "--model", nonsense, "--text", text, "--average", "3", "--widths", "4,8", words=["3", "4"])
refused(2, "eval", "--model", nonsense, "--text", text, "--bits", "9", words=["--bits", "9"])
for bits in ("fp32", "4,fp32"):
    refused(2, "eval", "--model", nonsense, "--text", text, "--bits", bits, words=["fp32", "--reference"])
refused(2, "eval", "--model", nonsense, "--text", text, "--bits", "fp32", "--reference", model, "--activation", "exact",
        words=["--activation", "fp32"])
for option, options in (("--fisher-tokens", ["--no-taylor", "--fisher-tokens", "8"]),
                        ("--each-sample", ["--each-sample"]), ("--path", ["--path", "0"]),
                        ("--path", ["--path", "1e-60"]), ("--path", ["--path", "0x1p-1"]),
                        ("--path", ["--path", "00.5"])):
    refused(2, "sensitivity", broken, "--quantized", nonsense, *some[4:], *options, words=[option])
refused(1, "sensitivity", broken, "--quantized", nonsense, *some[4:], "--maps", "", words=["'': cannot create"])
# with the sizes of the model, but none of its weights: exit 1
for words, options in ((["outliers", "not all"], ["--outliers", "0.0001"]),
                       (["significant"], ["--significant", "0.0001"]),
                       (["even", "3"], ["--significant", "1", "--rule", "simpson", "--intervals", "3"]),
                       (["adaptive"], ["--significant", "1", "--rule", "adaptive", "--each-sample"]),
                       (["qat"], ["--outliers", "1", "--method", "qat"]),
                       (["round_clamp"], ["--outliers", "1", "--method", "signround", "--slice", "round_clamp"])):
    refused(1, "quantize", broken, "-o", folder / "x.jack", *short, *options, words=words)
refused(1, "sensitivity", broken, "--quantized", nonsense, *some[4:], "--rule", "simpson", "--intervals", "3",
        words=["even", "3"])
refused(1, "generate", "--model", file, "--prompt", "in those days " * 20, words=["prompt", "16"])
for command in (["generate", "--model", file, "--tokens", "1"], ["bench-decode", "--shape", "tiny", "--tokens", "1",
                                                                "--bits", "4"]):
    said = expect(0, run(*command, "--threads", "1000")).stderr
    if "1000 threads" not in said or "threads on" in expect(0, run(*command, "--threads", "2")).stderr:
        fail(f"{command} with 1000 threads said {said!r}")
print("outputs: ok")
