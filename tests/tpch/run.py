"""TPC-H at scale factor 0.01: all 22 queries must give the answers that DuckDB gives.

    tests/tpch/run.py --program BUILD/trefoil    compare with answers/*.csv
    tests/tpch/run.py --record                   record answers/*.csv with DuckDB, which
                                                 tools/setup.sh --bench installs

The data come from tpchgen-cli, which tools/setup.sh installs, and stay in the cache folder. They
are loaded with COPY, as a user would. A number passes if it agrees to nine digits, or, where one
side gives fewer decimals (we keep the average of a DECIMAL a DECIMAL, with six), to those, at least
four. Sums of decimals are exact on both sides. Ties may come in any order.
"""
import argparse
import csv
import decimal
import io
import os
import pathlib
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "trefoil"
TABLES = ["region", "nation", "supplier", "part", "partsupp", "customer", "orders", "lineitem"]
SCALE = "0.01"
DIGITS = decimal.Decimal("1e-9")
TIMEOUT_S = 300


def make_data():
    """The folder with TABLE.csv for each table; None, after saying so, if they cannot be made."""
    folder = CACHE / f"tpch-{SCALE}"
    if all((folder / f"{name}.csv").is_file() for name in TABLES):
        return folder
    generator = CACHE / "tools/bin/tpchgen-cli"
    if not generator.is_file():
        print("tpchgen-cli is missing; tools/setup.sh installs it")
        return None
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="tpch-", dir=CACHE) as fresh:
        subprocess.run([generator, "csv", "-s", SCALE, "--output-dir", fresh],
                       check=True, stdout=subprocess.DEVNULL)
        made = pathlib.Path(fresh) / "data"
        made.mkdir()
        for name in TABLES:
            (pathlib.Path(fresh) / f"{name}.csv").rename(made / f"{name}.csv")
        try:
            made.rename(folder)
        except OSError:
            pass  # another run was faster
    return folder


def load_script(data):
    copies = [f"COPY {name} FROM '{data / name}.csv' (HEADER);" for name in TABLES]
    return (HERE / "schema.sql").read_text() + "\n" + "\n".join(copies) + "\n"


def read_rows(text):
    """CSV as rows; a row of one NULL is an empty line."""
    return [row or [""] for row in csv.reader(io.StringIO(text))]


def run_program(program, database, sql):
    """What the shell answers, as rows of text; an exception with what it says if it fails."""
    done = subprocess.run([program, database, "--csv", "--no-header"], input=sql, text=True,
                          capture_output=True, timeout=TIMEOUT_S)
    if done.returncode != 0 or done.stderr:
        raise RuntimeError(done.stderr.strip() or f"it ended with code {done.returncode}")
    return read_rows(done.stdout)


def as_number(text):
    try:
        return decimal.Decimal(text)
    except decimal.InvalidOperation:
        return None


def decimals(number):
    return max(0, -number.as_tuple().exponent)


def same_field(got, expected):
    if got == expected:
        return True
    a, b = as_number(got), as_number(expected)
    if a is None or b is None:
        return False
    shorter, longer = sorted((decimals(a), decimals(b)))
    rounding = decimal.Decimal(10) ** -shorter if 4 <= shorter < longer else 0
    return abs(a - b) <= max(DIGITS * max(abs(a), abs(b)), rounding)


def same_row(got, expected):
    return len(got) == len(expected) and all(map(same_field, got, expected))


def difference(got, expected):
    """"" if both have the same rows, else where they first differ."""
    if len(got) != len(expected):
        return f"{len(got)} rows, expected {len(expected)}"
    rest = list(expected)
    for number, row in enumerate(got):
        # In its place, or, among ties, a little further on.
        match = next((other for other in rest[:8] if same_row(row, other)), None)
        if match is None:
            return f"row {number + 1}:\n    got      {row}\n    expected {rest[0]}"
        rest.remove(match)
    return ""


def compare(program):
    data = make_data()
    if data is None:
        excused = (CACHE / "tools.unreachable").exists()
        print("0 passed, 0 failed" if excused else "0 passed, 22 failed")
        return 0 if excused else 1
    passed = failed = 0
    with tempfile.TemporaryDirectory(prefix="tpch-") as folder:
        database = f"{folder}/tpch.trefoil"
        run_program(program, database, load_script(data))
        for query in sorted((HERE / "queries").glob("*.sql")):
            answer = (HERE / "answers" / f"{query.stem}.csv").read_text()
            try:
                got = run_program(program, database, query.read_text())
                wrong = difference(got, read_rows(answer))
            except (RuntimeError, subprocess.TimeoutExpired) as error:
                wrong = str(error)
            passed, failed = passed + (not wrong), failed + bool(wrong)
            if wrong:
                print(f"{query.stem}: {wrong}")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


def record():
    import duckdb
    data = make_data()
    if data is None:
        return 1
    session = duckdb.connect()
    session.execute(load_script(data))
    for query in sorted((HERE / "queries").glob("*.sql")):
        rows = session.execute(query.read_text()).fetchall()
        with open(HERE / "answers" / f"{query.stem}.csv", "w", newline="") as out:
            csv.writer(out, lineterminator="\n").writerows(rows)
        print(f"{query.stem}: {len(rows)} rows")
    return 0


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--program")
    parser.add_argument("--record", action="store_true")
    args = parser.parse_args()
    return record() if args.record else compare(args.program)


if __name__ == "__main__":
    sys.exit(main())
