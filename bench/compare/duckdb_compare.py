#!/usr/bin/env python3
"""Trefoil beside DuckDB, in one process and one run: column sums, loading CSV, TPC-H.

    duckdb_compare.py --library BUILD/lib/libtrefoil.so [--rows N] [--runs K] [--folder DIR]
                      [--scale S] [NAME ...]

NAME is sums, csv or tpch; all three by default. Both get the same files, the same tables with the
same primary keys, a database in the same folder, and the same number of threads. Loading ends with
a checkpoint on both sides. A primary key costs DuckDB a tree that it does not need for analysis, so
CSV is loaded without one, too. Queries are timed until all their rows are there; DuckDB's become
objects of Python, which takes it some 20 ms where an answer has 18,000 rows (query 16), and nothing
elsewhere. Sides take turns; the median of K runs counts. Run it with the Python that tools/setup.sh
--bench has set up.
"""
import argparse
import ctypes
import datetime
import json
import os
import pathlib
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

import duckdb

ROOT = pathlib.Path(__file__).resolve().parents[2]
CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "trefoil"
TPCH = ROOT / "tests/tpch"
TABLES = ["region", "nation", "supplier", "part", "partsupp", "customer", "orders", "lineitem"]


class Options(ctypes.Structure):
    """trefoil_options."""
    _fields_ = [("read_only", ctypes.c_int32), ("must_exist", ctypes.c_int32),
                ("memory_limit_bytes", ctypes.c_uint64), ("threads", ctypes.c_uint32),
                ("reserved", ctypes.c_uint32)]


class Trefoil:
    """A database with one session, over the C interface."""

    def __init__(self, library, path, threads):
        self.c = ctypes.CDLL(str(library))
        self.c.trefoil_error_message.restype = ctypes.c_char_p
        self.c.trefoil_batch_text.restype = ctypes.c_char_p
        self.c.trefoil_batch_text.argtypes = [ctypes.c_void_p, ctypes.c_int64, ctypes.c_int32,
                                              ctypes.c_void_p]
        self.c.trefoil_batch_row_count.restype = ctypes.c_int64
        self.database, self.session = ctypes.c_void_p(), ctypes.c_void_p()
        options = Options(threads=threads)
        self.call("trefoil_open", str(path).encode(), ctypes.byref(options),
                  ctypes.byref(self.database))
        self.call("trefoil_connect", self.database, ctypes.byref(self.session))

    def call(self, function, *args):
        error = ctypes.c_void_p()
        if getattr(self.c, function)(*args, ctypes.byref(error)) != 0:
            raise RuntimeError(self.c.trefoil_error_message(error).decode())

    def run(self, sql):
        """Runs a statement and fetches all rows; (rows, the first field of the first row)."""
        result, batch, count, first = ctypes.c_void_p(), ctypes.c_void_p(), 0, None
        self.call("trefoil_execute", self.session, sql.encode(), None, ctypes.c_size_t(0),
                  ctypes.byref(result))
        while True:
            self.call("trefoil_next", result, ctypes.byref(batch))
            if not batch:
                break
            if first is None:
                first = self.c.trefoil_batch_text(batch, 0, 0, None).decode()
            count += self.c.trefoil_batch_row_count(batch)
            self.c.trefoil_batch_free(batch)
        self.c.trefoil_result_free(result)
        return count, first

    def checkpoint(self):
        self.call("trefoil_checkpoint", self.database)

    def close(self):
        self.c.trefoil_session_free(self.session)
        self.c.trefoil_close(self.database)


class DuckDB:
    """A database file with one connection."""

    def __init__(self, path, threads):
        self.session = duckdb.connect(str(path), config={"threads": threads})

    def run(self, sql):
        """As Trefoil.run. The answers here are small, and fetchall() the fastest way to them."""
        rows = self.session.execute(sql).fetchall()
        return len(rows), rows[0][0] if rows else None

    def checkpoint(self):
        self.session.execute("CHECKPOINT")

    def close(self):
        self.session.close()


