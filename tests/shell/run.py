#!/usr/bin/env python3
"""Runs the program `trefoil` as people and scripts do; the last line is `N passed, N failed`.

    tests/shell/run.py --program BUILD/trefoil [--only WORD] [--verbose]

Each function test_...() is one test: those with a folder run the program over pipes, those with
`person` sit at a pseudo terminal and type.
"""
import argparse
import inspect
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback

from terminal import Terminal

PROGRAM = None
LONG_QUERY = ("SELECT count(*) FROM generate_series(1, 3000000) a(x)"
              " CROSS JOIN generate_series(1, 3000000) b(y) WHERE x * y % 7 = 3")
CANCEL_S = 10


def run(*arguments, stdin="", env=None, cwd=None):
    """Runs to the end; answers (exit code, standard output, standard error)."""
    done = subprocess.run([PROGRAM, *arguments], input=stdin, capture_output=True, text=True,
                          timeout=120, cwd=cwd, env={**os.environ, **(env or {})})
    return done.returncode, done.stdout, done.stderr


def equal(got, wanted):
    if got != wanted:
        raise AssertionError(f"got\n{got}\nwanted\n{wanted}")


def contains(text, *words):
    for word in words:
        if word not in text:
            raise AssertionError(f"{word!r} is not in\n{text}")


# ---- The command line ----------------------------------------------------------------------------


def test_version_and_help():
    code, out, _ = run("--version")
    equal(code, 0)
    contains(out, "trefoil ")
    code, out, _ = run("--help")
    equal(code, 0)
    contains(out, "SYNOPSIS", "--no-header", "EXIT STATUS", "XDG_STATE_HOME")


def test_a_bad_option_exits_2_with_a_hint():
    for arguments, words in ((["--cvs"], "did you mean --csv?"), (["--mode", "jsn"], "json"),
                             (["-c"], "needs an SQL statement"), (["a", "b"], "more than one")):
        code, out, err = run(*arguments)
        equal((code, out), (2, ""))
        contains(err, words, "--help")


def test_restore_and_upgrade(folder):
    shop, monday, again = (str(folder / name) for name in ("shop", "monday", "again"))
    code, _, err = run(shop, "-c", "CREATE TABLE t (id INT PRIMARY KEY); "
                       f"INSERT INTO t VALUES (1), (2); BACKUP TO '{monday}'; DELETE FROM t")
    equal((code, err), (0, ""))
    code, out, err = run("restore", monday, again)
    equal((code, err), (0, ""))
    contains(out, "restored")
    equal(run(again, "-c", "SELECT count(*) AS n FROM t", "--csv")[1], "n\n2\n")
    equal(run(monday, "--readonly", "-c", "SELECT count(*) AS n FROM t", "--csv")[1], "n\n2\n")
    code, _, err = run("restore", monday, again)
    equal(code, 1)
    contains(err, "exists already")
    code, out, _ = run("upgrade", again)
    equal(code, 0)
    contains(out, "whole")
    code, _, err = run("upgrade", str(folder / "nothing"))
    equal(code, 1)
    contains(err, "58P01")
    segments = list((folder / "again" / "seg").iterdir())
    with open(segments[0], "r+b") as file:
        file.seek(4100)
        file.write(b"\x77\x77")
    code, _, err = run("upgrade", again)
    equal(code, 1)
    contains(err, "damaged", "checksum")


def test_c_and_f_run_in_order(folder):
    (folder / "two.sql").write_text("SELECT 2 AS n;\n-- done\n")
    code, out, _ = run("-c", "SELECT 1 AS n", "-f", str(folder / "two.sql"), "-c",
                       "SELECT 3 AS n; SELECT 4 AS n", "--csv", "--no-header")
    equal((code, out), (0, "1\n2\n3\n4\n"))


def test_statements_come_from_a_pipe():
    code, out, err = run("--csv", stdin="SELECT 1 AS a,\n  'x;y' AS b; -- c;\nSELECT 2 AS c")
    equal((code, out, err), (0, "a,b\n1,x;y\nc\n2\n", ""))


