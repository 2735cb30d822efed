#!/usr/bin/env python3
"""Checks the habits that a formatter cannot see; each message names the cure.

    a file opens with prose that says what it is for     a line has at most 100 columns
    a function has at most 70 lines, a file 800          public headers have 1,500 in all
    every room of src/LAYERS is in ARCHITECTURE.md       every type named there exists
    numbers of docs/adr are unique                       nothing unfinished, no machine paths

Offenders that are known stand in tools/tidy_ratchet.txt with how much they offend; that number may
only shrink, and a line without an offence must go. Tested by tests/tools/tidy_test.py.
"""
import ast
import collections
import pathlib
import re
import subprocess
import sys

LINE_MAX, FUNCTION_MAX, FILE_MAX, PUBLIC_MAX = 100, 70, 800, 1500
CODE = {".h", ".cpp", ".c", ".rs", ".py", ".sh", ".cmake"}
# Letters in brackets keep this file from matching itself.
UNFINISHED = re.compile(r"\b(TO[D]O\b|FIX[M]E\b|X[X]X\b|HA[C]K\b|un[i]mplemented!|to[d]o!)")
MACHINE_PATH = re.compile(r"""(^|[\s"'`(=:])(/r[o]ot/|/w[o]rk/|/h[o]me/[a-z]+/)""")
REGISTRY = re.compile(
    r"(index|static)[.]crates[.]i[o]|registry[.]npmjs|py[p]i[.]org|python[h]osted|deb[.]deb[i]an")
# What is not code in C++ and Rust: comments and literals. Blanked before braces are counted.
SILENT = re.compile(
    r"//[^\n]*|/\*.*?\*/|R\"(\w*)\(.*?\)\1\"|r#\".*?\"#|\"(?:\\.|[^\"\\])*\""
    r"|'(?:\\.|[^'\\\n]){1,8}'", re.S)
# Blocks that hold declarations, not code, and so have no limit of their own.
HOLDS_DECLARATIONS = re.compile(
    r"^\s*(template\s*<.*>\s*)?(inline\s+)?(pub(\(\w+\))?\s+)?"
    r"(namespace|class|struct|enum|union|unsafe extern|impl|mod|trait|unsafe impl)\b(?!.*\)\s*$)"
    r"|=\s*$|\bextern\s*$|^\s*$", re.S)

BEFORE_A_HEADER = re.compile(r"(\s|(public|private|protected):)*")

Problem = collections.namedtuple("Problem", "rule path line size message")


def tracked_files(root):
    """Every file that git knows or would add."""
    out = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=root, check=True,
                         capture_output=True, text=True).stdout
    return [root / name for name in out.splitlines() if (root / name).is_file()]


def opening_comment(suffix, text):
    """The words of the comment or docstring that a file starts with."""
    text = re.sub(r"^#!.*\n", "", text)
    if suffix == ".py":
        match = re.match(r'\s*(?:r?""")(.*?)"""', text, re.S)
        return match.group(1) if match else ""
    mark = "#" if suffix in {".sh", ".cmake", ".golden", ".txt"} else "//"
    if mark == "//" and text.startswith("/*"):
        return text[2:text.find("*/")]
    words = []
    for line in text.splitlines():
        if not line.startswith(mark):
            break
        words.append(line.lstrip("/#! "))
    return " ".join(words)


def check_opening(path, suffix, text):
    if len(opening_comment(suffix, text).split()) < 4:
        yield Problem("opening", path, 1, 1, "the file does not open with its idea; write two to "
                      "ten lines: what it is for, the thought behind it, what it leaves out")


def check_lines(path, lines):
    for number, line in enumerate(lines, 1):
        if len(line) > LINE_MAX:
            yield Problem("line", path, number, len(line),
                          f"{len(line)} columns, {LINE_MAX} are the limit; break it (make format)")


def check_length(path, lines):
    if len(lines) > FILE_MAX:
        yield Problem("file", path, 1, len(lines), f"{len(lines)} lines, {FILE_MAX} are the limit; "
                      "it holds more than one idea: give the second its own file")


def functions_by_braces(text):
    """(first line, length) of each function: an outermost block that holds code."""
    text = SILENT.sub(lambda m: re.sub(r"[^\n]", " ", m.group()), text)
    text = re.sub(r"^\s*#.*(\\\n.*)*$", lambda m: "\n" * m.group().count("\n"), text, flags=re.M)
    header_start, depth_inside, function_start = 0, 0, 0
    for match in re.finditer(r"[{};]", text):
        if depth_inside:  # within a function or a list of values: wait for its end
            depth_inside += {"{": 1, "}": -1, ";": 0}[match.group()]
            if depth_inside == 0 and function_start is not None:
                first = text.count("\n", 0, function_start) + 1
                yield first, text.count("\n", 0, match.start()) + 2 - first
        elif match.group() == "{":
            header = text[header_start:match.start()]
            if not HOLDS_DECLARATIONS.search(header):
                depth_inside = 1
                function_start = header_start + BEFORE_A_HEADER.match(header).end()
            elif header.rstrip().endswith("="):
                depth_inside, function_start = 1, None
        if not depth_inside:
            header_start = match.end()


