"""Beside the library of Kubernetes itself: the same histories, the same outcomes (tests/peers)."""
import unittest

from lib.instance import ROOT, run
from lib.toolchains import environment_with_go

HISTORIES = 20_000


class Peers(unittest.TestCase):
    def test_server_side_apply(self):
        done = run([str(ROOT / "tests/peers/apply/run"), str(ROOT / "build/ci"), str(HISTORIES)], timeout=3600, check=False,
                   env=environment_with_go())
        if done.returncode == 77:
            self.skipTest(done.stdout.strip())
        self.assertEqual(done.returncode, 0, done.stdout[-5000:] + done.stderr[-2000:])


if __name__ == "__main__":
    unittest.main()