def test_a_pipe_of_nothing_is_fine():
    equal(run(stdin=""), (0, "", ""))
    equal(run(stdin="  -- nothing\n;;\n"), (0, "", ""))


# ---- Output modes --------------------------------------------------------------------------------

ROWS = ("SELECT * FROM (VALUES"
        " (1, 'Ann', 1.5), (2, NULL, NULL), (3, '', 2.0), (4, 'a,\"b\"', 0.1))"
        " AS t(id, name, x) ORDER BY id")


def test_csv_tells_null_from_empty():
    out = run("--csv", "-c", ROWS)[1]
    equal(out, 'id,name,x\n1,Ann,1.5\n2,,\n3,"",2.0\n4,"a,""b""",0.1\n')


def test_no_header():
    equal(run("--csv", "--no-header", "-c", "SELECT 1 AS a")[1], "1\n")


def test_tsv():
    out = run("--mode", "tsv", "-c", "SELECT 'a' || chr(9) || 'b' AS t, NULL AS n, '' AS e")[1]
    equal(out, "t\tn\te\na\\tb\t\\N\t\n")


def test_json_is_json_with_exact_numbers(folder):
    out = run("--json", "-c", ROWS)[1]
    rows = json.loads(out)
    equal([r["name"] for r in rows], ["Ann", None, "", 'a,"b"'])
    sql = ("CREATE TABLE t (b BIGINT, d DECIMAL(20,2), l INTEGER[], f BOOLEAN);"
           "INSERT INTO t VALUES"
           " (9223372036854775807, 123456789012345678.90, ARRAY[1, 2, 3], true);")
    out = run("--mode=jsonl", "-c", sql, "-c", "SELECT * FROM t")[1]
    equal(out, '{"b":9223372036854775807,"d":123456789012345678.90,"l":[1,2,3],"f":true}\n')
    equal(run("--json", "-c", "SELECT 1 AS a WHERE false")[1], "[]\n")


def test_markdown():
    equal(run("--mode", "markdown", "-c", "SELECT 1 AS a, 'x|y' AS b")[1],
          "| a | b |\n| ---: | --- |\n| 1 | x\\|y |\n")


def test_line():
    equal(run("--mode", "line", "-c", "SELECT 1 AS a, 'x' AS long_name")[1],
          "        a = 1\nlong_name = x\n")


def test_table_in_a_pipe_has_no_colours_and_cuts_nothing():
    long = "x" * 500
    out = run("-c", f"SELECT 7 AS n, NULL AS nothing, '{long}' AS text")[1]
    contains(out, "┌", "│ 7 │ NULL", long, "1 row\n")
    if "\x1b" in out or "ms" in out:
        raise AssertionError(out)


def test_a_break_in_a_value_is_shown():
    contains(run("-c", "SELECT 'a' || chr(10) || 'b' AS t")[1], "a↵b")


def test_wide_characters_keep_the_frame():
    lines = run("-c", "SELECT '日本' AS t UNION ALL SELECT 'abc' ORDER BY 1")[1].splitlines()
    contains("\n".join(lines), "│ 日本 │", "│ abc  │")


def test_many_rows_stream_through():
    code, out, _ = run("--csv", "--no-header", "-c", "SELECT value FROM generate_series(1, 300000)")
    equal((code, len(out.splitlines())), (0, 300000))


def test_statements_without_rows_print_their_tag_for_people_only():
    sql = "CREATE TABLE t (a INT); INSERT INTO t VALUES (1), (2)"
    equal(run("-c", sql)[1], "CREATE TABLE\nINSERT 0 2\n")
    equal(run("--csv", "-c", sql)[1], "")


def test_explain_prints_its_lines_as_they_are():
    out = run("-c", "EXPLAIN SELECT 1 AS a")[1]
    if "┌" in out or "↵" in out or not out.strip():
        raise AssertionError(out)


# ---- Errors --------------------------------------------------------------------------------------


