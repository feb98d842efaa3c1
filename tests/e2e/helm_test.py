"""Helm 3.17 and Helm 4 on the same chart: install, upgrade, rollback, uninstall."""
import unittest
from pathlib import Path

from lib.instance import run_id, shared, wait_for

CHART = str(Path(__file__).parent / "charts/demo")
HOOKS = str(Path(__file__).parent / "charts/hooks")


class Helm:
    version = ""

    def test_the_life_of_a_release(self):
        atoll, name = shared(), run_id()
        host = f"{name}.localhost"

        def helm(*arguments):
            return atoll.helm(*arguments, "-n", name, version=self.version, timeout=180)

        helm("install", name, CHART, "--create-namespace", "--wait", "--timeout", "120s", "--set", f"host={host}")
        self.addCleanup(atoll.kubectl, "delete", "namespace", name, "--timeout=60s", check=False)
        wait_for("the first greeting", lambda: "Hello from Helm: visit" in atoll.curl(host).stdout, seconds=30)
        helm("upgrade", name, CHART, "--wait", "--timeout", "120s", "--set", f"host={host}", "--set", "greeting=Second")
        wait_for("the second greeting", lambda: "Second: visit" in atoll.curl(host).stdout, seconds=30)
        helm("rollback", name, "1", "--wait", "--timeout", "120s")
        wait_for("the first greeting again", lambda: "Hello from Helm: visit" in atoll.curl(host).stdout, seconds=30)
        self.assertIn("deployed", helm("list").stdout)
        helm("uninstall", name, "--wait", "--timeout", "120s")
        wait_for("no pods", lambda: atoll.kubectl("get", "pods", "-n", name, "-o", "name").stdout == "", seconds=60)


    def test_hooks_tests_and_a_roll_back_on_failure(self):
        atoll, name = shared(), run_id()

        def helm(*arguments, **options):
            return atoll.helm(*arguments, "-n", name, version=self.version, timeout=180, **options)

        def upgrade(*arguments, **options):
            return helm("upgrade", "--install", name, HOOKS, "--create-namespace", "--wait", *arguments, **options)

        self.addCleanup(atoll.kubectl, "delete", "namespace", name, "--timeout=60s", check=False)
        upgrade("--wait-for-jobs", "--timeout", "60s")
        self.assertIn("Hello", helm("test", name, "--logs").stdout)
        failed = upgrade("--set", "migrate=false", "--timeout", "60s", check=False)
        self.assertIn("pre-upgrade hooks failed", failed.stderr)
        undo = "--atomic" if self.version == "3" else "--rollback-on-failure"
        failed = upgrade("--set", "image=registry.invalid/none:1", undo, "--timeout", "20s", check=False)
        self.assertIn("has been rolled back", failed.stderr)
        self.assertRegex(helm("history", name).stdout, r"deployed\s+.*Rollback to 1")
        helm("uninstall", name, "--wait", "--timeout", "60s")


class Helm3(Helm, unittest.TestCase):
    version = "3"


class Helm4(Helm, unittest.TestCase):
    version = "4"


if __name__ == "__main__":
    unittest.main()
