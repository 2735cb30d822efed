"""TPC-H, at scale factor 0.01 if no other is named: all 22 queries must give DuckDB's answers.

    tests/tpch/run.py --program BUILD/trefoil              compare with answers/*.csv
    tests/tpch/run.py --program BUILD/trefoil --scale 1    compare with DuckDB's in the same run
    tests/tpch/run.py --record                             record answers/*.csv

The last two need the Python with duckdb that tools/setup.sh --bench sets up.

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
RECORDED = "0.01"  # the scale of answers/
DIGITS = decimal.Decimal("1e-9")
TIMEOUT_S = 300


def make_data(scale):
    """The folder with TABLE.csv for each table; None, after saying so, if they cannot be made."""
    folder = CACHE / f"tpch-{scale}"
    if all((folder / f"{name}.csv").is_file() for name in TABLES):
        return folder
    generator = CACHE / "tools/bin/tpchgen-cli"
    if not generator.is_file():
        print("tpchgen-cli is missing; tools/setup.sh installs it")
        return None
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="tpch-", dir=CACHE) as fresh:
        subprocess.run([generator, "csv", "-s", scale, "--output-dir", fresh],
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


def ask_duckdb(data):
    """The answers to all queries, by name, as rows of text."""
    import duckdb
    session = duckdb.connect()
    session.execute(load_script(data))
    answers = {}
    for query in sorted((HERE / "queries").glob("*.sql")):
        out = io.StringIO()
        rows = session.execute(query.read_text()).fetchall()
        csv.writer(out, lineterminator="\n").writerows(rows)
        answers[query.stem] = out.getvalue()
    return answers


def compare(program, scale):
    data = make_data(scale)
    if data is None:
        excused = (CACHE / "tools.unreachable").exists()
        print("0 passed, 0 failed" if excused else "0 passed, 22 failed")
        return 0 if excused else 1
    if scale == RECORDED:
        answers = {file.stem: file.read_text() for file in (HERE / "answers").glob("*.csv")}
    else:
        answers = ask_duckdb(data)
    passed = failed = 0
    with tempfile.TemporaryDirectory(prefix="tpch-") as folder:
        database = f"{folder}/tpch.trefoil"
        run_program(program, database, load_script(data))
        for query in sorted((HERE / "queries").glob("*.sql")):
            try:
                got = run_program(program, database, query.read_text())
                wrong = difference(got, read_rows(answers[query.stem]))
            except (RuntimeError, subprocess.TimeoutExpired) as error:
                wrong = str(error)
            passed, failed = passed + (not wrong), failed + bool(wrong)
            if wrong:
                print(f"{query.stem}: {wrong}")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


def record():
    data = make_data(RECORDED)
    if data is None:
        return 1
    for name, answer in ask_duckdb(data).items():
        (HERE / "answers" / f"{name}.csv").write_text(answer)
        print(f"{name}: {len(read_rows(answer))} rows")
    return 0


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--program")
    parser.add_argument("--record", action="store_true")
    parser.add_argument("--scale", default=RECORDED)
    args = parser.parse_args()
    return record() if args.record else compare(args.program, args.scale)


if __name__ == "__main__":
    sys.exit(main())