def test_an_error_shows_its_place_and_exits_1():
    code, out, err = run("-c", "CREATE TABLE person (name TEXT)",
                         "-c", "SELECT\n\t nme FROM person")
    equal((code, out), (1, "CREATE TABLE\n"))
    lines = err.splitlines()
    contains(lines[0], "ERROR 42703: ", '"nme"')
    equal(lines[1:3], ["LINE 2: \t nme FROM person", "        \t ^"])
    contains(err, "HINT: ", "name")


def test_a_keyword_and_a_table_misspelt():
    code, _, err = run("-c", "SELEC 1")
    equal(code, 1)
    contains(err, "ERROR 42601", "LINE 1: SELEC 1", "\n        ^")
    code, _, err = run("-c", "CREATE TABLE person (name TEXT)", "-c", "SELECT 1 FROM persn")
    equal(code, 1)
    contains(err, "ERROR 42P01", "persn", "person", " " * 22 + "^")


def test_the_first_error_ends_a_script(folder):
    script = folder / "bad.sql"
    script.write_text("CREATE TABLE a (x INT);\n\nINSERT INTO a\nVALUES (nope);\n"
                      "CREATE TABLE b (x INT);\n")
    database = str(folder / "d")
    code, _, err = run(database, "-f", str(script))
    equal(code, 1)
    contains(err, f"{script}:4: VALUES (nope)", "^")
    out = run(database, "--csv", "--no-header", "-c",
              "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'")[1]
    equal(out, "a\n")
    code, out, _ = run(stdin="SELECT nope;\nSELECT 1;\n")
    equal((code, out), (1, ""))


def test_what_a_failed_script_left_open_is_rolled_back(folder):
    database = str(folder / "d")
    code, _, _ = run(database, "-c",
                     "CREATE TABLE a (x INT); BEGIN; INSERT INTO a VALUES (1); OOPS")
    equal(code, 1)
    equal(run(database, "--csv", "--no-header", "-c", "SELECT count(*) FROM a")[1], "0\n")


def test_missing_files_are_named(folder):
    code, _, err = run("-f", "none.sql")
    equal(code, 1)
    contains(err, "58P01", '"none.sql"', "No such file")
    code, _, err = run("-c", ".read none.sql")
    equal(code, 1)
    contains(err, '"none.sql"')
    code, _, err = run("-f", str(folder))
    equal(code, 1)
    contains(err, "directory")


def test_a_file_that_reads_itself_is_stopped(folder):
    (folder / "loop.sql").write_text(".read loop.sql\n")
    code, _, err = run("-f", "loop.sql", cwd=folder)
    equal(code, 1)
    contains(err, "54001", "loop.sql")


def test_a_place_that_is_no_database(folder):
    (folder / "notes").mkdir()
    (folder / "notes" / "todo.txt").write_text("milk")
    for path, extra in ((folder / "notes", []), (folder / "notes" / "todo.txt", []),
                        (folder / "none", ["--readonly"])):
        code, out, err = run(str(path), *extra, "-c", "SELECT 1")
        equal((code, out), (1, ""))
        contains(err, "ERROR ", path.name)
    equal((folder / "notes" / "todo.txt").read_text(), "milk")


def test_a_full_disk_under_the_output_is_told():
    if not os.path.exists("/dev/full"):
        return
    with open("/dev/full", "w", encoding="utf-8") as full:
        done = subprocess.run(
            [PROGRAM, "-c", "SELECT value FROM generate_series(1, 100000)", "--csv"],
            stdout=full, stderr=subprocess.PIPE, text=True, timeout=60)
    equal(done.returncode, 1)
    contains(done.stderr, "58030", "No space left")


def test_a_reader_that_left_ends_it_quietly():
    done = subprocess.run(["bash", "-c", f"'{PROGRAM}' --csv -c 'SELECT value FROM"
                           " generate_series(1, 5000000)' | head -2"],
                          capture_output=True, text=True, timeout=60)
    equal(done.stdout, "value\n1\n")
    equal(done.stderr, "")


