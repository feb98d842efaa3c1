#!/usr/bin/env python3
"""House rules that no compiler checks. Prints one line a finding; exit code 1 when there is one.

Usage: tools/tidy/tidy.py [ROOT]

Rules (docs/style.md explains each): layers, co_await forms, banned calls, sizes, words, folders.
A file that was over a size limit when the rule came stands in ratchet.txt; its number may only fall.
"""
import re
import subprocess
import sys
from pathlib import Path

FILE_MAX, HEADER_MAX, FUNCTION_MAX, TABLE_MAX = 600, 200, 70, 120  # lines; a test's function may hold a table

# pattern, what to use instead, files where it is right
BANNED = [
    (r"\b(system|steady|high_resolution)_clock::now\b", "Clock (base/core/clock.h)", ("src/base/core/clock.cc",)),
    (r"\bstd::j?thread\b", "BlockingPool (base/async/blocking_pool.h)",
     ("src/store/rocks/rocks_store.cc", "src/base/async/blocking_pool.cc")),
    (r"\b(std::)?(system|popen)\s*\(\s*[\"a-z]", "posix_spawn with an argument list", ()),
    (r"\b(std::)?s?rand\s*\(\s*\)", "Rng (base/core/rng.h)", ()),
    (r"\bstd::regex\b", "RE2", ()),
    (r"\basio::detached\b|\bdetached\b\s*\)", "TaskGroup (base/async/task_group.h)", ()),
    (r"\b(strcpy|strcat|sprintf|gets|mktemp|tmpnam)\s*\(", "std::string, fmt or mkstemp", ()),
]
WORDS = [(r"\bFIXME\b", "mend it before it lands"), (r"\bXXX\b", "say what is meant"), (r"\bHACK\b", "say why instead")]


def tracked(root):
    out = subprocess.run(["git", "-C", root, "ls-files", "-co", "--exclude-standard"], capture_output=True, text=True, check=True)
    return [line for line in out.stdout.splitlines() if (Path(root) / line).is_file()]


def load_layers(text):
    layers = {}
    for line in text.splitlines():
        if line and not line.startswith("#"):
            folder, _, allowed = line.partition(":")
            layers[folder.strip()] = allowed.split()
    return layers


def folder_of(path, layers):
    """The layer folder that holds a path relative to src/: the longest name that is a prefix."""
    parts = path.split("/")
    for n in range(len(parts), 0, -1):
        name = "/".join(parts[:n])
        if name in layers:
            return name
    return None


def allows(patterns, dep):
    return any(p in ("*", dep) or (p.endswith("/*") and dep.startswith(p[:-1])) for p in patterns)


def strip_code(text):
    """Comments and string contents blanked, line structure kept."""
    def blank(match):
        token = match.group(0)
        if token.startswith("/"):
            return re.sub(r"[^\n]", " ", token)
        return token[0] + re.sub(r"[^\n]", " ", token[1:-1]) + token[-1]

    text = re.sub(r'R"([^(\s]{0,16})\(.*?\)\1"', lambda m: '"' + re.sub(r"[^\n]", " ", m.group(0)[1:-1]) + '"', text, flags=re.S)
    return re.sub(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])+\'', blank, text, flags=re.S)


def check_layers(path, text, layers):
    here = folder_of(path[len("src/"):], layers)
    if here is None:
        yield 0, "lies in no folder of cmake/layers.txt"
        return
    allowed = layers[here]
    for number, line in enumerate(text.splitlines(), 1):
        match = re.match(r'\s*#include "([^"]+)"', line)
        if not match:
            continue
        there = folder_of(match.group(1), layers)
        if there and there != here and not allows(allowed, there):
            test_only = path.endswith(("_test.cc", "_fuzz.cc", "_bench.cc"))
            if not test_only:
                yield number, f"src/{here} may not include src/{there} (cmake/layers.txt)"
        if match.group(1).endswith("_impl.h") and Path(match.group(1)).parent != Path(path[len("src/"):]).parent:
            yield number, "a private header (_impl.h) is included from its own folder only"


def statements(code):
    """Statements that hold a co_await, each with the line it starts on."""
    start, depth = 0, 0
    for i, c in enumerate(code):
        if c in "([":
            depth += 1
        elif c in ")]":
            depth = max(0, depth - 1)
        elif c in ";{}" and (depth == 0 or c in "{}"):
            piece = code[start:i]
            if "co_await" in piece:
                offset = start + len(piece) - len(piece.lstrip())
                yield code.count("\n", 0, offset) + 1, " ".join(piece.split())
            start = i + 1
            if c in "{}":
                depth = 0


