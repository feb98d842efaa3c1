"""Kubernetes' own client for JavaScript, unmodified: what programs do that live on a cluster's API. See javascript/."""
import unittest
from pathlib import Path

from lib import clients
from lib.instance import InNamespace, run
from lib.toolchains import environment_with_node

SCRIPTS = Path(__file__).with_name("javascript")
NODE_LEAST = (22, 19)  # of the client's HTTP library


class JavaScript(InNamespace):
    """Each script is a run of Node's own test runner; what it says stands in the failure."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.folder = clients.javascript(SCRIPTS)
        cls.environment = environment_with_node(NODE_LEAST)

    def passes(self, script):
        environment = dict(self.environment, KUBECONFIG=self.atoll.kubeconfig, NAMESPACE=self.ns)
        done = run(["node", "--test", "--test-force-exit", "--test-reporter=spec", script], cwd=self.folder, env=environment, check=False, timeout=90)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertRegex(done.stdout, r"pass [1-9]")

    def test_objects(self):
        self.passes("objects.mjs")

    def test_watches(self):
        self.passes("watch.mjs")

    def test_pods(self):
        self.passes("pods.mjs")


if __name__ == "__main__":
    unittest.main()
