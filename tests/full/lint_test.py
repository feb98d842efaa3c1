"""clang-tidy finds nothing."""
import unittest

from lib.instance import ROOT, run


class Lint(unittest.TestCase):
    def test_every_file_is_clean(self):
        done = run([str(ROOT / "tools/lint")], check=False, timeout=7200)
        self.assertEqual(done.returncode, 0, done.stdout[-5000:] + done.stderr[-1000:])


if __name__ == "__main__":
    unittest.main()
