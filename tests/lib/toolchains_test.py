#!/usr/bin/env python3
"""Which Go and Node the tests take: the machine's, unless it is missing or too old."""
import os
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from lib import toolchains  # noqa: E402

NODES = [
    ("none at all", None, (20, 19), False),
    ("Debian 12's", "v18.20.4", (20, 19), False),
    ("a minor version too old", "v20.18.9", (20, 19), False),
    ("just new enough", "v20.19.0", (20, 19), True),
    ("numbers, not texts, are compared", "v20.9.0", (20, 19), False),
    ("a newer one", "v26.1.0", (20, 19), True),
    ("new enough for Atoll, too old for a client", "v20.20.2", (22, 19), False),
    ("a broken one", "Segmentation fault", (20, 19), False),
]
GOES = [
    ("none at all", None, False),
    ("Debian 12's", "go version go1.19.8 linux/amd64", False),
    ("just new enough", "go version go1.24 linux/amd64", True),
]


class Toolchains(unittest.TestCase):
    def setUp(self):
        work = tempfile.TemporaryDirectory()
        self.addCleanup(work.cleanup)
        self.folder = Path(work.name)
        self.fetched = 0
        self.enterContext(mock.patch.object(toolchains, "FOLDER", self.folder / "toolchains"))
        self.enterContext(mock.patch.object(toolchains, "fetch_node", lambda target: self.fetch(target / "bin/node")))
        self.enterContext(mock.patch.object(toolchains, "fetch_go", lambda target: self.fetch(target / "bin/go")))

    def fetch(self, program):
        self.fetched += 1
        program.parent.mkdir(parents=True)
        program.touch()

    def machine_has(self, name, program, says):
        """A search path on which `program` says its version, or is not."""
        folder = self.folder / name.replace(" ", "-")
        folder.mkdir()
        if says:
            (folder / program).write_text(f"#!/bin/sh\necho '{says}'\n")
            (folder / program).chmod(0o755)
        return mock.patch.dict(os.environ, PATH=str(folder))

    def test_node(self):
        for name, says, least, own in NODES:
            with self.subTest(name), self.machine_has(name, "node", says):
                taken = toolchains.node(least)
                self.assertEqual(Path(taken).is_relative_to(toolchains.FOLDER), not own, taken)
                self.assertEqual(toolchains.environment_with_node(least)["PATH"], f"{Path(taken).parent}:{os.environ['PATH']}")
        self.assertEqual(self.fetched, 1, "fetched once, then found")

    def test_go(self):
        for name, says, own in GOES:
            with self.subTest(name), self.machine_has(name, "go", says):
                self.assertEqual(Path(toolchains.go()).is_relative_to(toolchains.FOLDER), not own)
        self.assertEqual(self.fetched, 1, "fetched once, then found")


if __name__ == "__main__":
    unittest.main()
