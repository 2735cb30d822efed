#!/usr/bin/env python3
"""Runs clang-tidy over the sources of a build folder, in parallel, and only over what changed.

    tools/lint.py BUILD [FILE ...]

A file is linted again when it, .clang-tidy or any header of the repository that it includes changed
since its last clean run; what was clean is remembered in BUILD/lint. The profile is .clang-tidy,
with a reason for each exception. Tests and examples answer to the formatter and the compilers only.
"""
import concurrent.futures
import hashlib
import json
import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
LINTER = os.environ.get("CLANG_TIDY", "clang-tidy-19")
INCLUDE = re.compile(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]', re.M)


def find_included(file, seen):
    """`file` and every header of ours below it."""
    if file in seen:
        return seen
    seen.add(file)
    for name in INCLUDE.findall(file.read_text(errors="replace")):
        for base in (ROOT / "src", ROOT / "include"):
            if (base / name).is_file():
                find_included(base / name, seen)
    return seen


def fingerprint(file):
    digest = hashlib.sha256((ROOT / ".clang-tidy").read_bytes())
    for part in sorted(find_included(file, set())):
        digest.update(part.read_bytes())
    return digest.hexdigest()


def lint(build, file):
    """(file, what clang-tidy complains about, or "" if it is clean)."""
    mark = build / "lint" / (file.relative_to(ROOT).as_posix().replace("/", "_") + ".clean")
    now = fingerprint(file)
    if mark.is_file() and mark.read_text() == now:
        return file, ""
    # GCC writes the compile commands; clang need not know all of its warnings.
    run = subprocess.run([LINTER, "-p", str(build), "--quiet",
                          "--extra-arg=-Wno-unknown-warning-option", str(file)],
                         capture_output=True, text=True)
    if run.returncode == 0:
        mark.parent.mkdir(exist_ok=True)
        mark.write_text(now)
        return file, ""
    return file, run.stdout or run.stderr


def main(build, names):
    commands = json.loads((build / "compile_commands.json").read_text())
    files = {pathlib.Path(entry["file"]).resolve() for entry in commands}
    files = sorted(f for f in files if f.is_relative_to(ROOT / "src")
                   and not f.name.endswith("_test.cpp"))
    if names:
        files = [f for f in files if any(name in str(f) for name in names)]
    bad = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for file, complaint in pool.map(lambda f: lint(build, f), files):
            if complaint:
                bad += 1
                print(f"-- {file.relative_to(ROOT)}\n{complaint}")
    print(f"lint: {len(files) - bad} files clean, {bad} not")
    return 1 if bad else 0


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    sys.exit(main(pathlib.Path(sys.argv[1]).resolve(), sys.argv[2:]))
