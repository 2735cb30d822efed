"""Random schemas, data and queries in the SQL that Trefoil, PostgreSQL and DuckDB share.

`Generator(seed)` is a schema with its data (`statements`) and an endless source of queries
(`query()`). One seed gives the same text for ever, on every machine. Expressions are made by type
and depth. Answers must not depend on what SQL leaves open: LIMIT stands after an ORDER BY of all
columns, window functions are ordered by a key, numbers stay small enough not to overflow, and
divisors are never zero (NULLIF).
"""
import random

INT, DEC, DBL, TEXT, DATE, TS, BOOL = "INT", "DEC", "DBL", "TEXT", "DATE", "TS", "BOOL"
SQL_TYPES = {INT: "INTEGER", DEC: "DECIMAL(10,2)", DBL: "DOUBLE PRECISION", TEXT: "TEXT",
             DATE: "DATE", TS: "TIMESTAMP", BOOL: "BOOLEAN"}
TYPES = list(SQL_TYPES)
WORDS = ["", "a", "b", "ab", "Ab", "abc", "b%c", "a_c", " a ", "漢字", "zz", "10", "x'y"]
COMPARISONS = ["=", "<>", "<", "<=", ">", ">="]


def quoted(text):
    return "'" + text.replace("'", "''") + "'"