def functions_of_python(text):
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node.lineno, node.end_lineno - node.lineno + 1


def check_functions(path, suffix, text):
    if suffix == ".py":
        found = functions_of_python(text)
    elif suffix in {".h", ".cpp", ".c", ".rs"}:
        found = functions_by_braces(text)
    else:
        return
    for line, length in found:
        if length > FUNCTION_MAX:
            yield Problem("function", path, line, length, f"{length} lines, {FUNCTION_MAX} are the "
                          "limit; let the parent decide and helpers compute")


def check_words(path, lines):
    for number, line in enumerate(lines, 1):
        if UNFINISHED.search(line):
            yield Problem("unfinished", path, number, 1, "an unfinished bit; finish it, or answer "
                          "'unsupported' and open an issue")
        if MACHINE_PATH.search(line):
            yield Problem("machine", path, number, 1, "a path of one machine; make it relative")
        if REGISTRY.search(line):
            yield Problem("registry", path, number, 1, "the host of a registry; leave it to the "
                          "machine's own configuration")


def check_public_headers(root):
    total = sum(len(p.read_text().splitlines()) for p in (root / "include").rglob("*.h"))
    if total > PUBLIC_MAX:
        yield Problem("public", "include/trefoil", 1, total, f"{total} lines of public headers, "
                      f"{PUBLIC_MAX} are the budget; take something away before you add")


def check_architecture(root, files):
    page = root / "ARCHITECTURE.md"
    if not page.is_file():
        return
    text = page.read_text()
    for line in (root / "src/LAYERS").read_text().splitlines():
        room = re.match(r"([a-z]+):", line)
        if room and not re.search(rf"`(src/)?{room[1]}/?`", text):
            yield Problem("map", "ARCHITECTURE.md", 1, 1,
                          f"the room `{room[1]}` has no words here; say what it is for")
    sources = "\n".join(p.read_text(errors="replace") for p in files
                        if p.suffix in {".h", ".cpp", ".rs"})
    for name in sorted(set(re.findall(r"`([A-Z][a-z]+[A-Za-z]*)(?:<T>)?`", text))):
        if not re.search(rf"\b{name}\b", sources):
            yield Problem("map", "ARCHITECTURE.md", 1, 1,
                          f"`{name}` is named here but is nowhere in the sources; correct the map")


def check_adr_numbers(root):
    seen = {}
    for page in sorted((root / "docs/adr").glob("*.md")):
        number = page.name[:4]
        if page.name == "README.md":
            continue
        if not number.isdigit():
            yield Problem("adr", f"docs/adr/{page.name}", 1, 1,
                          "the name must open with four digits, as 0007_why_so.md")
        elif number in seen:
            yield Problem("adr", f"docs/adr/{page.name}", 1, 1,
                          f"{seen[number]} has this number already; take the next free one")
        seen[number] = page.name


def check_all(root):
    files = tracked_files(root)
    for file in files:
        path = file.relative_to(root).as_posix()
        suffix = ".cmake" if file.name == "CMakeLists.txt" else file.suffix
        if suffix in CODE | {".golden", ".md"}:
            text = file.read_text(errors="replace")
            lines = text.splitlines()
            yield from check_words(path, lines)
            if suffix in CODE:
                yield from check_lines(path, lines)
                yield from check_length(path, lines)
                yield from check_functions(path, suffix, text)
            if suffix != ".md":
                yield from check_opening(path, suffix, text)
    yield from check_public_headers(root)
    yield from check_architecture(root, files)
    yield from check_adr_numbers(root)


def read_ratchet(file):
    """{(rule, path): size} of what is known; lines are `rule path size`."""
    known = {}
    if file.is_file():
        for line in file.read_text().splitlines():
            if line.strip() and not line.startswith("#"):
                rule, path, size = line.split()
                known[rule, path] = int(size)
    return known


def apply_ratchet(problems, known):
    """What remains to be said: new or grown offences, and entries that may shrink or go."""
    worst = collections.Counter()
    for p in problems:
        worst[p.rule, str(p.path)] = max(worst[p.rule, str(p.path)], p.size)
    for p in problems:
        if p.size > known.get((p.rule, str(p.path)), 0):
            yield f"{p.path}:{p.line}: {p.rule}: {p.message}"
    for key, size in known.items():
        if worst[key] < size:
            cure = f"lower {size} to {worst[key]}" if worst[key] else "remove the line"
            yield f"tools/tidy_ratchet.txt: {' '.join(key)} got better; {cure}"


def main(root):
    root = pathlib.Path(root).resolve()
    problems = list(check_all(root))
    report = list(apply_ratchet(problems, read_ratchet(root / "tools/tidy_ratchet.txt")))
    print("\n".join(report) or "tidy: clean")
    return 1 if report else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else "."))
