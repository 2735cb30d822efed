"""Random changes of tables with foreign keys must do what PostgreSQL does.

    tests/differential/references.py --library BUILD/lib/libtrefoil.so [--seeds N] [--first S]

Each seed is six tables that refer to each other with random actions, and some hundred changes of
them, single and in transactions, that succeed or are refused. Each must end with the same SQLSTATE
in both systems, and the tables must hold the same rows all the way; every other seed does without
indexes. What PostgreSQL makes depend on the order of its triggers is left out: NO ACTION and
RESTRICT stand where no CASCADE comes to help.
The last line is `N passed, N failed`; without PostgreSQL nothing is compared, and it says so.
"""
import argparse
import pathlib
import random
import sys

HERE = pathlib.Path(__file__).resolve().parent
TABLES = ["p", "q", "c", "g", "lone", "tree"]
KEYS = 7
# Of one row or another of the same INSERT: which is met first is nobody's promise.
ANY_ROW = {"23505", "23514"}


class Changes:
    def __init__(self, seed):
        self.random = random.Random(seed)
        self.statements = self.schema()
        for _ in range(120):
            self.statements += self.block() if self.random.random() < 0.15 else [self.change()]

    def actions(self, choices):
        pick = self.random.choice
        return f"ON DELETE {pick(choices)} ON UPDATE {pick(choices)}"

    def schema(self):
        moving = ["CASCADE", "SET NULL", "SET DEFAULT"]
        fixed = ["NO ACTION", "RESTRICT"]
        match = self.random.choice(["", "MATCH FULL"])
        made = [
            "CREATE TABLE p (id INT PRIMARY KEY, u BIGINT UNIQUE)",
            "CREATE TABLE q (a INT, b TEXT, n INT, PRIMARY KEY (a, b))",
            "CREATE TABLE c (id INT PRIMARY KEY, p INT DEFAULT 1, qa INT, qb TEXT DEFAULT 'x', "
            f"FOREIGN KEY (p) REFERENCES p {self.actions(moving)}, "
            f"FOREIGN KEY (qb, qa) REFERENCES q (b, a) {match} {self.actions(moving)})",
            f"CREATE TABLE g (id INT PRIMARY KEY, c INT DEFAULT 2 REFERENCES c "
            f"{self.actions(moving)}, u BIGINT REFERENCES p (u) {self.actions(moving)}, "
            "CHECK (c IS NULL OR c <> 5))",
            f"CREATE TABLE lone (id INT PRIMARY KEY, p INT REFERENCES p {self.actions(fixed)}, "
            f"a INT, b TEXT, FOREIGN KEY (a, b) REFERENCES q {self.actions(fixed)})",
            "CREATE TABLE tree (id INT PRIMARY KEY, up INT REFERENCES tree "
            f"{self.actions([self.random.choice(moving[:2] + fixed[:1])])})",
        ]
        for index in ["c (p)", "c (qa, qb)", "c (qb)", "g (c, u)", "g (u)", "lone (p)",
                      "lone (b, a)", "tree (up)"]:
            if self.random.random() < 0.4:
                made.append(f"CREATE INDEX ON {index}")
        return made

    def key(self):
        return self.random.randint(0, KEYS)

    def maybe(self, value):
        return "NULL" if self.random.random() < 0.25 else str(value)

    def text(self):
        return f"'{self.random.choice('xyz')}'"

    def row(self, table):
        key, maybe = self.key, self.maybe
        return {
            "p": lambda: [key(), maybe(key() * 10)],
            "q": lambda: [self.random.randint(0, 2), self.text(), key()],
            "c": lambda: [key(), maybe(key()), maybe(self.random.randint(0, 2)),
                          maybe(self.text())],
            "g": lambda: [key(), maybe(key()), maybe(key() * 10)],
            "lone": lambda: [key(), maybe(key()), maybe(self.random.randint(0, 2)),
                             maybe(self.text())],
            "tree": lambda: [key(), maybe(key())],
        }[table]()

    def condition(self, table):
        if table == "q":
            return f"a = {self.random.randint(0, 2)} AND b = {self.text()}"
        keys = ", ".join(str(self.key()) for _ in range(self.random.choice([1, 1, 2, 4])))
        return f"id IN ({keys})" if "," in keys else f"id = {keys}"

    def change(self):
        table = self.random.choice(TABLES)
        kind = self.random.random()
        if kind < 0.55:
            rows = ", ".join("(" + ", ".join(map(str, self.row(table))) + ")"
                             for _ in range(self.random.choice([1, 1, 1, 2, 3])))
            ending = self.random.choice(["", "", " ON CONFLICT DO NOTHING"])
            return f"INSERT INTO {table} VALUES {rows}{ending}"
        if kind < 0.75:
            return f"DELETE FROM {table} WHERE {self.condition(table)}"
        return f"UPDATE {table} SET {self.assignment(table)} WHERE {self.one(table)}"

    def one(self, table):
        if table == "q":
            return f"a = {self.random.randint(0, 2)} AND b = {self.text()}"
        return f"id = {self.key()}"

    def assignment(self, table):
        key, maybe = self.key, self.maybe
        return self.random.choice({
            "p": [f"id = {key()}", f"u = {maybe(key() * 10)}", f"id = {key()}, u = {key() * 10}"],
            "q": [f"a = {key() % 3}", f"b = {self.text()}", f"n = {key()}"],
            "c": [f"id = {key()}", f"p = {maybe(key())}", f"qa = {maybe(key() % 3)}",
                  f"qa = {key() % 3}, qb = {self.text()}"],
            "g": [f"c = {maybe(key())}", f"u = {maybe(key() * 10)}", f"id = {key()}"],
            "lone": [f"p = {maybe(key())}", f"a = {maybe(key() % 3)}, b = {self.text()}"],
            "tree": [f"up = {maybe(key())}", f"id = {key()}", f"id = {key()}, up = {key()}"],
        }[table])

    def block(self):
        work = [self.change() for _ in range(self.random.randint(2, 4))]
        middle = ["SAVEPOINT s", self.change(), "ROLLBACK TO s"]
        return ["BEGIN", *work, *middle, self.change(), self.random.choice(["COMMIT", "ROLLBACK"])]


