#!/usr/bin/env python3
"""Runs the golden scripts under tests/golden and compares the answers with the recorded ones.

    tools/golden.py --driver BUILD/tests/golden_driver [SCRIPT ...]     compare
    tools/golden.py --driver BUILD/tests/golden_driver --record [...]   write the answers down anew

tests/golden/driver.cpp says what a script looks like. Each script runs in several variants, which
must all give the recorded answers: on disk, in memory, without the fast path, without indexes, and
with everything written to segment files after each statement. Recording uses the variant on disk;
what it changed is for the review to read.
"""
import argparse
import concurrent.futures
import difflib
import os
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
SCRIPTS = ROOT / "tests/golden"
TIMEOUT_S = 120
DISK = ["--database", "db.trefoil"]
VARIANTS = {
    "disk": DISK,
    "memory": [],
    "no fast path": DISK + ["--set", "trefoil.fast_path=off"],
    "no indexes": DISK + ["--set", "trefoil.use_indexes=off"],
    "flushed": DISK + ["--flush"],
}


def play(driver, script, options):
    """(the script with the answers of this run, what went wrong besides)"""
    with tempfile.TemporaryDirectory(prefix="golden-") as folder:
        try:
            done = subprocess.run([driver, str(script), *options], cwd=folder, capture_output=True,
                                  timeout=TIMEOUT_S)
        except subprocess.TimeoutExpired:
            return "", f"no end after {TIMEOUT_S} s\n"
    wrong = done.stderr.decode(errors="replace")
    if done.returncode != 0:
        wrong += f"the driver ended with code {done.returncode}\n"
    return done.stdout.decode(errors="replace"), wrong


def variants_of(text):
    """A database in memory cannot be reopened, and its answers say so by being gone."""
    return {name: options for name, options in VARIANTS.items()
            if name != "memory" or not has_line(text, "# reopen")}


def has_line(text, start):
    return any(line.startswith(start) for line in text.splitlines())


def compare(driver, script, variant, options):
    """"" if the answers are the recorded ones, else what differs."""
    expected = script.read_text()
    got, wrong = play(driver, script, options)
    if got == expected and not wrong:
        return ""
    name = script.relative_to(SCRIPTS)
    diff = difflib.unified_diff(expected.splitlines(), got.splitlines(), f"{name} recorded",
                                f"{name} {variant}", lineterm="", n=6)
    return "\n".join(diff) + "\n" + wrong


def record(driver, scripts):
    failed = 0
    for script in scripts:
        got, wrong = play(driver, script, VARIANTS["disk"])
        if wrong:
            failed += 1
            print(f"{script.relative_to(SCRIPTS)}: not recorded: {wrong}")
        elif got != script.read_text():
            script.write_text(got)
            print(f"recorded {script.relative_to(SCRIPTS)}")
    return 1 if failed else 0


def compare_all(driver, scripts):
    jobs = [(script, variant, options) for script in scripts
            for variant, options in variants_of(script.read_text()).items()]
    passed = failed = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for (script, variant, _), differs in zip(
                jobs, pool.map(lambda job: compare(driver, *job), jobs)):
            if differs:
                failed += 1
                print(f"---- {script.relative_to(SCRIPTS)} ({variant})\n{differs}")
            else:
                passed += 1
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--driver", required=True, type=lambda p: str(pathlib.Path(p).resolve()))
    parser.add_argument("--record", action="store_true")
    parser.add_argument("scripts", nargs="*", type=lambda p: pathlib.Path(p).resolve())
    args = parser.parse_args()
    scripts = args.scripts or sorted(SCRIPTS.rglob("*.golden"))
    return record(args.driver, scripts) if args.record else compare_all(args.driver, scripts)


if __name__ == "__main__":
    sys.exit(main())
