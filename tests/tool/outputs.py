# SPDX-License-Identifier: BSD-3-Clause
"""outputs.py JACKPLANE FOLDER: no command writes over what it reads; what cannot be written is found before any work;
a report that does not arrive is an error.
"""
import json
import os
import pathlib
import resource
import shutil
import struct
import subprocess
import time

import numpy as np

from harness import child, contents, ended, expect, fail, folder, iterations, make_folder, refused, run, tool

shutil.rmtree(folder)
folder.mkdir()
model, sharded, text, tokens = folder / "model", folder / "sharded", folder / "text.txt", folder / "tokens.npy"
deep = folder / "deep"
make_folder(model)
make_folder(sharded, shards=True)
make_folder(deep, layers=3)
text.write_text("And it came to pass in those days. " * 20)
np.save(tokens, np.arange(64, dtype="<u2"))
file, whole = folder / "model.jack", ["--calibration", tokens, "--seqlen", "8", "--group-size", "8"]
short = [*whole, "--nsamples", "4"]
quick = [*short, "--iters", "2", "--finer-iters", "1"]
expect(0, run("quantize", model, "-o", file, "--quiet"))


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
        refused(1, *command, words=[name, "is damaged, or not written by this tool", "--no-resume"])
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

# two runs at a time to one output: the second ends before any work, the first is not disturbed
busy = folder / "busy.jack"
first = child("quantize", deep, "-o", busy, "--method", "signround", "--calibration", tokens, "--seqlen", "8",
              "--group-size", "8", "--iters", "100000", "--quiet")
while first.poll() is None and not list(folder.glob("busy.jack.*.jackplane.tmp")):
    time.sleep(0.002)
os.symlink("busy.jack", folder / "busy.link")
for name in (busy, folder / "busy.link"):
    for command in (["quantize", broken, "-o", name], ["cut", file, "--bits", "4", "-o", name],
                    ["imatrix", broken, "--calibration", tokens, "-o", name]):
        expect(1, run(*command), "busy.jack", "another run")
if first.poll() is not None:
    fail(f"the first of two runs to one output: {ended(first)}")
first.kill()
ended(first)
expect(0, run("cut", file, "--bits", "4", "-o", busy))  # its lock went with it
if len(list(folder.glob("busy.jack.*.jackplane.tmp"))) != 0:
    fail("a temporary of the killed run is left")

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
           [*some],
           ["allocate", "--model", file, "--text", text, "--quiet", "--average", "4"],
           ["bench-decode", "--shape", "tiny", "--tokens", "1", "--bits", "4"]]
commands = [command[0] for command in reports[1:]]
reports += [[*command, "--json"] for command in reports[1:]] + [[command, "--help"] for command in commands]
for command in reports:
    ways = {"full": {"stdout": open("/dev/full", "wb")}, "closed": {"preexec_fn": lambda: os.close(1), "stdout": None}}
    reader, writer = os.pipe()
    os.close(reader)
    ways["gone"] = {"stdout": writer}
    for name, way in ways.items():
        code, out, err = ended(child(*command, **way))
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
print("outputs: ok")