class Generator:
    def __init__(self, seed):
        self.random = random.Random(seed)
        self.tables = {f"t{n}": self.columns() for n in range(3)}
        self.aliases = 0
        self.statements = [s for name in self.tables for s in self.make_table(name)]

    # ---- schema and data -------------------------------------------------------------------

    def columns(self):
        """name -> type; k is the key, i and s are in every table so that joins have something."""
        columns = {"k": INT, "i": INT, "s": TEXT}
        for n in range(self.random.randint(2, 6)):
            columns[f"c{n}"] = self.random.choice(TYPES)
        return columns

    def make_table(self, name):
        columns = self.tables[name]
        inside = ", ".join(f"{c} {SQL_TYPES[t]}" + (" PRIMARY KEY" if c == "k" else "")
                           for c, t in columns.items())
        yield f"CREATE TABLE {name} ({inside})"
        count = self.random.choice([0, 1, 5, 12, 25])
        for start in range(0, count, 10):
            rows = [", ".join([str(k)] + [self.stored(t) for c, t in columns.items() if c != "k"])
                    for k in range(start, min(start + 10, count))]
            yield f"INSERT INTO {name} VALUES " + ", ".join(f"({row})" for row in rows)

    def stored(self, kind):
        return "NULL" if self.random.random() < 0.2 else self.literal(kind)

    def literal(self, kind):
        pick = self.random.choice
        if kind == INT:
            return str(self.random.choice([0, 1, 2, 3, 5, 10, -1, -7, 100]))
        if kind == DEC:
            number = pick(['0.00', '1.50', '2.25', '-3.10', '10.00', '99.99'])
            return f"CAST({number} AS DECIMAL(10,2))"
        if kind == DBL:
            return f"CAST({pick(['0.0', '0.5', '1.25', '-2.5', '100.75'])} AS DOUBLE PRECISION)"
        if kind == TEXT:
            return quoted(pick(WORDS))
        if kind == DATE:
            return f"DATE '{self.day()}'"
        if kind == TS:
            clock = pick(["00:00:00", "12:34:56", "23:59:59"])
            return f"TIMESTAMP '{self.day()} {clock}'"
        return pick(["TRUE", "FALSE"])

    def day(self):
        return self.random.choice(["2023-12-31", "2024-01-01", "2024-02-29", "2024-03-01",
                                   "2024-12-25", "2025-06-15", "1999-07-04"])

    # ---- expressions -----------------------------------------------------------------------

    def expression(self, kind, scope, depth=2):
        """An expression of a type over the columns of scope: a list of (text, type)."""
        columns = [text for text, known in scope if known == kind]
        if depth <= 0 or self.random.random() < 0.25:
            if columns and self.random.random() < 0.8:
                return self.random.choice(columns)
            return "NULL" if self.random.random() < 0.04 and columns else self.literal(kind)
        makers = [self.any_case, self.any_coalesce, getattr(self, "make_" + kind.lower())]
        maker = self.random.choices(makers, [1, 1, 6])[0]
        return maker(kind, scope, depth - 1)

    def any_case(self, kind, scope, depth):
        e = lambda k: self.expression(k, scope, depth)
        otherwise = f" ELSE {e(kind)}" if self.random.random() < 0.7 else ""
        return f"CASE WHEN {e(BOOL)} THEN {self.typed(kind, scope, depth)}{otherwise} END"

    def typed(self, kind, scope, depth=2):
        """As expression(), but never a bare NULL, which has no type."""
        text = self.expression(kind, scope, depth)
        return text if text != "NULL" else self.literal(kind)

    def any_coalesce(self, kind, scope, depth):
        a, b = self.typed(kind, scope, depth), self.typed(kind, scope, depth)
        return self.random.choice([f"COALESCE({a}, {b})", f"NULLIF({a}, {b})"])

    def make_int(self, _, scope, depth):
        e = lambda k: self.typed(k, scope, depth)
        return self.random.choice([
            lambda: f"({e(INT)} {self.random.choice('+-')} {e(INT)})",
            lambda: f"({e(INT)} * {self.literal(INT)})",
            lambda: f"({e(INT)} / NULLIF({e(INT)}, 0))",
            lambda: f"({e(INT)} % NULLIF({e(INT)}, 0))",
            lambda: f"(- {e(INT)})",
            lambda: f"ABS({e(INT)})",
            lambda: f"LENGTH({e(TEXT)})",
            lambda: f"POSITION({quoted(self.random.choice(['a', 'b', '']))} IN {e(TEXT)})",
            lambda: f"({e(DATE)} - {e(DATE)})",
            lambda: f"CAST(EXTRACT({self.random.choice(['YEAR', 'MONTH', 'DAY', 'DOW', 'DOY'])} "
                    f"FROM {e(self.random.choice([DATE, TS]))}) AS INTEGER)",
            lambda: f"CAST({e(DEC)} AS INTEGER)",
            lambda: f"CAST({e(DBL)} AS INTEGER)",
            lambda: f"GREATEST({e(INT)}, {e(INT)})",
            lambda: f"LEAST({e(INT)}, {e(INT)})",
            lambda: f"CAST({e(BOOL)} AS INTEGER)",
        ])()

    def make_dec(self, _, scope, depth):
        e = lambda k: self.typed(k, scope, depth)
        return self.random.choice([
            lambda: f"({e(DEC)} {self.random.choice('+-')} {e(DEC)})",
            lambda: f"({e(DEC)} * {self.literal(INT)})",
            lambda: f"ABS({e(DEC)})",
            lambda: f"ROUND({e(DEC)}, {self.random.randint(0, 1)})",
            lambda: f"CAST({e(INT)} AS DECIMAL(10,2))",
            lambda: f"(- {e(DEC)})",
        ])()

    def make_dbl(self, _, scope, depth):
        e = lambda k: self.typed(k, scope, depth)
        return self.random.choice([
            lambda: f"({e(DBL)} {self.random.choice('+-*')} {self.literal(DBL)})",
            lambda: f"({e(DBL)} / NULLIF({e(DBL)}, 0))",
            lambda: f"SQRT(ABS({e(DBL)}))",
            lambda: f"{self.random.choice(['FLOOR', 'CEIL', 'ABS'])}({e(DBL)})",
            lambda: f"CAST({e(self.random.choice([INT, DEC]))} AS DOUBLE PRECISION)",
            lambda: f"({e(INT)} + {e(DBL)})",
        ])()

    def make_text(self, _, scope, depth):
        e = lambda k: self.typed(k, scope, depth)
        n = lambda low, high: self.random.randint(low, high)
        return self.random.choice([
            lambda: f"({e(TEXT)} || {e(TEXT)})",
            lambda: f"{self.random.choice(['UPPER', 'LOWER', 'TRIM', 'LTRIM', 'RTRIM', 'REVERSE'])}"
                    f"({e(TEXT)})",
            lambda: f"SUBSTRING({e(TEXT)} FROM {n(1, 3)} FOR {n(0, 3)})",
            lambda: f"SUBSTRING({e(TEXT)}, {n(1, 3)})",
            lambda: f"REPLACE({e(TEXT)}, 'a', {quoted(self.random.choice(['', 'xx', 'b']))})",
            lambda: f"{self.random.choice(['LEFT', 'RIGHT'])}({e(TEXT)}, {n(0, 3)})",
            lambda: f"{self.random.choice(['LPAD', 'RPAD'])}({e(TEXT)}, {n(0, 5)}, '*')",
            lambda: f"REPEAT({e(TEXT)}, {n(0, 2)})",
            lambda: f"CONCAT({e(TEXT)}, {e(TEXT)})",
            lambda: f"SPLIT_PART({e(TEXT)}, 'b', {n(1, 2)})",
            lambda: f"CAST({e(self.random.choice([INT, DATE]))} AS TEXT)",
        ])()

    def make_date(self, _, scope, depth):
        e = lambda k: self.typed(k, scope, depth)
        return self.random.choice([
            lambda: f"({e(DATE)} {self.random.choice('+-')} {self.random.randint(0, 40)})",
            lambda: f"CAST({e(TS)} AS DATE)",
            lambda: f"CAST(DATE_TRUNC('{self.random.choice(['month', 'year', 'week', 'quarter'])}'"
                    f", {e(TS)}) AS DATE)",
            lambda: f"GREATEST({e(DATE)}, {e(DATE)})",
        ])()

    def make_ts(self, _, scope, depth):
        e = lambda k: self.typed(k, scope, depth)
        step = self.random.choice(["1 day", "2 hours", "1 month", "90 minutes", "1 year"])
        return self.random.choice([
            lambda: f"({e(TS)} {self.random.choice('+-')} INTERVAL '{step}')",
            lambda: f"DATE_TRUNC('{self.random.choice(['hour', 'day', 'month', 'year'])}', "
                    f"{e(TS)})",
            lambda: f"CAST({e(DATE)} AS TIMESTAMP)",
        ])()

    def make_bool(self, _, scope, depth):
        e = lambda k: self.typed(k, scope, depth)
        kind = self.random.choice([INT, DEC, DBL, TEXT, DATE, TS])
        test = self.random.choice(["IS NULL", "IS NOT NULL"])
        return self.random.choice([
            lambda: f"({e(kind)} {self.random.choice(COMPARISONS)} {e(kind)})",
            lambda: f"({e(INT)} {self.random.choice(COMPARISONS)} "
                    f"{e(self.random.choice([DEC, DBL]))})",
            lambda: f"({e(BOOL)} {self.random.choice(['AND', 'OR'])} {e(BOOL)})",
            lambda: f"(NOT {e(BOOL)})",
            lambda: f"({e(self.random.choice(TYPES))} {test})",
            lambda: f"({e(kind)} {self.maybe_not()}BETWEEN {e(kind)} AND {e(kind)})",
            lambda: f"({e(kind)} {self.maybe_not()}IN ({e(kind)}, {self.literal(kind)}, "
                    f"{self.stored(kind)}))",
            lambda: self.lists(e(kind), kind),
            lambda: f"({e(TEXT)} {self.maybe_not()}LIKE {self.pattern()})",
            lambda: f"({e(TEXT)} ILIKE {self.pattern()})",
            lambda: f"({e(kind)} IS {self.maybe_not()}DISTINCT FROM {e(kind)} "
                    f"{self.random.choice(['AND', 'OR'])} {e(BOOL)})",
            lambda: f"({e(BOOL)} IS {self.maybe_not()}{self.random.choice(['TRUE', 'FALSE'])})",
        ])()

    def lists(self, value, kind):
        """Several lists about one value, which an optimiser may want to make one of."""
        def one():
            items = [self.stored(kind) for _ in range(self.random.randint(1, 4))]
            return f"{value} {self.maybe_not()}IN ({', '.join(items)})"
        word = self.random.choice([" AND ", " OR "])
        return f"({word.join(one() for _ in range(self.random.randint(2, 3)))})"

    def maybe_not(self):
        return self.random.choice(["", "", "NOT "])

    def pattern(self):
        return quoted(self.random.choice(["a%", "%b%", "_", "%", "", "a_c", "%c", "A%", "%字%"]))

    # ---- queries ---------------------------------------------------------------------------

    def alias(self):
        self.aliases += 1
        return f"a{self.aliases}"

    def table(self):
        """A table under an alias, and its scope."""
        name, alias = self.random.choice(list(self.tables)), self.alias()
        scope = [(f"{alias}.{c}", t) for c, t in self.tables[name].items()]
        return f"{name} AS {alias}", scope

    def source(self):
        """What stands after FROM, and its scope."""
        shape = self.random.random()
        if shape < 0.45:
            return self.table()
        if shape < 0.55:
            return self.derived()
        left, scope = self.table()
        for _ in range(self.random.choice([1, 1, 2])):
            right, more = self.table()
            kind = self.random.choice(["JOIN", "JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN",
                                       "CROSS JOIN"])
            if kind == "CROSS JOIN":
                left = f"{left} CROSS JOIN {right}"
            else:
                key = self.random.choice([INT, INT, TEXT])
                a = self.random.choice([text for text, t in scope if t == key])
                b = self.random.choice([text for text, t in more if t == key])
                extra = ""
                if kind != "FULL JOIN" and self.random.random() < 0.3:
                    extra = " AND " + self.expression(BOOL, scope + more, 1)
                sign = "IS NOT DISTINCT FROM" if kind != "FULL JOIN" \
                    and self.random.random() < 0.15 else "="
                left = f"{left} {kind} {right} ON {a} {sign} {b}{extra}"
            scope = scope + more
        return left, scope

    def derived(self):
        inner, scope = self.table()
        alias, kinds = self.alias(), [self.random.choice(TYPES) for _ in range(3)]
        items = ", ".join(f"{self.typed(t, scope, 1)} AS d{n}" for n, t in enumerate(kinds))
        extra = [("k", INT), ("i", INT), ("s", TEXT)]
        keys = ", ".join(f"{scope[n][0]} AS {name}" for n, (name, _) in enumerate(extra))
        text = f"(SELECT {keys}, {items} FROM {inner}{self.where(scope)}) AS {alias}"
        return text, [(f"{alias}.{n}", t) for n, t in extra] + [
            (f"{alias}.d{n}", t) for n, t in enumerate(kinds)]

    def where(self, scope, chance=0.6):
        if self.random.random() > chance:
            return ""
        condition = self.expression(BOOL, scope, 2)
        if self.random.random() < 0.35:
            condition = f"{self.subquery_condition(scope)} {self.random.choice(['AND', 'OR'])} " \
                        f"{condition}"
        return f" WHERE {condition}"

    def subquery_condition(self, scope):
        inner, columns = self.table()
        key = self.random.choice([INT, TEXT])
        ours = self.random.choice([t for t, kind in scope if kind == key])
        theirs = self.random.choice([t for t, kind in columns if kind == key])
        inside = self.expression(BOOL, columns, 1)
        return self.random.choice([
            lambda: f"{ours} {self.maybe_not()}IN (SELECT {theirs} FROM {inner} WHERE {inside})",
            lambda: f"{self.maybe_not()}EXISTS (SELECT 1 FROM {inner} WHERE {theirs} = {ours} "
                    f"AND {inside})",
            lambda: f"{self.integer(scope)} {self.random.choice(COMPARISONS)} "
                    f"(SELECT {self.random.choice(['MAX', 'MIN', 'COUNT', 'SUM'])}"
                    f"({columns[1][0]}) "
                    f"FROM {inner} WHERE {theirs} = {ours})",
            lambda: f"{self.integer(scope)} {self.random.choice(COMPARISONS)} "
                    f"(SELECT MAX({columns[1][0]}) FROM {inner} WHERE {inside})",
        ])()

    def integer(self, scope):
        return self.random.choice([t for t, kind in scope if kind == INT])

    def query(self):
        shapes = [(self.plain, 6), (self.grouped, 5), (self.windowed, 3), (self.combined, 3),
                  (self.ordered, 3), (self.with_query, 2), (self.distinct_on, 1),
                  (self.grouping_sets, 1), (self.scalar_items, 2), (self.recursive, 1)]
        makers, weights = zip(*shapes)
        return self.random.choices(makers, weights)[0]()

    def items(self, scope, kinds):
        return ", ".join(f"{self.typed(t, scope)} AS x{n}" for n, t in enumerate(kinds))

    def kinds(self):
        return [self.random.choice(TYPES) for _ in range(self.random.randint(1, 4))]

    def plain(self):
        source, scope = self.source()
        distinct = "DISTINCT " if self.random.random() < 0.15 else ""
        return f"SELECT {distinct}{self.items(scope, self.kinds())} FROM {source}" \
               f"{self.where(scope)}"

    def aggregate(self, scope):
        e = lambda k: self.typed(k, scope, 1)
        number = self.random.choice([INT, DEC, DBL])
        kind = self.random.choice([INT, DEC, DBL, TEXT, DATE, TS])
        text = self.random.choice([
            lambda: "COUNT(*)",
            lambda: f"COUNT({e(self.random.choice(TYPES))})",
            lambda: f"COUNT(DISTINCT {e(kind)})",
            lambda: f"SUM({e(number)})",
            lambda: f"SUM(DISTINCT {e(INT)})",
            lambda: f"AVG({e(number)})",
            lambda: f"MIN({e(kind)})",
            lambda: f"MAX({e(kind)})",
            lambda: f"{self.random.choice(['BOOL_AND', 'BOOL_OR'])}({e(BOOL)})",
            lambda: f"STRING_AGG({e(TEXT)}, ',' ORDER BY {', '.join(t for t, _ in scope)})",
            lambda: f"{self.random.choice(['STDDEV', 'VAR_POP'])}({e(DBL)})",
        ])()
        if "STRING_AGG" not in text and self.random.random() < 0.2:
            text += f" FILTER (WHERE {self.expression(BOOL, scope, 1)})"
        return text

    def grouped(self):
        source, scope = self.source()
        aggregates = [self.aggregate(scope) for _ in range(self.random.randint(1, 3))]
        keys = [self.typed(self.random.choice(TYPES), [s for s in scope], 1)
                for _ in range(self.random.choice([0, 1, 1, 2]))]
        keys = [k for k in keys if any(text in k for text, _ in scope)]
        items = ", ".join(f"{text} AS x{n}" for n, text in enumerate(keys + aggregates))
        text = f"SELECT {items} FROM {source}{self.where(scope)}"
        if keys:
            text += " GROUP BY " + ", ".join(str(n + 1) for n in range(len(keys)))
        if self.random.random() < 0.25:
            sign = self.random.choice(COMPARISONS)
            text += f" HAVING COUNT(*) {sign} {self.random.randint(0, 3)}"
        return text

    def windowed(self):
        source, scope = self.table()
        key = scope[0][0]
        part = f"PARTITION BY {self.typed(self.random.choice(TYPES), scope, 1)} "
        part = part if self.random.random() < 0.6 else ""
        order = f"ORDER BY {scope[1][0]} {self.random.choice(['ASC', 'DESC'])}, {key}"
        frame = self.random.choice(["", "", " ROWS BETWEEN 2 PRECEDING AND CURRENT ROW",
                                    " ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING",
                                    " ROWS BETWEEN 1 FOLLOWING AND 3 FOLLOWING"])
        e = lambda k: self.typed(k, scope, 1)
        calls = [
            lambda: f"ROW_NUMBER() OVER ({part}{order})",
            lambda: f"{self.random.choice(['RANK', 'DENSE_RANK'])}() OVER "
                    f"({part}ORDER BY {e(INT)})",
            lambda: f"SUM({e(INT)}) OVER ({part}{order}{frame})",
            lambda: f"{self.random.choice(['MIN', 'MAX'])}({e(self.random.choice([INT, DATE]))}) "
                    f"OVER ({part}{order}{frame})",
            lambda: f"COUNT(*) OVER ({part}{order}{frame})",
            lambda: f"{self.random.choice(['LAG', 'LEAD'])}(CAST({e(TEXT)} AS TEXT), "
                    f"{self.random.randint(1, 2)}) OVER ({part}{order})",
            lambda: f"{self.random.choice(['FIRST_VALUE', 'LAST_VALUE'])}({e(INT)}) "
                    f"OVER ({part}{order}{frame})",
            lambda: f"NTILE({self.random.randint(1, 4)}) OVER ({part}{order})",
            lambda: f"AVG({e(DBL)}) OVER ({part}{order}{frame})",
        ]
        picked = [self.random.choice(calls)() for _ in range(self.random.randint(1, 2))]
        items = ", ".join(f"{text} AS x{n}" for n, text in enumerate(picked))
        return f"SELECT {key} AS id, {items} FROM {source}{self.where(scope, 0.3)}"

    def combined(self):
        kinds = self.kinds()
        parts = []
        for _ in range(self.random.choice([2, 2, 3])):
            source, scope = self.table()
            parts.append(f"SELECT {self.items(scope, kinds)} FROM {source}{self.where(scope)}")
        text = parts[0]
        for part in parts[1:]:
            word = self.random.choice(["UNION", "UNION ALL", "INTERSECT", "EXCEPT", "EXCEPT ALL",
                                       "INTERSECT ALL"])
            text = f"({text}) {word} ({part})"
        return text

    def ordered(self):
        source, scope = self.source()
        kinds = self.kinds()
        keys = []
        for n in range(len(kinds)):
            keys.append(f"{n + 1}{self.random.choice(['', ' ASC', ' DESC'])}"
                        f"{self.random.choice([' NULLS FIRST', ' NULLS LAST', ' NULLS LAST'])}")
        text = f"SELECT {self.items(scope, kinds)} FROM {source}{self.where(scope)} " \
               f"ORDER BY {', '.join(keys)} LIMIT {self.random.choice([0, 1, 3, 10])}"
        if self.random.random() < 0.4:
            text += f" OFFSET {self.random.randint(0, 4)}"
        return text

    def with_query(self):
        inner = self.derived()
        text, scope = inner
        body, alias = text.rsplit(" AS ", 1)
        twice = self.alias()
        more = [(f"{twice}.{t.split('.')[1]}", kind) for t, kind in scope]
        kinds = self.kinds()
        return f"WITH q AS {body} SELECT {self.items(scope + more, kinds)} FROM q AS {alias} " \
               f"{self.random.choice(['JOIN', 'LEFT JOIN'])} q AS {twice} " \
               f"ON {alias}.k = {twice}.i{self.where(scope)}"

    def distinct_on(self):
        source, scope = self.table()
        on = self.random.choice([scope[1][0], scope[2][0]])
        return f"SELECT DISTINCT ON ({on}) {on} AS x, {self.typed(INT, scope, 1)} AS y " \
               f"FROM {source}{self.where(scope)} ORDER BY {on}, {scope[0][0]} DESC"

    def grouping_sets(self):
        source, scope = self.table()
        a, b = scope[1][0], scope[2][0]
        sets = self.random.choice([f"ROLLUP ({a}, {b})", f"CUBE ({a}, {b})",
                                   f"GROUPING SETS (({a}), ({b}), ())"])
        return f"SELECT {a} AS x, {b} AS y, {self.aggregate(scope)} AS z, GROUPING({a}) AS g " \
               f"FROM {source}{self.where(scope)} GROUP BY {sets}"

    def scalar_items(self):
        """Subqueries among the items, correlated in every way."""
        source, scope = self.table()
        inner, columns = self.table()
        ours, theirs = self.integer(scope), self.integer(columns)
        text_ours, text_theirs = scope[2][0], columns[2][0]
        sign = self.random.choice(COMPARISONS)
        item = self.random.choice([
            lambda: f"(SELECT COUNT(*) FROM {inner} WHERE {theirs} {sign} {ours})",
            lambda: f"(SELECT {self.aggregate(columns)} FROM {inner} WHERE {text_theirs} = "
                    f"{text_ours})",
            lambda: f"(SELECT {text_theirs} FROM {inner} WHERE {columns[0][0]} = {ours})",
            lambda: f"(SELECT {text_theirs} FROM {inner} WHERE {theirs} {sign} {ours} "
                    f"ORDER BY {columns[0][0]} LIMIT 1)",
            lambda: f"{self.maybe_not()}EXISTS (SELECT 1 FROM {inner} "
                    f"WHERE {theirs} {sign} {ours})",
            lambda: f"({ours} {self.maybe_not()}IN (SELECT {theirs} FROM {inner} "
                    f"WHERE {text_theirs} = {text_ours}))",
            lambda: f"(SELECT MAX({theirs} + {ours}) FROM {inner})",
        ])()
        return f"SELECT {scope[0][0]} AS id, {item} AS x FROM {source}{self.where(scope, 0.3)}"

    def recursive(self):
        source, scope = self.table()
        limit = self.random.randint(1, 12)
        word = self.random.choice(["UNION", "UNION ALL"])
        return f"WITH RECURSIVE r(n, m) AS (SELECT k, 0 FROM {source}{self.where(scope)} {word} " \
               f"SELECT (n + {self.random.randint(1, 3)}) % 20, m + 1 FROM r WHERE m < {limit}) " \
               f"SELECT m, COUNT(*), SUM(n), MAX(n) FROM r GROUP BY m"