def test_ctrl_c_stops_a_script_at_its_query():
    with subprocess.Popen([PROGRAM, "-c", LONG_QUERY, "-c", "SELECT 1"], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True) as process:
        time.sleep(1.5)
        begun = time.monotonic()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=CANCEL_S)
        equal((process.returncode, out), (1, ""))
        contains(err, "ERROR 57014")
        if time.monotonic() - begun > CANCEL_S / 2:
            raise AssertionError("it took too long")


# ---- Databases -----------------------------------------------------------------------------------


def test_what_was_written_is_there_when_it_is_opened_again(folder):
    database = str(folder / "shop.trefoil")
    run(database, "-c", "CREATE TABLE t (id BIGINT PRIMARY KEY, name TEXT)",
        "-c", "INSERT INTO t VALUES (1, 'Ann'), (2, 'Bob')")
    equal(run(database, "--csv", "-c", "SELECT * FROM t WHERE id = 2")[1], "id,name\n2,Bob\n")


def test_readonly_reads_and_refuses_to_write(folder):
    database = str(folder / "d")
    run(database, "-c", "CREATE TABLE t (a INT)", "-c", "INSERT INTO t VALUES (7)")
    equal(run(database, "--readonly", "--csv", "-c", "SELECT a FROM t")[1], "a\n7\n")
    code, _, err = run(database, "--readonly", "-c", "INSERT INTO t VALUES (8)")
    equal(code, 1)
    contains(err, "ERROR 25006")


def test_one_writer_and_readers_beside_it(folder):
    database = str(folder / "d")
    run(database, "-c", "CREATE TABLE t (a INT)", "-c", "INSERT INTO t VALUES (7)")
    with subprocess.Popen([PROGRAM, database, "--csv"], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, text=True) as writer:
        writer.stdin.write("SELECT 'ready' AS r;\n")
        writer.stdin.flush()
        writer.stdout.readline()
        equal(writer.stdout.readline(), "ready\n")
        code, _, err = run(database, "-c", "SELECT 1")
        equal(code, 1)
        contains(err, "ERROR 55006")
        equal(run(database, "--readonly", "--csv", "-c", "SELECT a FROM t")[1], "a\n7\n")
        writer.stdin.close()
        equal(writer.wait(timeout=30), 0)


# ---- Commands ------------------------------------------------------------------------------------


def test_help_lists_the_commands():
    out = run("-c", ".help")[1]
    contains(out, ".help", ".tables", ".schema", ".mode", ".timer", ".read", ".output", ".quit",
             "\\d", "\\dt", "\\l", "\\timing", "\\q", "\\i", "\\x", "\\?")
    equal(run("-c", "\\?")[1], out)


def test_an_unknown_command_suggests_one():
    code, _, err = run("-c", ".tabels")
    equal(code, 1)
    contains(err, "did you mean .tables?")


SCHEMA = """CREATE TABLE person (
    id BIGINT,
    name TEXT NOT NULL,
    score DECIMAL(10,2),
    "Since" DATE,
    CONSTRAINT person_pkey PRIMARY KEY (id)
);
"""


def test_schema_prints_what_makes_the_table_again():
    out = run("-c", SCHEMA, "-c", ".schema person")[1]
    equal(out, "CREATE TABLE\n" + SCHEMA)
    equal(run("-c", SCHEMA, "-c", ".schema")[1], out)
    code, _, err = run("-c", ".schema nobody")
    equal(code, 1)
    contains(err, "42P01", "nobody")


def test_tables_and_their_descriptions():
    make = SCHEMA + "CREATE TABLE pet (owner BIGINT); INSERT INTO pet VALUES (1), (2);"
    out = run("--csv", "-c", make, "-c", ".tables", "-c", "\\dt", "-c", "\\d person")[1]
    contains(out, "person\npet\n", "pet,2,", "id,BIGINT", "name,TEXT,NO")
    contains(run("-c", ".tables")[1], "no tables")
    equal(run("-c", make, "-c", ".tables pe_")[1].splitlines()[-1], "pet")