def parenthesized(text, start):
    """The text between the parenthesis at `start` and its partner."""
    depth = 0
    for i in range(start, len(text)):
        depth += {"(": 1, ")": -1}.get(text[i], 0)
        if depth == 0:
            return text[start + 1:i]
    return text[start + 1:]


def check_await(path, code):
    for number, statement in statements(code):
        if statement.count("co_await") > 1:
            yield number, "one co_await a statement"
        for match in re.finditer(r"\b(if|while|switch|for)\s*(?:constexpr\s*)?\(", statement):
            if "co_await" in parenthesized(statement, match.end() - 1):
                yield number, f"co_await inside {match.group(1)} (...): name the result first"


def check_banned(path, code):
    for pattern, instead, where in BANNED:
        if path in where:
            continue
        for match in re.finditer(pattern, code):
            yield code.count("\n", 0, match.start()) + 1, f"{match.group(0).strip()}: use {instead}"


def function_lengths(code):
    """(line, length) of bodies that start at column 0..2 with '{' at the line's end; good enough to see giants."""
    lines = code.splitlines()
    opened = None
    for number, line in enumerate(lines, 1):
        if opened is None and re.match(r"^(?:  )?\S.*\)\s*(?:const|noexcept|override|final|\s)*(?:->[^{]*)?\{\s*$", line) and not re.match(
                r"^\s*(if|for|while|switch|namespace|else|do|struct|class|enum)\b", line):
            opened = (number, len(line) - len(line.lstrip()))
        elif opened and re.match(r"^\s{%d}\}" % opened[1], line):
            yield opened[0], number - opened[0] + 1
            opened = None


def check_sizes(path, text, code, ratchet):
    count = text.count("\n")
    limit = HEADER_MAX if path.endswith(".h") else FILE_MAX
    limit = ratchet.get(path, limit)
    if count > limit:
        yield 0, f"{count} lines, at most {limit}: split it by noun"
    function_max = ratchet.get(f"{path}:function", TABLE_MAX if path.endswith("_test.cc") else FUNCTION_MAX)
    for number, length in function_lengths(code):
        if length > function_max:
            yield number, f"a function of {length} lines, at most {function_max}"


def check_words(path, text):
    for pattern, what in WORDS:
        for match in re.finditer(pattern, text):
            yield text.count("\n", 0, match.start()) + 1, f"{match.group(0)}: {what}"
    for number, line in enumerate(text.splitlines(), 1):
        if re.search(r"\bTODO\b(?!\((perf|security|port|test)\): )", line):
            yield number, "TODO(perf|security|port|test): text"
        if line.rstrip() != line:
            yield number, "white space at the end of the line"


def check_header(path, text):
    if path.endswith(".h") and "#pragma once" not in text:
        yield 1, "a header starts with #pragma once"


def check_folders(files, layers):
    folders = {folder_of(f[len("src/"):], layers) for f in files if f.startswith("src/") and f.endswith((".cc", ".h"))}
    for folder in sorted(f for f in folders if f and f != "programs"):
        if f"src/{folder}/README.md" not in files:
            yield f"src/{folder}", 0, "has no README.md (purpose, main types, where to look, traps)"


def load_ratchet(text):
    pairs = (line.rsplit(" ", 1) for line in text.splitlines() if line and not line.startswith("#"))
    return {name: int(number) for name, number in pairs}


def findings(root):
    layers = load_layers((Path(root) / "cmake/layers.txt").read_text())
    ratchet_file = Path(root) / "tools/tidy/ratchet.txt"
    ratchet = load_ratchet(ratchet_file.read_text()) if ratchet_file.exists() else {}
    files = tracked(root)
    yield from check_folders(set(files), layers)
    for path in files:
        if not (path.startswith(("src/", "bench/", "tests/")) and path.endswith((".cc", ".h"))):
            continue
        text = (Path(root) / path).read_text(encoding="utf-8")
        code = strip_code(text)
        checks = [check_banned(path, code), check_await(path, code), check_sizes(path, text, code, ratchet),
                  check_words(path, text), check_header(path, text)]
        if path.startswith("src/"):
            checks.append(check_layers(path, text, layers))
        for check in checks:
            for number, message in check:
                yield path, number, message


def main(arguments):
    root = next((a for a in arguments if not a.startswith("-")), str(Path(__file__).resolve().parents[2]))
    found = 0
    for path, number, message in findings(root):
        print(f"{path}:{number}: {message}")
        found += 1
    print(f"tidy: {found} findings" if found else "tidy: clean")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
