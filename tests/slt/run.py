"""The sqllogictest runner: our own files pass, and wrong expectations are caught.

    tests/slt/run.py --runner BUILD/tests/slt

Every record of scripts/ must pass. Every record of wrong/ must fail, and the runner's report name
its line, but for the statements that say "ok" and what stands after a line "# right".
"""
import argparse
import pathlib
import re
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
TIMEOUT_S = 600


def run(runner, *arguments):
    done = subprocess.run([runner, *map(str, arguments)], capture_output=True, text=True,
                          timeout=TIMEOUT_S)
    last = done.stdout.strip().splitlines()[-1] if done.stdout.strip() else "0 passed, 0 failed"
    passed, failed = map(int, re.fullmatch(r"(\d+) passed, (\d+) failed", last).groups())
    return done, passed, failed


def wrong_lines(path):
    """The lines on which a record begins that must fail."""
    lines = ["", *path.read_text().splitlines()]
    return [n for n, line in enumerate(lines)
            if re.match(r"statement|query|nonsense", line)
            and line != "statement ok" and lines[n - 1] != "# right"]


def check_wrong(runner, path):
    """What is wrong with how the runner judges a file of wrong expectations; "" if nothing."""
    done, _, failed = run(runner, "--failures", 1000, path)
    expected = wrong_lines(path)
    named = [int(n) for n in re.findall(rf"^{re.escape(str(path))}:(\d+):", done.stdout, re.M)]
    if named != expected or failed != len(expected) or done.returncode != 1:
        return f"{path.name}: lines {expected} should fail, {named} did\n{done.stdout}"
    return ""


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--runner", required=True)
    args = parser.parse_args()
    done, passed, failed = run(args.runner, HERE / "scripts")
    if failed or done.returncode:
        print(done.stdout, done.stderr)
    for path in sorted((HERE / "wrong").glob("*.slt")):
        problem = check_wrong(args.runner, path)
        if problem:
            print(problem)
        passed, failed = passed + (not problem), failed + bool(problem)
    for arguments in ([HERE / "nothing.slt"], []):
        done = subprocess.run([args.runner, *arguments], capture_output=True, text=True,
                              timeout=TIMEOUT_S)
        right = done.returncode == (1 if arguments else 2)
        passed, failed = passed + right, failed + (not right)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
