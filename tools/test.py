#!/usr/bin/env python3
"""Runs all tests of a build folder and adds up; the last line is `N passed, N failed`.

    tools/test.py BUILD [--cpp-only] [--jobs N] [SUITE ...]

BUILD/tests.txt, which CMake writes, lists one suite a line: its name, then the command. A suite is
a doctest program, whose test cases count, or a script, whose last line says `N passed, N failed`. A
suite that ends otherwise counts as one failure. The output of a suite is shown only if it failed.
SUITE selects by the beginning of the name. --cpp-only leaves out the scripts (for sanitizers).
"""
import argparse
import concurrent.futures
import os
import pathlib
import re
import shlex
import subprocess
import sys
import time

DOCTEST = re.compile(r"^\[doctest\] test cases: +\d+ +\| +(\d+) passed +\| +(\d+) failed", re.M)
SCRIPT = re.compile(r"^(\d+) passed, (\d+) failed$", re.M)
TIMEOUT_S = 1800


def read_suites(build, wanted, cpp_only):
    suites = []
    for line in (build / "tests.txt").read_text().splitlines():
        name, _, command = line.partition(" ")
        command = shlex.split(command)
        if wanted and not any(name.startswith(w) for w in wanted):
            continue
        if cpp_only and (command[0] in ("python3", "bash") or command[0].endswith(".sh")):
            continue
        suites.append((name, command))
    return suites


def count(output, exit_code):
    """(passed, failed) of one suite. An unexplained bad exit is one more failure."""
    found = DOCTEST.findall(output) or SCRIPT.findall(output)
    passed, failed = (int(found[-1][0]), int(found[-1][1])) if found else (0, 0)
    if exit_code != 0 and failed == 0:
        failed = 1
    if not found and exit_code == 0:
        passed = 1
    return passed, failed


def run(suite):
    name, command = suite
    begun = time.monotonic()
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              stdin=subprocess.DEVNULL, timeout=TIMEOUT_S)
        output, code = done.stdout.decode(errors="replace"), done.returncode
    except subprocess.TimeoutExpired as late:
        output = (late.stdout or b"").decode(errors="replace")
        output, code = output + f"\nstopped after {TIMEOUT_S} s\n", 1
    except OSError as error:
        output, code = f"{error}\n", 1
    passed, failed = count(output, code)
    return name, passed, failed, output, code, time.monotonic() - begun


def report(result):
    name, passed, failed, output, code, seconds = result
    if failed:
        print(f"\n---- {name}: what it said ----\n{output.rstrip()}")
        if code < 0:
            print(f"ended by signal {-code}")
        print("----")
    verdict = "ok    " if not failed else "FAILED"
    print(f"{verdict} {name:<24} {passed:>5} passed {failed:>3} failed {seconds:>7.1f} s",
          flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("suites", nargs="*")
    parser.add_argument("--cpp-only", action="store_true")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    args = parser.parse_intermixed_args()
    suites = read_suites(args.build, args.suites, args.cpp_only)
    total_passed = total_failed = 0
    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        for done in concurrent.futures.as_completed([pool.submit(run, s) for s in suites]):
            report(done.result())
            total_passed += done.result()[1]
            total_failed += done.result()[2]
    if not suites:
        print("there is no such suite in", args.build / "tests.txt")
    print(f"{total_passed} passed, {total_failed} failed")
    return 1 if total_failed or not suites else 0


if __name__ == "__main__":
    sys.exit(main())
