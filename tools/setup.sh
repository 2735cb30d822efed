#!/usr/bin/env bash
# Installs what a build of Trefoil needs on Debian 12, and nothing that is there already.
#
#     tools/setup.sh            what building and testing need
#     tools/setup.sh --dev      and what `make check`, `make asan` and `make bench` need beside it
#     tools/setup.sh --bench    and the rivals that benchmarks and recorded answers are held against
#     tools/setup.sh --check    installs nothing: says what is missing, exit code 1 if anything is
#
# It says what it installs and why before it does so. It works as root and through sudo. Rust is not
# installed: it comes from its own installer, and which one is the user's choice.
set -euo pipefail

RUST_MIN=1.94
CACHE="${XDG_CACHE_HOME:-$HOME/.cache}/trefoil"
VENV="$CACHE/tools"
UNREACHABLE="$CACHE/tools.unreachable" # left behind where the package index could not be reached

want_dev=no want_bench=no only_check=no
for arg in "$@"; do
    case "$arg" in
    --dev) want_dev=yes ;;
    --bench) want_dev=yes want_bench=yes ;;
    --check) only_check=yes ;;
    *) echo "setup: unknown option $arg (--dev, --bench, --check)" >&2; exit 2 ;;
    esac
done

missing=() # Debian packages to install, in order
missing_count=0

# need PACKAGE WHY [PROBE]: notes the package as missing unless PROBE succeeds (default: dpkg knows
# it).
need() {
    local package=$1 why=$2 probe=${3:-}
    if [ -n "$probe" ]; then
        if eval "$probe" >/dev/null 2>&1; then return; fi
    elif dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed'; then
        return
    fi
    missing+=("$package")
    missing_count=$((missing_count + 1))
    printf 'setup: needs %-16s %s\n' "$package" "$why"
}

list_needs() {
    need g++ "the C++ compiler (C++20: version 12 or newer)" "command -v g++"
    need make "runs the build's commands" "command -v make"
    need cmake "configures the build (3.25 or newer)" "command -v cmake"
    need ninja-build "runs the build" "command -v ninja"
    need pkg-config "finds libraries, and tests our own .pc file" "command -v pkg-config"
    need python3 "runs the tools and test runners" "command -v python3"
    need python3-venv "keeps Python tools out of the system" "python3 -c 'import venv, ensurepip'"
    need liblmdb-dev "the B+tree at the root of the store" "test -f /usr/include/lmdb.h"
    need libxxhash-dev "checksums of stored blocks" "test -f /usr/include/xxhash.h"
    need libedit-dev "line editing in the shell" "test -f /usr/include/editline/readline.h"
    need doctest-dev "the unit test framework" "test -f /usr/include/doctest/doctest.h"
    need ccache "makes a second build fast" "command -v ccache"
    if [ "$want_dev" = yes ]; then
        need clang-19 "the second compiler, and the sanitizers" "command -v clang++-19"
        need clang-format-19 "make format" "command -v clang-format-19"
        need clang-tidy-19 "make check" "command -v clang-tidy-19"
        need lld-19 "links sanitizer builds faster" "command -v ld.lld-19"
        need libbenchmark-dev "bench/micro" "test -f /usr/include/benchmark/benchmark.h"
        need libsqlite3-dev "bench/compare: a rival" "test -f /usr/include/sqlite3.h"
    fi
}

install_packages() {
    local become=()
    if [ "$(id -u)" -ne 0 ]; then
        if ! command -v sudo >/dev/null; then
            echo "setup: neither root nor sudo; as root, run: apt-get install ${missing[*]}" >&2
            exit 1
        fi
        become=(sudo)
    fi
    if ! command -v apt-get >/dev/null; then
        echo "setup: this is no Debian (no apt-get); please install the above by hand" >&2
        exit 1
    fi
    echo "setup: installing with apt: ${missing[*]}"
    "${become[@]}" apt-get update -q -o Acquire::Retries=3
    "${become[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get install -q -y --no-install-recommends "${missing[@]}"
}

# True if version $1 is at least version $2.
at_least() { [ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1)" = "$2" ]; }

check_rust() {
    local found
    local how="install Rust $RUST_MIN or newer with rustup (see rustup.rs), then run this again"
    if ! command -v cargo >/dev/null || ! found=$(rustc -V 2>/dev/null | cut -d' ' -f2); then
        echo "setup: there is no Rust toolchain on PATH, which the SQL engine needs: $how." >&2
        return 1
    fi
    if ! at_least "${found%%-*}" "$RUST_MIN"; then
        echo "setup: Rust $found is too old; $how (with rustup: rustup update stable)." >&2
        return 1
    fi
}

# pip_need MODULE VERSION WHY: installs one Python package into our own environment in the cache
# folder.
pip_need() {
    local package=$1 version=$2 why=$3
    if "$VENV/bin/python" -c "
import importlib.metadata, sys
sys.exit(importlib.metadata.version('$package') != '$version')" >/dev/null 2>&1; then return; fi
    echo "setup: needs $package $version: $why"
    missing_count=$((missing_count + 1))
    if [ "$only_check" = yes ]; then return; fi
    mkdir -p "$CACHE"
    if [ ! -x "$VENV/bin/python" ]; then python3 -m venv "$VENV"; fi
    echo "setup: installing $package into $VENV"
    if ! "$VENV/bin/python" -m pip install -q "$package==$version"; then
        echo "setup: could not get $package; tests that need it will be skipped, and say so" >&2
        touch "$UNREACHABLE"
        return
    fi
    rm -f "$UNREACHABLE"
}

list_needs
check_rust
if [ "${#missing[@]}" -gt 0 ] && [ "$only_check" = no ]; then install_packages; fi
pip_need tpchgen-cli 4.0.0 "makes the data of the TPC-H test"
if [ "$want_bench" = yes ]; then
    pip_need duckdb 2.0.0 "the rival in bench/compare, and the oracle of recorded TPC-H answers"
fi
if [ "$only_check" = yes ] && [ "$missing_count" -gt 0 ]; then
    echo "setup: $missing_count missing; run tools/setup.sh" >&2
    exit 1
fi
echo "setup: everything is there"
