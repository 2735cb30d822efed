"""Random queries must give the answers that PostgreSQL and DuckDB give.

    tools/python.sh tests/differential/run.py --library BUILD/lib/libtrefoil.so
        [--queries N] [--seed S] [--failures N] [--only SYSTEM]

Each seed is a schema with data (generate.py) of which 40 queries are asked; of every other schema
in batches of a few rows, so that plans are those of large tables. PostgreSQL, where it is
installed, decides: a query fails if its rows differ, or if one of both answers and the other does
not. DuckDB (of tools/setup.sh --bench) is asked too: where there is no PostgreSQL it decides, else
the queries in which it alone differs are only counted, as its rules are others (casts, errors).
Rows are compared without their order unless the query has ORDER BY; numbers to nine digits, as
their types differ. A failure prints what is needed to see it again. The last line is `N passed, N
failed`.
"""
import argparse
import collections
import decimal
import math
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
PER_SCHEMA = 40
# Even tables of a few rows are split among threads then.
PARALLEL = ["SET batch_size = 3", "SET target_partitions = 4"]
# What depends on the order in which conditions are evaluated, which SQL leaves open.
EVALUATION = {"22003", "22012", "22008"}


def number(text):
    try:
        return decimal.Decimal(text)
    except decimal.InvalidOperation:
        return None


def same_value(a, b):
    if a == b:
        return True
    if a is None or b is None:
        return False
    if {a, b} in ({"t", "true"}, {"f", "false"}, {"True", "true"}, {"False", "false"}):
        return True
    x, y = number(a), number(b)
    if x is None or y is None or not (x.is_finite() and y.is_finite()):
        return a.lower() == b.lower() and x is not None
    return x == y or math.isclose(x, y, rel_tol=1e-9, abs_tol=2e-6 if "." in a + b else 0)


def sort_key(row):
    """Rows that are the same get the same place: numbers in few digits, booleans in letters."""
    key = []
    for value in row:
        n = number(value) if value is not None else None
        if n is not None and n.is_finite():
            key.append((1, f"{float(n) + 0.0:.4g}"))
        else:
            word = {"t": "true", "f": "false"}.get(value, value)
            key.append((0, "") if value is None else (2, word))
    return key


def same_rows(ours, theirs, ordered):
    if len(ours) != len(theirs):
        return False
    if not ordered:
        ours, theirs = sorted(ours, key=sort_key), sorted(theirs, key=sort_key)
    return all(len(a) == len(b) and all(map(same_value, a, b)) for a, b in zip(ours, theirs))


def agree(sql, ours, theirs):
    if ours.rows is None or theirs.rows is None:
        if ours.sqlstate == "0A000" or ours.sqlstate.startswith("XX"):
            return False
        both = ours.rows is None and theirs.rows is None
        return both or (ours.sqlstate or theirs.sqlstate) in EVALUATION
    ordered = " ORDER BY 1" in sql or sql.startswith("SELECT DISTINCT ON")
    return same_rows(ours.rows, theirs.rows, ordered)


def shown(answer):
    if answer.rows is None:
        return f"ERROR {answer.sqlstate}: {answer.message.splitlines()[0][:300]}"
    def cell(value):
        return "NULL" if value is None else value if value.strip() == value != "" else repr(value)

    lines = [" | ".join(map(cell, row))
             for row in sorted(answer.rows, key=sort_key)]
    more = [f"... {len(lines)} rows"] if len(lines) > 12 else []
    return "\n    ".join([f"{len(lines)} rows", *lines[:12], *more])


class Run:
    def __init__(self, trefoil, oracles, failures_shown):
        self.trefoil, self.oracles, self.failures_shown = trefoil, oracles, failures_shown
        self.passed = self.failed = 0
        self.counts = collections.Counter()

    def schema(self, seed, queries):
        from generate import Generator
        generator = Generator(seed)
        asked = [generator.query() for _ in range(queries)]
        systems = [self.trefoil, *self.oracles]
        answers = []
        for system in systems:
            system.open()
            made = system.run(generator.statements)
            if system is self.trefoil and seed % 2 == 0:
                made += system.run(PARALLEL)
            wrong = [a.message for a in made if a.rows is None]
            assert not wrong, f"{system.name}: {wrong}"
            answers.append(system.run(asked))
        for sql, (ours, *theirs) in zip(asked, zip(*answers)):
            self.judge(seed, generator, sql, ours, theirs)

    def judge(self, seed, generator, sql, ours, theirs):
        verdicts = [agree(sql, ours, answer) for answer in theirs]
        self.counts["with rows"] += bool(ours.rows)
        if ours.rows is None:
            self.counts[f"error {ours.sqlstate}"] += 1
        for system, verdict in list(zip(self.oracles, verdicts))[1:]:
            self.counts[f"{system.name} alone differs"] += verdicts[0] and not verdict
        if verdicts[0]:
            self.passed += 1
            return
        self.failed += 1
        if self.failed > self.failures_shown:
            return
        print(f"---- seed {seed}\n{sql};\n  Trefoil: {shown(ours)}")
        for system, answer in zip(self.oracles, theirs):
            print(f"  {system.name}: {shown(answer)}")
        sys.stdout.flush()


def oracles(only):
    from engines import DuckDB, PostgreSQL
    found = []
    programs = PostgreSQL.find()
    if programs is None:
        print("PostgreSQL is not installed: not compared with it")
    elif only in (None, "postgresql"):
        found.append(PostgreSQL(programs))
    try:
        import duckdb
        if only in (None, "duckdb"):
            found.append(DuckDB(duckdb))
    except ImportError:
        print("the Python package duckdb is missing (tools/setup.sh --bench): not compared with it")
    return found


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--library", required=True)
    parser.add_argument("--queries", type=int, default=400)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--failures", type=int, default=10)
    parser.add_argument("--only", choices=["postgresql", "duckdb"])
    args = parser.parse_args()
    sys.path.insert(0, str(HERE))
    from engines import Trefoil
    found = oracles(args.only)
    if not found:
        print("skipped: there is no system to compare with\n0 passed, 0 failed")
        return 0
    run = Run(Trefoil(args.library), found, args.failures)
    try:
        for n in range(0, args.queries, PER_SCHEMA):
            run.schema(args.seed + n // PER_SCHEMA, min(PER_SCHEMA, args.queries - n))
    finally:
        for system in [run.trefoil, *found]:
            system.close()
    print(", ".join(f"{name}: {count}" for name, count in sorted(run.counts.items())))
    print(f"{run.passed} passed, {run.failed} failed")
    return 1 if run.failed else 0


if __name__ == "__main__":
    sys.exit(main())
