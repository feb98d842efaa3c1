"""One whole instance of Atoll for the tests, started by ./up in a folder of its own."""
import atexit
import os
import secrets
import shutil
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

from lib import clients

ROOT = Path(__file__).resolve().parents[2]


def run_id():
    """Names everything a test makes, so that tests never meet each other or what a person made."""
    return "t" + secrets.token_hex(3)


def wait_for(what, condition, seconds=60, every=0.1):
    """Waits for a condition with a deadline; gives its value. Exceptions of the condition mean: not yet."""
    end, last = time.monotonic() + seconds, None
    while True:
        try:
            value = condition()
            if value:
                return value
            last = value
        except (AssertionError, OSError, subprocess.SubprocessError, KeyError, IndexError, ValueError) as error:
            last = error
        if time.monotonic() > end:
            raise AssertionError(f"no {what} within {seconds} s; last: {last}")
        time.sleep(every)


class Failed(AssertionError):
    """A command that was to succeed did not."""


def run(command, timeout=120, check=True, **options):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=timeout, **options)
    if check and done.returncode != 0:
        raise Failed(f"{' '.join(map(str, command))}\nexit code {done.returncode}\n{done.stdout}{done.stderr}")
    return done


class Instance:
    def __init__(self, home=None):
        self.home = Path(home or tempfile.mkdtemp(prefix="atoll-test-"))
        self.home.chmod(0o755)  # the server's user must get in
        self.settings = {}

    def up(self, *arguments, timeout=900, check=True):
        done = run([str(ROOT / "up"), "--home", str(self.home), *arguments], timeout=timeout, check=check, stdin=subprocess.DEVNULL)
        conf = self.home / "etc/atoll.conf"
        if conf.exists():
            self.settings = dict(line.split("=", 1) for line in conf.read_text().splitlines() if "=" in line and not line.startswith("#"))
        return done

    @property
    def kubeconfig(self):
        return str(self.home / "etc/admin.kubeconfig")

    @property
    def environment(self):
        return dict(os.environ, KUBECONFIG=self.kubeconfig, HOME=str(self.home), KUBECACHEDIR=str(self.home / "kubecache"))

    def kubectl(self, *arguments, version="1.35", **options):
        return run([clients.tool(f"kubectl-{version}"), *arguments], env=self.environment, **options)

    def helm(self, *arguments, version="4", **options):
        return run([clients.tool(f"helm-{version}"), *arguments], env=self.environment, **options)

    def atoll(self, *arguments, **options):
        return run([str(self.home / "lib/atoll"), "--home", str(self.home), *arguments], **options)

    def curl(self, host, path="/", https=False, *arguments, **options):
        port = self.settings["HTTPS_PORT" if https else "HTTP_PORT"]
        scheme = "https" if https else "http"
        return run(["curl", "-sS", "--max-time", "10", "--resolve", f"{host}:{port}:127.0.0.1", *arguments, f"{scheme}://{host}:{port}{path}"], **options)

    def pid(self, program):
        return int((self.home / f"run/{program}.pid").read_text().split()[0])

    def log(self, program, lines=40):
        text = (self.home / f"data/log/{program}.log").read_text(errors="replace")
        return "\n".join(text.splitlines()[-lines:])

    def reset(self):
        run([str(ROOT / "up"), "--home", str(self.home), "--reset", "--yes"], timeout=180, check=False, stdin=subprocess.DEVNULL)
        shutil.rmtree(self.home, ignore_errors=True)


_shared = None


def shared():
    """The instance that most tests use: started by the first, removed at the end. With the sample's images loaded."""
    global _shared
    if _shared is None:
        _shared = Instance()
        atexit.register(_shared.reset)
        _shared.up("--sample")
    return _shared


class InNamespace(unittest.TestCase):
    """Tests on the shared instance, in a namespace of their own that goes with them."""

    @classmethod
    def setUpClass(cls):
        cls.atoll = shared()
        cls.ns = run_id()
        cls.atoll.kubectl("create", "namespace", cls.ns)

    @classmethod
    def tearDownClass(cls):
        cls.atoll.kubectl("delete", "namespace", cls.ns, "--timeout=120s")

    def k(self, *arguments, **options):
        return self.atoll.kubectl("-n", self.ns, *arguments, **options)