def shown(seconds):
    """Ten characters wide."""
    for unit, size in (("s ", 1), ("ms", 1e-3), ("us", 1e-6)):
        if seconds >= size:
            break
    return f"{seconds / size:7.1f} {unit}"


class Report:
    def __init__(self, runs):
        self.runs, self.lines = runs, []

    def compare(self, name, n, trefoil, rivals):
        """Each side is a function that answers (seconds, proof); n is the items of one run."""
        times = {"Trefoil": [], **{rival: [] for rival in rivals}}
        for _ in range(self.runs):
            proofs = set()
            for side, run in {"Trefoil": trefoil, **rivals}.items():
                seconds, proof = run()
                times[side].append(seconds)
                proofs.add(proof)
            if len(proofs) != 1:
                raise RuntimeError(f"{name}: the answers differ: {proofs}")
        ours = statistics.median(times["Trefoil"])
        for rival in rivals:
            self.add(name, rival, ours, statistics.median(times[rival]), n)

    def add(self, name, rival, ours, theirs, n):
        if not self.lines:
            print(f"{'':34} {'rival':24} {'Trefoil':>10} {'rival':>10} {'ratio':>8}")
        print(f"{name:34} {rival:24} {shown(ours)} {shown(theirs)}"
              f" {theirs / ours:7.2f}x{'  we lose' if theirs < ours else ''}", flush=True)
        self.lines.append({"name": name, "rival_name": rival, "trefoil_ms": round(ours * 1e3, 3),
                           "rival_ms": round(theirs * 1e3, 3), "ratio": round(theirs / ours, 3),
                           "n": n, "runs": self.runs})


def timed(function, *args):
    start = time.perf_counter()
    answer = function(*args)
    return time.perf_counter() - start, answer


def print_circumstances(threads):
    cpu = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo")
                if line.startswith("model name")), platform.machine())
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    load = " ".join(f"{value:.2f}" for value in os.getloadavg())
    print(f"machine   {cpu}, {os.cpu_count()} cores, {memory:.0f} GiB, "
          f"{platform.system()} {platform.release()}")
    print(f"date      {datetime.datetime.now(datetime.timezone.utc):%Y-%m-%d %H:%M} UTC, "
          f"load average {load} at the start")
    print(f"versions  DuckDB {duckdb.__version__}; {threads} threads on both sides\n", flush=True)


