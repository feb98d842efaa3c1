#!/usr/bin/env python3
"""Runs every test of the mode and closes with the line "N passed, N failed".

Kinds of tests, in this order:
  rules  the house rules (tools/tidy) and their own tests, the format of the code, tests of the tools
  unit   a binary for each folder (GoogleTest) and the replay of each fuzz corpus
  e2e    Python files below tests/e2e: a whole instance, real clients
  full   Python files below tests/full, with --mode full: a bare machine, sanitizers, fuzzing
A failure prints the output of what failed. Everything has a deadline.
"""
import argparse
import concurrent.futures
import json
import os
import re
import signal
import subprocess
import sys
import time
import unittest
import xml.etree.ElementTree as ElementTree
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BUILD = ROOT / "build/ci"
UNIT_SECONDS = 1800  # for one folder's tests; in a mode other than full none comes near
FULL = {"ATOLL_SIM_ROUNDS": "60"}  # seeds of each simulated world


class Tally:
    def __init__(self):
        self.passed, self.failed, self.skipped = 0, 0, 0
        self.failures = []

    def add(self, name, ok, output=""):
        if ok:
            self.passed += 1
            return
        self.failed += 1
        self.failures.append(name)
        print(f"FAILED {name}\n{output.rstrip()[-6000:]}", flush=True)

    def skip(self, name, why):
        self.skipped += 1
        print(f"skipped {name}: {why}", flush=True)


def run(command, timeout, **options):
    """(exit code, output); 124 past the deadline."""
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=timeout,
                              stdin=subprocess.DEVNULL, **options)
        return done.returncode, done.stdout.decode("utf-8", "replace")
    except subprocess.TimeoutExpired as late:
        return 124, (late.stdout or b"").decode("utf-8", "replace") + f"\nno end after {timeout} s"


def rules(tally):
    for test in sorted(ROOT.glob("tools/*/*_test.py")) + sorted(ROOT.glob("tests/lib/*_test.py")):
        code, output = run([sys.executable, test.name], 120, cwd=test.parent)
        tally.add(str(test.relative_to(ROOT)), code == 0, output)
    code, output = run([sys.executable, str(ROOT / "tools/tidy/tidy.py"), str(ROOT)], 120)
    tally.add("tools/tidy", code == 0, output)
    files = subprocess.run(["git", "-C", str(ROOT), "ls-files", "*.cc", "*.h"], capture_output=True, text=True, check=True).stdout.split()
    code, output = run(["clang-format-19", "--dry-run", "-Werror", *files], 300, cwd=ROOT)
    tally.add("format", code == 0, output[:4000])


def unit_commands():
    listing = subprocess.run(["ctest", "--test-dir", str(BUILD), "--show-only=json-v1"], capture_output=True, text=True, check=True)
    for test in json.loads(listing.stdout)["tests"]:
        yield test["name"], test["command"]


def run_unit(name, command, results):
    report = Path(results) / (name.replace("/", "_").replace(":", "_") + ".xml")
    code, output = run(command, UNIT_SECONDS, env=dict(os.environ, GTEST_OUTPUT=f"xml:{report}"))
    return name, code, output, report


def count_unit(tally, name, code, output, report):
    if not report.exists():
        tally.add(name, code == 0, output)
        return
    for case in ElementTree.parse(report).getroot().iter("testcase"):
        full = f"{name}: {case.get('classname')}.{case.get('name')}"
        skipped = case.find("skipped")
        if skipped is not None:
            tally.skip(full, (skipped.get("message") or "").strip().splitlines()[-1:] and skipped.get("message").strip().splitlines()[-1])
        else:
            tally.add(full, case.find("failure") is None, "\n".join(f.text or "" for f in case.iter("failure")))
    if code not in (0, 1):
        tally.add(name, False, f"exit code {code}\n{output}")


def unit(tally, only, results):
    commands = [(n, c) for n, c in unit_commands() if not only or re.search(only, n)]
    with concurrent.futures.ThreadPoolExecutor(max_workers=2) as pool:
        for outcome in pool.map(lambda nc: run_unit(*nc, results), commands):
            count_unit(tally, *outcome)


class Reporter(unittest.TestResult):
    """Prints each test as it ends, with its time."""

    def __init__(self, tally):
        super().__init__()
        self.tally, self.started = tally, 0.0

    def startTest(self, test):
        super().startTest(test)
        self.started = time.monotonic()

    def done(self, test, ok, output=""):
        print(f"  {'ok    ' if ok else 'FAILED'} {test.id()} ({time.monotonic() - self.started:.1f} s)", flush=True)
        self.tally.add(test.id(), ok, output)

    def addSuccess(self, test):
        self.done(test, True)

    def addError(self, test, err):
        self.done(test, False, self._exc_info_to_string(err, test))

    def addFailure(self, test, err):
        self.done(test, False, self._exc_info_to_string(err, test))

    def addSubTest(self, test, subtest, err):
        if err is not None:
            self.tally.add(str(subtest), False, self._exc_info_to_string(err, test))

    def addSkip(self, test, reason):
        self.tally.skip(test.id(), reason)


def python_tests(tally, only, folder):
    suite = unittest.TestSuite()
    found = unittest.TestLoader().discover(str(ROOT / folder), pattern="*_test.py", top_level_dir=str(ROOT / "tests"))
    for case in flatten(found):
        if not only or re.search(only, case.id()):
            suite.addTest(case)
    suite.run(Reporter(tally))


def flatten(suite):
    for item in suite:
        if isinstance(item, unittest.TestSuite):
            yield from flatten(item)
        else:
            yield item


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--mode", choices=["fast", "ci", "full"], default="ci")
    parser.add_argument("--only", default="")
    parser.add_argument("--results", required=True)
    options = parser.parse_args()
    # Tests interrupt what they start, which inherits what a shell's `&` ignores.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    tally, started = Tally(), time.monotonic()
    if options.mode == "full":
        os.environ.update(FULL)
    if not options.only:
        rules(tally)
    unit(tally, options.only, options.results)
    sys.path.insert(0, str(ROOT / "tests"))
    if options.mode != "fast":
        python_tests(tally, options.only, "tests/e2e")
    if options.mode == "full":
        python_tests(tally, options.only, "tests/full")
    if tally.failures:
        print("failed:", *tally.failures, sep="\n  ")
    if options.only and not tally.passed + tally.failed + tally.skipped:
        print(f"no test of this mode ({options.mode}) has a name that matches {options.only}")
    print(f"{time.monotonic() - started:.0f} s, {tally.skipped} skipped")
    print(f"{tally.passed} passed, {tally.failed} failed", flush=True)
    return 1 if tally.failed or not tally.passed else 0


if __name__ == "__main__":
    sys.exit(main())
