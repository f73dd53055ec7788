# SPDX-License-Identifier: BSD-3-Clause
"""ended.py JACKPLANE FOLDER: pipes never hang; nothing is left behind by a run that is ended, and one that was killed
goes on; names that are no UTF-8; what cannot be done is said before anything is looked at.
"""
import json
import os
import resource
import shutil
import signal
import subprocess
import time

import numpy as np

from harness import child, ended, expect, expect_taken_up, fail, folder, make_folder, refused, run, tool

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
endless = ["quantize", model, "--method", "signround", *whole, "--iters", "1000000", "--no-resume"]
expect(0, run("quantize", model, "-o", file, "--quiet"))
some = ["sensitivity", model, "--quantized", file, "--bits", "4", "--seqlen", "8", "--quiet", "--calibration", tokens]
broken, nonsense = folder / "broken", folder / "nonsense.jack"
shutil.copytree(model, broken, symlinks=True)
(broken / "model.safetensors").write_text("no weights")
nonsense.write_text("no planes")
os.mkfifo(folder / "pipe")

# ---- 1. pipes: a text is read to its end, whatever else is refused, and nothing waits without a word
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
                      (["cut", pipe, "--bits", "4", "-o", folder / "c.jack"], "not a regular file"),
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

# ---- 2. runs that are ended
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
killed = started()
killed.kill()
ended(killed)
alive = started()
left = os.listdir(last)
if len(left) != 1 or str(alive.pid) not in left[0]:
    fail(f"after a killed run and the next one: {left}")
expect(1, run("quantize", model, "-o", output, "--quiet"), "x.jack", "another run", str(alive.pid))
if os.listdir(last) != left:
    fail(f"a temporary that was in use is gone: {os.listdir(last)}")
alive.terminate()
ended(alive)
expect(0, run("quantize", model, "-o", output, "--quiet"))
if os.listdir(last) != ["x.jack"] or output.read_bytes() != file.read_bytes():
    fail(f"after the last run: {os.listdir(last)}")

# killed while it learns
learn = ["quantize", deep, "--method", "signround", *whole, "--nsamples", "4", "--widths", "2", "--iters", "80",
         "--quiet"]
expect(0, run(*learn, "-o", folder / "undisturbed.jack"))
expect_taken_up(".jack", folder / "undisturbed.jack", last / "y.jack", *learn)

# an output that is the report's, too, would take its name and lose it
shared = folder / "shared.jack"
for command in (["cut", file, "--bits", "4", "-o", shared], ["quantize", model, "-o", shared]):
    for stream in ("stdout", "stderr"):
        with open(shared, "wb") as to:
            code, _, err = ended(child(*command, **{stream: to}))
        said = err if stream == "stdout" else shared.read_text()
        if code != 1 or "name another output" not in said:
            fail(f"{command} with {stream} into its output: exit {code}, {said!r}")

# ---- 3. names that are no UTF-8, in every report
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

# ---- 4. what cannot be done is said before anything is looked at
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
print("ended: ok")
