"""Runs one example program in an empty folder; it passes if it ends well.

    tests/examples/run.py PROGRAM

examples/packages, which reads a whole machine's package index, runs on the universe it generates.
"""
import pathlib
import subprocess
import sys
import tempfile

TIMEOUT_S = 300
ARGUMENTS = {"packages": ["--generated"]}


def main(program):
    program = pathlib.Path(program).resolve()
    with tempfile.TemporaryDirectory(prefix="example-") as folder:
        done = subprocess.run([program, *ARGUMENTS.get(program.name, [])], cwd=folder,
                              stdin=subprocess.DEVNULL, timeout=TIMEOUT_S)
    good = done.returncode == 0
    print(f"{int(good)} passed, {int(not good)} failed")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
