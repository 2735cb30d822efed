#!/usr/bin/env python3
"""Secondary indexes beside SQLite, DuckDB and PostgreSQL, in one run, on the same rows.

    index_compare.py --library BUILD/lib/libtrefoil.so [--rows N] [--runs K] [--folder DIR]
                     [NAME ...]

NAME selects by a part of a line's name. All sides load one CSV file, build the same indexes and
answer the same statements, which must give the same answers. Rows lie in the order of their primary
key; the indexed columns are random, so that rows of a range lie far apart. A statement is sent as
text with other constants each time, so parsing and planning count; the time is until its few rows
are there. "own scan" is Trefoil with trefoil.use_indexes = off, "DuckDB, no index" a table of
DuckDB without indexes.

Sides take turns; the median of K runs counts, each run the mean of several statements where they
are quick. Trefoil, SQLite and DuckDB are called from Python, which costs each some 10 to 100 us a
statement; PostgreSQL's times are those that psql's \\timing shows, over a socket. Nobody syncs
while queries run; building and inserting are in files, with fsync off (PostgreSQL), synchronous=OFF
(SQLite), and as they come (Trefoil and DuckDB, which sync). PostgreSQL has shared_buffers = 1 GB,
SQLite a page cache of 1 GB; the others take what they need.
"""
import argparse
import json
import os
import pathlib
import random
import re
import sqlite3
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
sys.path.insert(0, str(HERE.parents[1] / "tests/differential"))

import duckdb  # noqa: E402
import engines  # noqa: E402
from duckdb_compare import DuckDB, Report, Trefoil, print_circumstances, timed  # noqa: E402

COLUMNS = ("id BIGINT PRIMARY KEY, a INTEGER NOT NULL, b INTEGER NOT NULL, c INTEGER NOT NULL, "
           "d INTEGER NOT NULL, v BIGINT NOT NULL, s TEXT NOT NULL")
INDEXES = ["a", "b", "c", "d"]


class OwnScan:
    """The same database without its indexes."""

    def __init__(self, trefoil):
        self.trefoil = trefoil

    def run(self, sql):
        self.trefoil.run("SET trefoil.use_indexes = off")
        try:
            return self.trefoil.run(sql)
        finally:
            self.trefoil.run("SET trefoil.use_indexes = on")


class SQLite:
    def __init__(self, path):
        self.session = sqlite3.connect(path, isolation_level=None)
        for setting in ("journal_mode = WAL", "synchronous = OFF", "cache_size = -1000000"):
            self.session.execute(f"PRAGMA {setting}")

    def load(self, table, file):
        with open(file, encoding="ascii") as lines:
            self.session.execute("BEGIN")
            self.session.executemany(f"INSERT INTO {table} VALUES (?, ?, ?, ?, ?, ?, ?)",
                                     (line.rstrip("\n").split(",") for line in lines))
            self.session.execute("COMMIT")

    def run(self, sql):
        rows = self.session.execute(sql).fetchall()
        return len(rows), rows[0][0] if rows else None

    def close(self):
        self.session.close()


class PostgreSQL:
    """A server of its own; a statement's time is what psql says it took."""

    def __init__(self):
        self.server = engines.PostgreSQL(engines.PostgreSQL.find())
        self.server.psql("ALTER SYSTEM SET shared_buffers = '1GB'")
        self.server.program("pg_ctl", "restart", "-w", "-D", self.server.data, "-l",
                            self.server.data.parent / "log", "-o",
                            "-c listen_addresses='' -c fsync=off -c unix_socket_directories="
                            f"{self.server.socket}")

    def load(self, table, file):
        self.run(f"\\copy {table} FROM '{file}' (FORMAT csv)")

    def run(self, sql):
        return self.timed([sql])[1][0]

    def timed(self, statements):
        """([seconds], [(rows, first field)]), for each statement; all in one session."""
        text = "\\timing on\n" + "".join(f"{sql}{'' if sql[0] == chr(92) else ';'}\n"
                                         for sql in statements)
        output = self.server.psql(text)
        if "ERROR" in output:
            raise RuntimeError(output)
        times = [float(ms) / 1e3 for ms in re.findall(r"^Time: ([\d.]+) ms", output, re.M)]
        parts = re.split(r"^Time: .*\n", output, flags=re.M)[:-1]
        answers = []
        for part in parts:
            lines = part.strip().splitlines()
            answers.append((len(lines) - 1, lines[1].split(",")[0] if len(lines) > 1 else None))
        return times, answers

    def close(self):
        self.server.close()