def compared(statements):
    """The statements, and after each what the tables hold."""
    state = " UNION ALL ".join(
        f"SELECT '{t}' AS t, CAST({columns} AS TEXT) AS r FROM {t}" for t, columns in [
            ("p", "id || ':' || coalesce(CAST(u AS TEXT), '-')"),
            ("q", "a || ':' || b || ':' || n"),
            ("c", "id || ':' || coalesce(CAST(p AS TEXT), '-') || ':' || "
                  "coalesce(CAST(qa AS TEXT), '-') || ':' || coalesce(qb, '-')"),
            ("g", "id || ':' || coalesce(CAST(c AS TEXT), '-') || ':' || "
                  "coalesce(CAST(u AS TEXT), '-')"),
            ("lone", "id || ':' || coalesce(CAST(p AS TEXT), '-') || ':' || "
                     "coalesce(CAST(a AS TEXT), '-') || ':' || coalesce(b, '-')"),
            ("tree", "id || ':' || coalesce(CAST(up AS TEXT), '-')"),
        ])
    out = []
    for sql in statements:
        out.append(sql)
        if not sql.startswith(("CREATE", "BEGIN", "SAVEPOINT")):
            out.append(state)
    return out


def differs(ours, theirs):
    if ours.rows is None or theirs.rows is None:
        return ours.sqlstate != theirs.sqlstate and {ours.sqlstate, theirs.sqlstate} != ANY_ROW
    return sorted(ours.rows) != sorted(theirs.rows)


def shown(answer):
    if answer.rows is None:
        return f"ERROR {answer.sqlstate}: {answer.message.splitlines()[0]}"
    return " ".join(":".join(str(v) for v in row) for row in sorted(answer.rows))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--library", required=True)
    parser.add_argument("--seeds", type=int, default=12)
    parser.add_argument("--first", type=int, default=1)
    args = parser.parse_args()
    sys.path.insert(0, str(HERE))
    from engines import PostgreSQL, Trefoil
    programs = PostgreSQL.find()
    if programs is None:
        print("skipped: PostgreSQL is not installed\n0 passed, 0 failed")
        return 0
    systems = [Trefoil(args.library), PostgreSQL(programs)]
    passed = failed = refused = 0
    try:
        for seed in range(args.first, args.first + args.seeds):
            statements = compared(Changes(seed).statements)
            for system in systems:
                system.open()
            if seed % 2:
                systems[0].run(["SET trefoil.use_indexes = off"])
            answers = list(zip(*(system.run(statements) for system in systems)))
            refused += sum(ours.sqlstate == "23503" for ours, _ in answers)
            wrong = next((i for i, pair in enumerate(answers) if differs(*pair)), None)
            if wrong is None:
                passed += len(answers)
                continue
            failed += 1
            print(f"---- seed {seed}, after")
            print("\n".join(f"{sql};" for sql in statements[:wrong + 1]
                            if not sql.startswith("SELECT")))
            for system, answer in zip(systems, answers[wrong]):
                print(f"  {system.name}: {shown(answer)}")
    finally:
        for system in systems:
            system.close()
    print(f"{refused} changes were refused by a foreign key")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
