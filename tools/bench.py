#!/usr/bin/env python3
"""Runs the benchmarks of a build folder: every program of bench/micro, then bench/compare.

    tools/bench.py BUILD [NAME ...]      NAME selects by a part of the program's name

The last, duckdb_compare.py and index_compare.py, need the Python with duckdb that tools/setup.sh
--bench sets up. What they print is also kept in BUILD/bench-results, one file a program.
bench/RESULTS.md is written by people from such a run, with machine and date.
"""
import os
import pathlib
import platform
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]


def describe_machine():
    cpuinfo = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
    models = [line.split(":")[1].strip() for line in cpuinfo if line.startswith("model name")]
    model = models[0] if models else platform.machine()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**30
    system = f"{platform.system()} {platform.release()}"
    return f"{model}, {os.cpu_count()} cores, {memory} GiB, {system}"


def run(name, command, results):
    print(f"== {name}", flush=True)
    with open(results / f"{name}.txt", "w") as kept:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        for line in process.stdout:
            print(line, end="", flush=True)
            kept.write(line)
        return process.wait() == 0


def main(build, names):
    programs = sorted(p for p in (build / "bench").glob("bench_*") if os.access(p, os.X_OK))
    programs.sort(key=lambda p: p.name == "bench_compare")  # the long one last
    commands = {p.name: [p] for p in programs}
    for name in ("duckdb_compare", "index_compare"):
        commands[name] = [ROOT / "tools/python.sh", ROOT / f"bench/compare/{name}.py",
                          "--library", build / "lib/libtrefoil.so"]
    if names:
        commands = {key: command for key, command in commands.items()
                    if any(name in key for name in names)}
    results = build / "bench-results"
    results.mkdir(exist_ok=True)
    print(describe_machine())
    failed = [name for name, command in commands.items() if not run(name, command, results)]
    if failed:
        print("failed:", ", ".join(failed))
    return 1 if failed or not commands else 0


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    sys.exit(main(pathlib.Path(sys.argv[1]).resolve(), sys.argv[2:]))
