"""The three systems that the differential test compares, behind one interface.

`open()` begins an empty database; `run(statements)` runs them one after the other and answers for
each an Answer: its rows, every value as text or None, or the SQLSTATE and text of its error.
"""
import ctypes
import csv
import dataclasses
import io
import os
import pathlib
import pwd
import shutil
import subprocess
import tempfile

TIMEOUT_S = 300


@dataclasses.dataclass
class Answer:
    rows: list | None = None
    sqlstate: str = ""
    message: str = ""


class Trefoil:
    """Through the C interface, in memory."""
    name = "Trefoil"

    def __init__(self, library):
        self.c = ctypes.CDLL(str(library))
        self.c.trefoil_batch_text.restype = ctypes.c_char_p
        self.c.trefoil_batch_text.argtypes = [ctypes.c_void_p, ctypes.c_int64, ctypes.c_int32,
                                              ctypes.c_void_p]
        self.c.trefoil_batch_is_null.argtypes = [ctypes.c_void_p, ctypes.c_int64, ctypes.c_int32]
        self.c.trefoil_batch_row_count.restype = ctypes.c_int64
        self.c.trefoil_column_count.restype = ctypes.c_int32
        for field in ("message", "sqlstate"):
            getattr(self.c, f"trefoil_error_{field}").restype = ctypes.c_char_p
        self.database = self.session = None

    def open(self):
        self.close()
        self.database, self.session = ctypes.c_void_p(), ctypes.c_void_p()
        assert self.call("trefoil_open", b":memory:", None, ctypes.byref(self.database)) is None
        assert self.call("trefoil_connect", self.database, ctypes.byref(self.session)) is None

    def call(self, function, *args):
        """None, or the error as an Answer."""
        error = ctypes.c_void_p()
        if getattr(self.c, function)(*args, ctypes.byref(error)) == 0:
            return None
        answer = Answer(sqlstate=self.c.trefoil_error_sqlstate(error).decode(),
                        message=self.c.trefoil_error_message(error).decode())
        self.c.trefoil_error_free(error)
        return answer

    def run(self, statements):
        return [self.run_one(sql) for sql in statements]

    def run_one(self, sql):
        result = ctypes.c_void_p()
        failed = self.call("trefoil_execute", self.session, sql.encode(), None, ctypes.c_size_t(0),
                           ctypes.byref(result))
        if failed:
            return failed
        answer = self.fetch(result)
        self.c.trefoil_result_free(result)
        return answer

    def fetch(self, result):
        rows, batch = [], ctypes.c_void_p()
        width = self.c.trefoil_column_count(result)
        while True:
            failed = self.call("trefoil_next", result, ctypes.byref(batch))
            if failed:
                return failed
            if not batch:
                return Answer(rows=rows)
            for r in range(self.c.trefoil_batch_row_count(batch)):
                rows.append([None if self.c.trefoil_batch_is_null(batch, r, c)
                             else self.c.trefoil_batch_text(batch, r, c, None).decode()
                             for c in range(width)])
            self.c.trefoil_batch_free(batch)

    def close(self):
        if self.database:
            self.c.trefoil_session_free(self.session)
            self.c.trefoil_close(self.database)
            self.database = None


class PostgreSQL:
    """A server of our own in a temporary folder, asked through psql."""
    name = "PostgreSQL"
    MARK, NULL = "--differential--", "\\N"

    @staticmethod
    def find():
        """The folder of the newest PostgreSQL's programs; None if there is none."""
        found = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin/initdb"),
                       key=lambda path: float(path.parts[-3]))
        if found and shutil.which("psql"):
            return found[-1].parent
        return None

    def __init__(self, programs):
        self.programs = programs
        # A server refuses to run as root.
        self.user = None
        if os.geteuid() == 0:
            known = {entry.pw_name for entry in pwd.getpwall()}
            self.user = "postgres" if "postgres" in known else "nobody"
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="differential-"))
        self.folder.chmod(0o755)
        home = self.folder / "home"
        home.mkdir()
        if self.user:
            shutil.chown(home, self.user)
        self.data, self.socket = home / "data", home
        self.program("initdb", "-D", self.data, "-U", "test", "-E", "UTF8", "--locale=C", "-N",
                     "--auth=trust")
        self.program("pg_ctl", "start", "-w", "-D", self.data, "-l", home / "log", "-o",
                     f"-c listen_addresses='' -c unix_socket_directories={self.socket} "
                     "-c fsync=off -c timezone=UTC")

    def program(self, name, *arguments):
        subprocess.run([self.programs / name, *map(str, arguments)], check=True, user=self.user,
                       cwd=self.folder, stdout=subprocess.DEVNULL, timeout=TIMEOUT_S)

    def open(self):
        self.psql("DROP SCHEMA IF EXISTS public CASCADE; CREATE SCHEMA public;")

    def psql(self, text):
        command = [self.programs / "psql", "-X", "-q", "-h", self.socket, "-U", "test", "-d",
                   "postgres", "--csv", "-v", "VERBOSITY=verbose", "-P", f"null={self.NULL}"]
        done = subprocess.run(command, input=text, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=TIMEOUT_S,
                              env={**os.environ, "PGOPTIONS": "-c client_min_messages=error"})
        return done.stdout

    def run(self, statements):
        text = "".join(f"{sql};\n\\echo {self.MARK}\n" for sql in statements)
        parts = self.psql(text).split(self.MARK + "\n")
        return [self.answer_of(part) for part in parts[:len(statements)]]

    def answer_of(self, text):
        if text.startswith("ERROR:"):
            _, state, message = text.splitlines()[0].split(":", 2)
            return Answer(sqlstate=state.strip(), message=message.strip())
        # A row of one empty text is an empty line.
        rows = [row or [""] for row in list(csv.reader(io.StringIO(text)))[1:]]
        return Answer(rows=[[None if v == self.NULL else v for v in row] for row in rows])

    def close(self):
        self.program("pg_ctl", "stop", "-w", "-m", "immediate", "-D", self.data)
        shutil.rmtree(self.folder, ignore_errors=True)


class DuckDB:
    """Through its Python package, in memory; with the division of integers that SQL has."""
    name = "DuckDB"

    def __init__(self, package):
        self.package, self.session = package, None

    def open(self):
        self.session = self.package.connect()
        self.session.execute("SET integer_division = true; SET threads = 1; SET TimeZone = 'UTC'")

    def run(self, statements):
        return [self.run_one(sql) for sql in statements]

    def run_one(self, sql):
        try:
            rows = self.session.execute(sql).fetchall()
        except self.package.Error as error:
            return Answer(sqlstate="?", message=str(error))
        return Answer(rows=[[self.text_of(v) for v in row] for row in rows])

    @staticmethod
    def text_of(value):
        if value is None:
            return None
        if isinstance(value, bool):
            return "true" if value else "false"
        return str(value)

    def close(self):
        if self.session:
            self.session.close()
