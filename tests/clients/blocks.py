# SPDX-License-Identifier: BSD-3-Clause
"""blocks.py BLOCKS NPM [COUNT]: BLOCKS (blocks.cpp) beside the libggml-base that npm brings into NPM, on COUNT random
blocks of each type."""
import pathlib
import subprocess
import sys

import llama_npm

bins = llama_npm.libraries(pathlib.Path(sys.argv[2]))
sys.exit(subprocess.run([sys.argv[1], bins / "libggml-base.so", *(sys.argv[3:] or ["50000"])]).returncode)