def test_modes_and_switches_can_be_changed_on_the_way():
    out = run(stdin=".mode csv\nSELECT 1 AS a;\n.headers off\nSELECT 2 AS a;\n.mode\n\\x on\n"
              "SELECT 3 AS a;\n")[1]
    equal(out, "a\n1\n2\ncsv\na = 3\n")


def test_output_goes_to_a_file_and_back(folder):
    out = run("--csv", stdin=".output out.csv\nSELECT 1 AS a;\n.output\nSELECT 2 AS b;\n",
              cwd=folder)[1]
    equal(out, "b\n2\n")
    equal((folder / "out.csv").read_text(), "a\n1\n")
    code, _, err = run("-c", ".output no/such/folder/x")
    equal(code, 1)
    contains(err, "no/such/folder/x")


def test_quit_ends_a_script():
    equal(run("--csv", stdin="SELECT 1 AS a;\n.quit\nSELECT 2 AS a;\n"), (0, "a\n1\n", ""))


def test_timer_tells_programs_apart():
    code, out, err = run("--csv", "-c", ".timer on", "-c", "SELECT 1 AS a")
    equal((code, out), (0, "a\n1\n"))
    contains(err, "ms")


def test_read_runs_a_file(folder):
    (folder / "my file.sql").write_text("SELECT 5 AS five;")
    equal(run("--csv", "-c", ".read 'my file.sql'", cwd=folder)[1], "five\n5\n")


# ---- At a terminal -------------------------------------------------------------------------------


def test_person_types_a_statement_over_lines(person):
    person.expect("trefoil> ")
    contains(person.seen, "Trefoil ", ".help")
    person.type("SELECT 1 AS a,\r")
    person.expect("-> ")
    person.type("  'ä日' AS b;\r")
    person.expect("│ 1 │ ä日 │")
    person.expect("1 row · ")
    person.expect("trefoil> ")


def test_person_makes_an_error_and_goes_on(person):
    person.type("SELECT nope;\r")
    person.expect("ERROR 42703")
    person.expect("LINE 1: SELECT nope;")
    person.type("SELECT 41 + 1 AS answer;\r")
    person.expect("│     42 │")


def test_person_clears_a_line_with_ctrl_c(person):
    person.type("SELECT 'forgotten',\r")
    person.expect("-> ")
    person.type("  'half\x03")
    person.expect("^C")
    person.expect("trefoil> ")
    person.type("SELECT 'fresh' AS f;\r")
    person.expect("│ fresh │")
    if "│ forgotten" in person.seen:
        raise AssertionError(person.seen)


def test_person_stops_a_query_with_ctrl_c_and_stays(person):
    person.type(LONG_QUERY + ";\r")
    time.sleep(1.5)
    person.type("\x03")
    person.expect("ERROR 57014", timeout=CANCEL_S)
    person.expect("trefoil> ")
    person.type("SELECT 'still here' AS s;\r")
    person.expect("│ still here │")


def test_person_stops_an_endless_recursion(person):
    person.type("WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r)"
                " SELECT count(*) FROM r;\r")
    time.sleep(1.5)
    person.type("\x03")
    person.expect("ERROR 57014", timeout=CANCEL_S)


def test_person_completes_with_tab(person):
    person.type("CREATE TABLE longtable (longcolumn INT, other INT);\r")
    person.expect("CREATE TABLE · ")
    person.expect("trefoil> ")
    for keys, wanted in (("sel\t", "select "), ("longc\t", "longcolumn "), ("fro\t", "from "),
                         ("longt\t", "longtable ")):
        person.type(keys)
        person.expect(wanted)
    person.type(";\r")
    person.expect("0 rows")
    person.type("SELECT x.o\x1b[D\x1b[D\x1b[D\x03")
    person.expect("trefoil> ")
    person.type(".mo\t")
    person.expect(".mode ")
    person.type("json\t")
    time.sleep(0.3)
    person.type("\t")
    person.expect("json +jsonl", regex=True)


