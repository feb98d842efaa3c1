"""A bare Debian 12 with nothing but the project on it: what ./up and ./test install is all that is needed."""
import os
import re
import tempfile
import unittest
from pathlib import Path

from lib.instance import ROOT, run, wait_for
from lib.machine import Machine

BUILD_SECONDS = 1800
TEST_SECONDS = 3000
SYSTEMD = "/lib/systemd/systemd"


def compiler_cache():
    """The cache of this machine is shared, so that the test is of what is missing, not of how long compilers take."""
    try:
        return run(["ccache", "--get-config", "cache_dir"]).stdout.strip()
    except OSError:
        return None


class Bare(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        work = tempfile.mkdtemp(prefix="atoll-bare-", dir=os.environ.get("ATOLL_TEST_FOLDER"))
        cls.machine = Machine.bare(Path(work) / "machine")
        cls.addClassCleanup(os.rmdir, work)
        cls.addClassCleanup(cls.machine.remove)
        # A clean clone, at the path that it has here: the compiler cache knows files by their paths.
        clone = Path(f"{cls.machine.root}{ROOT}")
        run(["git", "clone", "--quiet", "--no-hardlinks", str(ROOT), str(clone)], timeout=300)
        cache = compiler_cache()
        if cache and Path(cache).is_dir():
            cls.machine.binds.append(f"{cache}=/root/.cache/ccache")
        cls.machine.boot(network="host")

    def up(self, *arguments, check=True, timeout=300):
        return self.machine.run(f"{ROOT}/up", *arguments, timeout=timeout, check=check)

    def test_from_nothing_to_a_url(self):
        built = self.up("--build", "--sample", timeout=BUILD_SECONDS)
        print("    " + built.stdout.replace("\n", "\n    ").rstrip(), flush=True)
        self.assertRegex(built.stdout, r"installing \d+ packages")
        # From here on there is no other machine: what was needed is here.
        self.machine.shutdown()
        self.machine.boot()
        started = self.up("--sample")
        last = dict(line.split(": ", 1) for line in started.stdout.splitlines() if re.match(r"(api|kubeconfig|gateway|sample): ", line))
        self.assertEqual(last, {"api": "https://127.0.0.1:6443", "kubeconfig": "/etc/atoll/admin.kubeconfig",
                                "gateway": "http://localhost", "sample": "http://hello.localhost"})
        page = self.machine.run("curl", "-sS", "--max-time", "10", last["sample"]).stdout
        self.assertIn("Hello from Atoll", page)  # by its name: libnss-myhostname knows it
        self.assertIn("redis", self.machine.run("atoll", "get", "pods", "-A").stdout)
        self.machine.run("atoll", "doctor")
        self.assertIn("removed", self.up("--reset", "--yes").stdout)
        self.check_tests()

    def check_tests(self):
        """./test brings what it needs as well. --fast: the whole instance was tried above."""
        self.machine.shutdown()
        self.machine.boot(network="host")
        done = self.machine.shell(f"cd {ROOT} && . tools/lib.sh && install_packages run build test sample npm && ./test --fast",
                                  env={"ATOLL_ROOT": str(ROOT)}, timeout=TEST_SECONDS, check=False)
        closing = done.stdout.splitlines()[-1:]
        self.assertEqual(done.returncode, 0, done.stdout[-6000:] + done.stderr[-3000:])
        self.assertRegex(closing[0], r"^[1-9]\d* passed, 0 failed$")
        self.machine.run("npm", "--version")
        # What the tests run themselves does not start with the machine.
        enabled = self.machine.shell("ls /etc/systemd/system/*.wants /etc/rc2.d").stdout.split()
        for service in ("nginx", "redis-server", "docker-registry", "haproxy"):
            self.assertFalse({f"{service}.service", f"S01{service}"} & set(enabled), enabled)

    def test_where_systemd_runs_atoll_comes_back_with_the_machine(self):
        self.machine.shutdown()
        self.machine.boot(network="host")
        self.up("--build", "--sample", timeout=BUILD_SECONDS)
        self.machine.prepare_systemd()
        self.machine.shutdown()
        self.machine.boot(init=SYSTEMD)
        self.up("--sample")
        self.assertEqual(self.unit("is-active"), "active")
        self.assertEqual(self.unit("is-enabled"), "enabled")
        self.machine.shutdown()
        self.machine.boot(init=SYSTEMD)
        try:
            wait_for("the sample, with nobody's help", self.answers, seconds=60)
        except AssertionError as missing:
            raise AssertionError(f"{missing}\n{self.what_the_machine_says()}") from missing
        before = self.machine.run("atoll", "get", "pods", "-n", "sample").stdout
        self.machine.shell("kill -9 $(pgrep -x atoll-supervise)")
        wait_for("another supervisor", lambda: self.unit("is-active") == "active" and self.up("--status").returncode == 0, seconds=20)
        self.assertTrue(self.answers())
        self.assertEqual([l.split()[:4] for l in self.machine.run("atoll", "get", "pods", "-n", "sample").stdout.splitlines()],
                         [l.split()[:4] for l in before.splitlines()])  # no restart
        self.up("--stop")
        self.assertEqual(self.unit("is-active"), "inactive")
        self.up()
        self.machine.run("atoll", "doctor")
        self.up("--reset", "--yes")
        self.assertEqual(self.machine.run("test", "-e", "/etc/systemd/system/atoll.service", check=False).returncode, 1)
        self.assertEqual(self.machine.run("systemctl", "--failed", "--no-legend").stdout, "")

    def unit(self, what):
        return self.machine.run("systemctl", what, "atoll.service", check=False).stdout.strip()

    def what_the_machine_says(self):
        commands = ("systemctl status atoll.service --no-pager", "atoll doctor", "atoll get pods -A", "grep cgroup /proc/self/mountinfo",
                    "tail -n 15 /var/lib/atoll/log/*.log")
        return "\n".join(f"$ {c}\n{self.machine.shell(c + ' 2>&1', check=False).stdout}" for c in commands)

    def answers(self):
        return "Hello from Atoll" in self.machine.run("curl", "-sS", "--max-time", "5", "http://hello.localhost").stdout

    def test_packages_that_cannot_be_fetched_are_one_sentence(self):
        self.machine.shutdown()
        self.machine.boot()  # no network
        self.machine.run("rm", "-rf", "/var/lib/apt/lists", "/var/cache/apt")
        self.machine.shell("dpkg --force-depends --remove curl >/dev/null 2>&1; true")
        failed = self.up("--build", check=False)
        self.assertEqual(failed.returncode, 1)
        self.assertRegex(failed.stderr, r"error: apt-get could not install the packages .*Check the network and the sources in /etc/apt")
        self.assertFalse(Path(f"{self.machine.root}/usr/sbin/policy-rc.d").exists())


if __name__ == "__main__":
    unittest.main()
