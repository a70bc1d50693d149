# SPDX-License-Identifier: Apache-2.0
"""What the builds leave: libraries and command line (POMONA_BUILD names another build), and the jar (POMONA_JAR)."""

import os
import platform
import re
import subprocess
import sys
from pathlib import Path
from typing import Iterable, Optional

import numpy as np
import pytest

TOP = Path(__file__).resolve().parents[2]
PYTHON_SOURCES = TOP / "spark-jobs/python"
TINY = TOP / "models/tiny_test_net.safetensors"
CLASSIFIER = TOP / "models/tiny_test_classifier.safetensors"  # of support.tiny_net.CLASSES


def built(path: str) -> Path:
    """A file of the native build."""
    found = Path(os.environ.get("POMONA_BUILD", TOP / "build/release")) / path
    if not found.exists():
        pytest.skip(f"{found} is not built: cmake --preset release && cmake --build --preset release")
    return found


def jar_path() -> Path:
    """The jar for Spark."""
    version = re.search(r'POMONA_VERSION "(.*)"', (TOP / "native/include/pomona.h").read_text()).group(1)
    found = Path(os.environ.get("POMONA_JAR", TOP / f"spark-jobs/jvm/target/pomona-spark-{version}.jar"))
    if not found.exists():
        pytest.skip(f"{found} is not built: mvn -Drevision={version} package")
    return found


def run_cli(*words, level: Optional[str] = None, stdout=subprocess.PIPE) -> subprocess.CompletedProcess:
    """`pomona WORDS...` with its outputs as text; `level` replaces POMONA_CPU ("": the best)."""
    environment = {**os.environ, "POMONA_CPU": os.environ.get("POMONA_CPU", "") if level is None else level}
    command = [str(word) for word in (built("bin/pomona"), *words)]
    return subprocess.run(command, stdout=stdout, stderr=subprocess.PIPE, text=True, env=environment)


# Started in between because a new process begins with the peak of the one that started it, and pytest's is large.
_PEAK = (
    "import os, sys; pid = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ)\n"
    "_, status, usage = os.wait4(pid, 0); print(usage.ru_maxrss); sys.exit(os.waitstatus_to_exitcode(status))"
)


def peak_memory_of_cli(*words) -> float:
    """Most MiB that `pomona WORDS...` had in RAM, its files mapped into memory included. It must end well."""
    command = [str(word) for word in (sys.executable, "-ISc", _PEAK, built("bin/pomona"), *words)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return int(done.stdout.split()[-1]) / 1024


# "best" is the last one and what the CPU adds to it: VNNI, inner products.
LEVELS = ["scalar", "neon"] if platform.machine() == "aarch64" else ["scalar", "avx2", "avx512", "best"]


def level_in_use(wanted: str) -> str:
    """What the command line makes of POMONA_CPU; "" asks for the best."""
    return re.search(r"^kernels +(\w+)", run_cli("doctor", level=wanted).stdout, re.MULTILINE).group(1)


def skip_without_bf16() -> None:
    """Where the best level of this CPU has no bf16."""
    tried = run_cli("bench", "--model", TINY, "--precision", "bf16", "--seconds", "0", level="")
    if "AVX512_BF16" in tried.stderr:
        pytest.skip(tried.stderr)


def features_by_cli(
    model: Path, images: Iterable[Path], out: Path, *options: str, level: Optional[str] = None
) -> np.ndarray:
    """The vectors that the command line writes, one row an image in the order given; NaN for a bad one."""
    done = run_cli("features", "--model", model, *options, "--out", out, *images, level=level)
    assert done.returncode in (0, 1), done.stderr
    return np.load(out)
