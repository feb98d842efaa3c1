"""The unit tests under AddressSanitizer and UndefinedBehaviorSanitizer, those with threads under ThreadSanitizer, and every
parser of outside bytes under libFuzzer."""
import base64
import json
import os
import re
import subprocess
import tempfile
import unittest
from pathlib import Path

from lib.instance import ROOT, run

BUILD_SECONDS = 5400
TEST_SECONDS = 1800
FUZZ_SECONDS = int(os.environ.get("ATOLL_FUZZ_SECONDS", "20"))
# Folders whose code runs on more than one thread.
THREADED = ("base/async", "base/net", "api/cache", "store", "kernel/keeper")

OPTIONS = {
    # A leak is a bug; what libraries keep until the end of the process is not ours.
    "ASAN_OPTIONS": "detect_leaks=1:abort_on_error=0:detect_stack_use_after_return=1",
    "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1",
    "TSAN_OPTIONS": f"halt_on_error=0:second_deadlock_stack=1:suppressions={ROOT}/tests/full/tsan.supp",
    "LSAN_OPTIONS": f"suppressions={ROOT}/tests/full/lsan.supp:print_suppressions=0",
}


def build(preset, *targets):
    folder = ROOT / "build" / preset
    run(["cmake", "--preset", preset], cwd=ROOT, timeout=300)
    done = run(["nice", "ninja", "-C", str(folder), *targets], timeout=BUILD_SECONDS, check=False)
    if done.returncode != 0:
        raise AssertionError(done.stdout[-5000:])
    return folder


def unit_tests(folder):
    """(name, command) of each that was built."""
    listing = run(["ctest", "--test-dir", str(folder), "--show-only=json-v1"], timeout=120).stdout
    return [(test["name"], test["command"]) for test in json.loads(listing)["tests"] if "command" in test]


def fuzz_targets(folder):
    """(program, corpus) of each fuzz target."""
    lines = run(["ninja", "-C", str(folder), "-t", "targets", "all"], timeout=60).stdout.splitlines()
    programs = {line.split(":")[0] for line in lines if re.search(r"_fuzz: CXX_EXECUTABLE", line)}
    for source in sorted((ROOT / "src").rglob("*_fuzz.cc")):
        named = [p for p in programs if p.endswith("_" + source.stem) and str(source.relative_to(ROOT)).startswith(str(Path(p).parent))]
        yield max(named, key=len), source.parent / "corpus" / source.stem


class Sanitizers(unittest.TestCase):
    def sanitized(self, preset, wanted, least):
        """Runs the tests that are wanted; `least` as many are there."""
        tests = [(name, command) for name, command in unit_tests(ROOT / "build" / preset) if wanted(name)]
        self.assertGreaterEqual(len(tests), least)
        for name, command in tests:
            with self.subTest(f"{preset}: {name}"):
                done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
                                      timeout=TEST_SECONDS, env=dict(os.environ, **OPTIONS), stdin=subprocess.DEVNULL, check=False)
                report = re.search(r"(?s)(ERROR: \w+Sanitizer|WARNING: ThreadSanitizer|runtime error:).*", done.stdout)
                self.assertIsNone(report, report and report.group(0)[:5000])
                self.assertEqual(done.returncode, 0, done.stdout[-4000:])

    def test_addresses_and_undefined_behaviour(self):
        build("asan", "all_tests")
        self.sanitized("asan", lambda name: True, least=50)

    def test_threads(self):
        build("tsan", *(folder.replace("/", "_") + "_test" for folder in THREADED))
        self.sanitized("tsan", lambda name: name in THREADED, least=len(THREADED))


class Fuzz(unittest.TestCase):
    def test_each_parser(self):
        folder = ROOT / "build/fuzz"
        run(["cmake", "--preset", "fuzz"], cwd=ROOT, timeout=300)
        targets = list(fuzz_targets(folder))
        self.assertGreater(len(targets), 20)
        build("fuzz", *(program for program, _ in targets))
        for program, corpus in targets:
            with self.subTest(Path(program).name), tempfile.TemporaryDirectory() as work:
                seeds = [str(corpus)] if corpus.is_dir() else []
                found = Path(work) / "found"
                found.mkdir()
                done = subprocess.run([str(folder / program), f"-max_total_time={FUZZ_SECONDS}", "-timeout=10", "-rss_limit_mb=2048",
                                       f"-artifact_prefix={work}/", "-print_final_stats=1", str(found), *seeds],
                                      stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
                                      timeout=FUZZ_SECONDS + 300, env=dict(os.environ, **OPTIONS), check=False)
                crashes = [f"{f.name}: {base64.b64encode(f.read_bytes()).decode()}" for f in Path(work).iterdir() if f.is_file()]
                self.assertEqual((done.returncode, crashes), (0, []), done.stdout[-5000:])


if __name__ == "__main__":
    unittest.main()
