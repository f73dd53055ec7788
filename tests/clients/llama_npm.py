# SPDX-License-Identifier: BSD-3-Clause
"""llama.cpp's libraries, built, as npm brings them; where it does not, the test is skipped: exit code 77."""
import subprocess
import sys

PACKAGE, VERSION = "@node-llama-cpp/linux-x64", "3.22.1"


def libraries(prefix):
    """The folder of the libraries, installed unless there."""
    bins = prefix / "node_modules" / PACKAGE / "bins" / "linux-x64"
    if not (bins / "libllama.v0.5.0.so").exists():
        try:
            subprocess.run(["npm", "install", "--prefix", prefix, "--no-audit", "--no-fund", "--ignore-scripts",
                            "--fetch-retries", "1", f"{PACKAGE}@{VERSION}"],
                           check=True, capture_output=True, timeout=300)
        except (OSError, subprocess.SubprocessError) as error:
            print(f"skipped: npm brings no {PACKAGE}: {error}")
            sys.exit(77)
    return bins