class Bench:
    def __init__(self, args, folder):
        self.args, self.folder, self.report = args, folder, Report(args.runs)
        self.threads = os.cpu_count()

    def open_both(self, name):
        return (Trefoil(self.args.library, self.folder / f"{name}.trefoil", self.threads),
                DuckDB(self.folder / f"{name}.duckdb", self.threads))

    def sums(self):
        rows = self.args.rows
        trefoil, rival = self.open_both("sums")
        for side, series in ((trefoil, "generate_series(0, {})"),
                             (rival, "range(0, {} + 1) t(value)")):
            side.run("CREATE TABLE measure (id BIGINT PRIMARY KEY, n BIGINT NOT NULL, "
                     "x DOUBLE NOT NULL)")
            side.run("INSERT INTO measure SELECT value, (value * 7919) % 1000003, "
                     "CAST((value * 104729) % 1000003 AS DOUBLE) FROM " + series.format(rows - 1))
            side.checkpoint()
        for column in ("n", "x"):
            sql = f"SELECT sum({column}) FROM measure"

            def ours():
                seconds, (_, first) = timed(trefoil.run, sql)
                return seconds, float(first)

            def theirs():
                seconds, (_, first) = timed(rival.run, sql)
                return seconds, float(first)
            ours(), theirs()  # warm
            self.report.compare(sql, rows, ours, {"DuckDB": theirs})
        trefoil.close()
        rival.close()

    def csv(self):
        file = self.folder / "item.csv"
        with open(file, "w") as out:
            for i in range(self.args.rows):
                chance = (i * 0x9e3779b97f4a7c15 & 0xffffffffffffffff) >> 24
                out.write(f"{i},{chance % 1000000},{chance % 9999991 / 100:.2f},"
                          f"item-{chance % 99991}\n")

        def load(make, path, key, options):
            for old in self.folder.glob(path.name + "*"):
                shutil.rmtree(old) if old.is_dir() else old.unlink()
            side = make(path)
            side.run(f"CREATE TABLE item (id BIGINT {key}, n BIGINT NOT NULL, x DOUBLE NOT NULL, "
                     "name TEXT NOT NULL)")

            def work():
                side.run(f"COPY item FROM '{file}'{options}")
                side.checkpoint()
            seconds, _ = timed(work)
            count, _ = side.run("SELECT n FROM item WHERE n < 1000")
            side.close()
            return seconds, count

        def ours(path):
            return Trefoil(self.args.library, path, self.threads)

        def theirs(path):
            return DuckDB(path, self.threads)
        self.report.compare(
            "COPY FROM CSV and checkpoint", self.args.rows,
            lambda: load(ours, self.folder / "copy.trefoil", "PRIMARY KEY", ""),
            {"DuckDB": lambda: load(theirs, self.folder / "copy.duckdb", "PRIMARY KEY",
                                    " (HEADER false)"),
             "DuckDB, no primary key": lambda: load(theirs, self.folder / "copy.duckdb", "",
                                                    " (HEADER false)")})

    def tpch(self):
        data = make_tpch(self.args.scale)
        trefoil, rival = self.open_both("tpch")
        schema = [s for s in (TPCH / "schema.sql").read_text().split(";") if "CREATE" in s]
        copies = [f"COPY {name} FROM '{data / name}.csv' (HEADER)" for name in TABLES]

        def load(side):
            for statement in schema + copies:
                side.run(statement)
            side.checkpoint()
        loads = [timed(load, side)[0] for side in (trefoil, rival)]
        self.report.add(f"TPC-H SF{self.args.scale:g} load, one run", "DuckDB", *loads, 1)
        first = len(self.report.lines)
        for query in sorted((TPCH / "queries").glob("*.sql")):
            lines = query.read_text().splitlines()
            sql = "\n".join(line for line in lines if not line.startswith("--"))
            sql = sql.strip().rstrip(";")

            def side_run(side):
                seconds, (count, _) = timed(side.run, sql)
                return seconds, count
            self.report.compare(f"TPC-H SF{self.args.scale:g} {query.stem}", 1,
                                lambda: side_run(trefoil), {"DuckDB": lambda: side_run(rival)})
        queries = self.report.lines[first:]
        self.report.add(f"TPC-H SF{self.args.scale:g}, all {len(queries)} queries", "DuckDB",
                        sum(q["trefoil_ms"] for q in queries) / 1e3,
                        sum(q["rival_ms"] for q in queries) / 1e3, len(queries))
        trefoil.close()
        rival.close()


def make_tpch(scale):
    folder = CACHE / f"tpch-{scale:g}"
    if not all((folder / f"{name}.csv").is_file() for name in TABLES):
        fresh = pathlib.Path(tempfile.mkdtemp(prefix="tpch-", dir=CACHE))
        subprocess.run([CACHE / "tools/bin/tpchgen-cli", "csv", "-s", f"{scale:g}", "--output-dir",
                        fresh], check=True, stdout=subprocess.DEVNULL)
        fresh.rename(folder)
    return folder


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--library", required=True)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--scale", type=float, default=1)
    parser.add_argument("--folder", default="/var/tmp")
    parser.add_argument("names", nargs="*", metavar="NAME")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-compare-", dir=args.folder) as folder:
        bench = Bench(args, pathlib.Path(folder))
        print_circumstances(bench.threads)
        for name in ("sums", "csv", "tpch"):
            if not args.names or name in args.names:
                getattr(bench, name)()
    print(json.dumps(bench.report.lines, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
