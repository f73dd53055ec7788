# SPDX-License-Identifier: BSD-3-Clause
"""Commands, and the minutes that they take."""
import json
import os
import pathlib
import platform
import resource
import subprocess
import time

from plan import ROOT


def cpu_seconds():
    """Of the commands that have ended: what other work on the machine changes less than it does the clock."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def cpu_family():
    """Of this machine's processor: minutes of two families differ by a factor of two."""
    lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
    return next((int(line.split(":")[1]) for line in lines if line.startswith("cpu family")), 0)


# OpenBLAS sums in another order on other machines, and learning makes another model of each order. Its AVX2 kernels run
# on all that made these cells, to the same bits.
BLAS = "Haswell" if platform.machine() == "x86_64" else None


def made_on():
    return {"cpu_family": cpu_family(), "blas": BLAS}


def timed(*command):
    """The JSON that a command prints, and its minutes: of the clock and of the CPU."""
    begin, busy = time.monotonic(), cpu_seconds()
    environment = {**os.environ, **({"OPENBLAS_CORETYPE": BLAS} if BLAS else {})}
    printed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, env=environment).stdout
    minutes, cpu_minutes = (time.monotonic() - begin) / 60, (cpu_seconds() - busy) / 60
    return json.loads(printed), {"minutes": round(minutes, 2), "cpu_minutes": round(cpu_minutes, 2)}