def test_person_recalls_history_in_the_next_session(folder):
    env = {"XDG_STATE_HOME": str(folder / "state")}
    with Terminal([PROGRAM], env) as first:
        first.expect("trefoil> ")
        first.type("SELECT 'remember\r")
        first.expect("-> ")
        first.type(" me' AS r;\r")
        first.expect("1 row")
        first.type(".quit\r")
        equal(first.wait(), 0)
    history = folder / "state" / "trefoil" / "history"
    equal(oct(history.stat().st_mode & 0o777), "0o600")
    with Terminal([PROGRAM], env) as second:
        second.expect("trefoil> ")
        second.type("\x1b[A\x1b[A")
        second.expect("SELECT 'remember")
        second.type("\r")
        second.expect("remember↵ me")


def test_person_sees_colours_unless_no_color(folder):
    env = {"XDG_STATE_HOME": str(folder), "TERM": "xterm-256color", "NO_COLOR": ""}
    for no_color, wanted in (("", True), ("1", False)):
        with Terminal([PROGRAM], {**env, "NO_COLOR": no_color}, keep_escapes=True) as terminal:
            terminal.expect("trefoil> ")
            terminal.type("SELECT NULL AS n;\r")
            terminal.expect("NULL")
            terminal.expect("1 row")
            equal("\x1b[2mNULL\x1b[0m" in terminal.seen, wanted)


def test_person_has_a_narrow_terminal(folder):
    with Terminal([PROGRAM], {"XDG_STATE_HOME": str(folder)}, columns=40) as terminal:
        terminal.expect("trefoil> ")
        terminal.type("SELECT 1 AS id, repeat('x', 100) AS t;\r")
        terminal.expect("xxx… │")
        terminal.expect("1 row")
        frame = [line for line in terminal.seen.splitlines() if line.startswith("┌")]
        equal(len(frame[-1]), 40)


def test_person_gets_a_note_when_rows_are_left_out(person):
    person.type("SELECT value FROM generate_series(1, 5000);\r")
    person.expect("200 of 5,000 rows shown")
    person.type(".maxrows 3\r")
    person.type("SELECT value FROM generate_series(1, 5000);\r")
    person.expect("3 of 5,000 rows shown")


def test_person_switches_to_lines_and_back(person):
    person.type("\\x\r")
    person.expect("expanded on")
    person.type("SELECT 1 AS a, 2 AS b;\r")
    person.expect("a = 1")
    person.type("\\x off\r")
    person.expect("expanded off")
    person.type("\\timing off\r")
    person.expect("timer off")
    person.type("SELECT 3 AS c;\r")
    person.expect("│ 3 │")
    person.expect("1 row\r\n")


def test_person_sees_that_a_transaction_is_open(person):
    person.type("BEGIN;\r")
    person.expect("trefoil*> ")
    person.type("ROLLBACK;\r")
    person.expect("trefoil> ")


def test_person_leaves_with_ctrl_d(person):
    person.expect("trefoil> ")
    person.type("\x04")
    equal(person.wait(), 0)


# ---- The runner ----------------------------------------------------------------------------------


def call(test, folder):
    wants = inspect.signature(test).parameters
    if "person" in wants:
        with Terminal([PROGRAM], {"XDG_STATE_HOME": str(folder)}) as person:
            test(person)
    elif "folder" in wants:
        test(folder)
    else:
        test()


def main():
    global PROGRAM
    parser = argparse.ArgumentParser()
    parser.add_argument("--program", required=True)
    parser.add_argument("--only", default="")
    parser.add_argument("--verbose", action="store_true")
    args = parser.parse_args()
    PROGRAM = str(pathlib.Path(args.program).resolve())
    passed = failed = 0
    for name, test in list(globals().items()):
        if not name.startswith("test_") or args.only not in name:
            continue
        folder = pathlib.Path(tempfile.mkdtemp(prefix="shell-"))
        begun = time.monotonic()
        try:
            call(test, folder)
            passed += 1
            if args.verbose:
                print(f"ok     {name}  {time.monotonic() - begun:.1f} s", flush=True)
        except Exception:  # pylint: disable=broad-except
            failed += 1
            print(f"FAILED {name}\n{traceback.format_exc()}", flush=True)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
