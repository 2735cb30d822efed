"""Installs a build to a temporary prefix and builds a ten-line program against it, both ways.

    tests/install/run.py BUILD

find_package(trefoil) and pkg-config must each be enough to compile, link and run ten_lines.cpp, and
the installed program must answer. Then the prefix is moved, as packages are, and must work still.
"""
import pathlib
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
CMAKELISTS = """cmake_minimum_required(VERSION 3.25)
project(user LANGUAGES CXX)
find_package(trefoil 0.1 REQUIRED)
add_executable(ten_lines ten_lines.cpp)
target_link_libraries(ten_lines PRIVATE trefoil::trefoil)
"""


def run(*command, **kwargs):
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, **kwargs)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, command))}\n{done.stdout}{done.stderr}")
    return done.stdout


def find_pkgconfig(prefix):
    return next(prefix.rglob("trefoil.pc")).parent


def check_cmake_package(prefix, work):
    (work / "CMakeLists.txt").write_text(CMAKELISTS)
    run("cmake", "-S", work, "-B", work / "build", f"-DCMAKE_PREFIX_PATH={prefix}")
    run("cmake", "--build", work / "build")
    return run(work / "build/ten_lines")


def check_pkg_config(prefix, work):
    flags = run("env", f"PKG_CONFIG_PATH={find_pkgconfig(prefix)}", "pkg-config", "--cflags",
                "--libs", "trefoil").split()
    run("c++", work / "ten_lines.cpp", "-o", work / "by_pkg_config", *flags)
    return run(work / "by_pkg_config")


def check_shell(prefix, work):
    return run(prefix / "bin/trefoil", "--csv", "--no-header", "-c", "SELECT 40 + 2 AS answer")


def main(build):
    passed = failed = 0
    with tempfile.TemporaryDirectory(prefix="trefoil-install-") as folder:
        first, moved = pathlib.Path(folder) / "first", pathlib.Path(folder) / "moved"
        run("cmake", "--install", build, "--prefix", first)
        first.rename(moved)
        for check in (check_cmake_package, check_pkg_config, check_shell):
            work = pathlib.Path(folder) / check.__name__
            work.mkdir()
            shutil.copy(HERE / "ten_lines.cpp", work)
            try:
                answer = check(moved, work).strip()
                if answer != "42":
                    raise RuntimeError(f"the answer was {answer!r}, not 42")
                passed += 1
            except RuntimeError as error:
                failed += 1
                print(f"{check.__name__}: {error}")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