def mean_time(side, statements):
    """(seconds a statement, the answers) of all but the first, which finds everything cold."""
    if isinstance(side, PostgreSQL):
        times, answers = side.timed(statements)
        return sum(times[1:]) / len(times[1:]), proofs(answers[1:])
    side.run(statements[0])
    seconds, answers = timed(lambda: [side.run(sql) for sql in statements[1:]])
    return seconds / len(answers), proofs(answers)


def proofs(answers):
    """What must be the same on all sides: a sum, or how many rows there are."""
    return tuple(str(first) if rows == 1 else rows for rows, first in answers)


class Bench:
    def __init__(self, args, folder):
        self.args, self.folder, self.report = args, folder, Report(args.runs)
        self.random = random.Random(7)
        threads = os.cpu_count()
        self.trefoil = Trefoil(args.library, folder / "t.trefoil", threads)
        self.duckdb = DuckDB(folder / "t.duckdb", threads)
        self.sqlite = SQLite(folder / "t.sqlite")
        self.sides = {"Trefoil": self.trefoil, "DuckDB": self.duckdb, "SQLite": self.sqlite}
        if engines.PostgreSQL.find():
            self.sides["PostgreSQL"] = PostgreSQL()
        else:
            print("PostgreSQL is not installed: not compared with it")

    def wanted(self, name):
        return not self.args.names or any(part in name for part in self.args.names)

    def load(self):
        rows, file = self.args.rows, self.folder / "t.csv"
        duckdb.sql(f"COPY (SELECT i AS id, hash(i) % {rows // 10} AS a, "
                   f"hash(i * 3 + 1) % 1000 AS b, hash(i * 5 + 2) % {rows} AS c, "
                   f"hash(i * 7 + 3) % 1000 AS d, i * 11 % 1000 AS v, "
                   f"'some text ' || (hash(i * 9) % 1000000) AS s FROM range({rows}) t(i)) "
                   f"TO '{file}' (HEADER false)")
        file.chmod(0o644)
        self.folder.chmod(0o755)
        for name, side in self.sides.items():
            side.run(f"CREATE TABLE t ({COLUMNS})")
            if name in ("Trefoil", "DuckDB"):
                side.run(f"COPY t FROM '{file}'" + (" (HEADER false)" if name == "DuckDB" else ""))
                side.checkpoint()
            else:
                side.load("t", file)
        self.duckdb.run("CREATE TABLE plain AS SELECT * FROM t")

    def build(self):
        """Two that are timed and go, then all that the rest needs."""
        for line, key in (("build an index", "c"),
                          ("build an index over lower(s)", "lower(s)")):
            if not self.wanted(line):
                continue
            times = {}
            for name, side in self.sides.items():
                times[name] = timed(side.run, f"CREATE INDEX t_timed ON t ({key})")[0]
                side.run("DROP INDEX t_timed")
            for rival in list(times)[1:]:
                self.report.add(line, rival, times["Trefoil"], times[rival], self.args.rows)
        for side in self.sides.values():
            for column in INDEXES:
                side.run(f"CREATE INDEX t_{column} ON t ({column})")
        self.trefoil.checkpoint()
        self.trefoil.run("ANALYZE t")
        self.sqlite.run("ANALYZE")
        if "PostgreSQL" in self.sides:
            self.sides["PostgreSQL"].run("VACUUM ANALYZE t")

    def ask(self, name, count, make):
        """`make` answers a statement with other constants each time."""
        if not self.wanted(name):
            return
        statements = [make() for _ in range(1 + count)]
        plain = [sql.replace(" FROM t ", " FROM plain ") for sql in statements]
        short = max(1, count // 20)

        def run(side, statements):
            def work():
                seconds, answers = mean_time(side, statements)
                return seconds, answers[:short]
            return work
        rivals = {rival: run(side, statements) for rival, side in self.sides.items()
                  if rival != "Trefoil"}
        rivals["DuckDB, no index"] = run(self.duckdb, plain)
        # Another text, which was not planned a moment before.
        scanned = [sql.replace("SELECT ", "SELECT  ", 1) for sql in statements[:1 + short]]
        rivals["own scan"] = run(OwnScan(self.trefoil), scanned)
        self.report.compare(name, count, run(self.trefoil, statements), rivals)

    def queries(self):
        rows, pick = self.args.rows, self.random.randrange
        self.ask("equality, 10 rows", 100,
                 lambda: f"SELECT v FROM t WHERE a = {pick(rows // 10)}")

        def ranged(percent):
            width = max(1, int(rows * percent / 100))
            low = pick(rows - width + 1)
            what = "v" if percent < 1 else "sum(v)"
            return f"SELECT {what} FROM t WHERE c BETWEEN {low} AND {low + width - 1}"
        for percent, count in ((0.01, 20), (0.1, 5), (1, 2), (10, 1), (50, 1), (90, 1)):
            self.ask(f"range, {percent} %", count, lambda percent=percent: ranged(percent))
        self.ask("AND of two, 0.1 % each", 20,
                 lambda: f"SELECT v FROM t WHERE b = {pick(1000)} AND d = {pick(1000)}")
        self.ask("OR of two", 50, lambda: f"SELECT v FROM t WHERE a = {pick(rows // 10)} "
                                          f"OR c = {pick(rows)}")
        self.ask("IN of 1000", 5, lambda: "SELECT v FROM t WHERE a IN (" + ", ".join(
            str(pick(rows // 10)) for _ in range(1000)) + ")")
        self.ask("covering: count(*) of 1 %", 2, lambda: ranged(1).replace("sum(v)", "count(*)"))
        order = self.random.choice
        self.ask("ORDER BY c LIMIT 10", 10,
                 lambda: f"SELECT c, s FROM t ORDER BY c{order(['', ' DESC'])} LIMIT 10")

    def insert(self):
        """100,000 rows in one statement, into tables with as many rows and so many indexes."""
        count = min(100_000, self.args.rows // 2)
        for number in (0, 1, 3):
            name = f"insert {count} rows, {number} indexes"
            if not self.wanted(name):
                continue
            times = {}
            for side_name, side in self.sides.items():
                side.run(f"CREATE TABLE target ({COLUMNS})")
                side.run(f"INSERT INTO target SELECT * FROM t WHERE id < {count}")
                for column in INDEXES[:number]:
                    side.run(f"CREATE INDEX target_{column} ON target ({column})")
                sql = ("INSERT INTO target SELECT * FROM t "
                       f"WHERE id BETWEEN {count} AND {2 * count - 1}")
                times[side_name] = timed(side.run, sql)[0]
                side.run("DROP TABLE target")
            for rival in list(times)[1:]:
                self.report.add(name, rival, times["Trefoil"], times[rival], count)

    def close(self):
        for side in self.sides.values():
            side.close()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--library", required=True)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--folder", default="/var/tmp")
    parser.add_argument("names", nargs="*", metavar="NAME")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-indexes-", dir=args.folder) as folder:
        print_circumstances(os.cpu_count())
        bench = Bench(args, pathlib.Path(folder))
        try:
            bench.load()
            bench.build()
            bench.queries()
            bench.insert()
        finally:
            bench.close()
    print(json.dumps(bench.report.lines, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
