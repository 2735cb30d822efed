#!/usr/bin/env bash
# Builds the Rust bridge (bridge/) and prints the path of libtrefoil_bridge.so, or puts it where
# asked.
#
#     tools/bridge.sh                   builds if needed; prints where the library is
#     tools/bridge.sh --output FILE     ... and copies it to FILE, if FILE is not the same already
#     tools/bridge.sh --test            runs the unit tests of bridge/
#     TREFOIL_BRIDGE=FILE tools/bridge.sh ...    takes FILE instead of building anything
#
# A cold build compiles Apache DataFusion and takes long, so its results are kept outside the clone
# and shared by all clones of one user:
#
#     <cache>/trefoil/bridge-<key>/                cargo's; key: lock file, Cargo.toml, rustc
#     <cache>/trefoil/bridge-<key>/out/<source>/   the finished library of one state of bridge/
#
# When the library of this very source is there, cargo is not started at all: the answer takes
# milliseconds. A folder with a new key starts as a copy of the newest one of the same compiler, so
# that a changed dependency costs what it costs and not everything. Tested by
# tests/tools/bridge_sh_test.py.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
output="" only_test=no
if [ "${1:-}" = --output ] && [ $# -eq 2 ]; then
    output=$2
elif [ "$*" = --test ]; then
    only_test=yes
elif [ $# -ne 0 ]; then
    echo "usage: tools/bridge.sh [--output FILE | --test]" >&2
    exit 2
fi

say() { echo "bridge: $*" >&2; }

# A library that was built by hand is taken as it is.
if [ -n "${TREFOIL_BRIDGE:-}" ] && [ $only_test = no ]; then
    if [ -n "$output" ]; then
        mkdir -p "$(dirname "$output")"
        cmp -s "$TREFOIL_BRIDGE" "$output" || cp "$TREFOIL_BRIDGE" "$output"
    else
        echo "$TREFOIL_BRIDGE"
    fi
    exit 0
fi

for tool in cargo rustc; do
    if ! command -v $tool >/dev/null; then
        say "there is no $tool on PATH; tools/setup.sh says what to install"
        exit 1
    fi
done

cache="${XDG_CACHE_HOME:-$HOME/.cache}/trefoil"
compiler=$(cd bridge && rustc -V)
key=$( { echo "$compiler"; cat bridge/Cargo.lock bridge/Cargo.toml; } | sha256sum | cut -c1-12)
# File names and contents, in one order on every machine.
source=$( { echo "$compiler"; find bridge -type f -not -path 'bridge/target/*' -print0 |
    LC_ALL=C sort -z | xargs -0 sha256sum; } | sha256sum | cut -c1-16)
target="$cache/bridge-$key"
library="$target/out/$source/libtrefoil_bridge.so"

# Starts a new target folder from the newest one that the same compiler filled.
seed_target() {
    local old newest=""
    for old in $(ls -td "$cache"/bridge-*/ 2>/dev/null); do
        if [ -d "$old/release/deps" ] && echo "$compiler" | cmp -s - "$old/compiler"; then
            newest=${old%/}
            break
        fi
    done
    if [ -z "$newest" ]; then return; fi
    say "dependencies changed; starting from a copy of $(basename "$newest")"
    rm -rf "$target.new" && mkdir -p "$target.new"
    cp -a "$newest/release" "$newest/.rustc_info.json" "$target.new/" 2>/dev/null || true
    mv "$target.new" "$target"
}

announce() {
    if compgen -G "$target/release/deps/libdatafusion-*.rlib" >/dev/null; then
        say "building bridge/ (its dependencies are built already): one to three minutes"
    else
        say "building Apache DataFusion, once for this machine: 15 to 40 minutes on two cores"
        say "the result is kept in $target; later builds take minutes, or nothing"
    fi
}

build() {
    announce
    local begun=$SECONDS
    if ! CARGO_TARGET_DIR="$target" cargo build --release --locked \
        --manifest-path bridge/Cargo.toml >&2; then
        say "FAILED: 'cargo build --release --locked' in bridge/ after $((SECONDS - begun)) s;" \
            "the first error is above"
        if ! [ -d "$HOME/.cargo/registry" ]; then
            say "if it could not download: cargo needs access to the crate registry once"
        fi
        exit 1
    fi
    if ! [ -f "$target/release/libtrefoil_bridge.so" ]; then
        say "FAILED: cargo succeeded but left no libtrefoil_bridge.so; is crate-type still cdylib?"
        exit 1
    fi
    mkdir -p "$(dirname "$library")"
    cp "$target/release/libtrefoil_bridge.so" "$library.new"
    mv "$library.new" "$library"
    say "built in $((SECONDS - begun)) s"
    # The eight newest states stay; each is some tens of megabytes.
    ls -td "$target"/out/*/ | tail -n +9 | xargs -r rm -rf
}

# The tests need no optimisation, and what they compile is apart from the library.
run_tests() {
    mkdir -p "$target"
    CARGO_TARGET_DIR="$target" cargo test --quiet --release --locked --lib \
        --manifest-path bridge/Cargo.toml \
        --config 'profile.release.package.trefoil-bridge.opt-level=0' \
        --config 'profile.release.package.trefoil-bridge.codegen-units=32' 2>&1 |
        sed -E 's/^test result: .* ([0-9]+) passed; ([0-9]+) failed;.*/\1 passed, \2 failed/'
}

if [ $only_test = yes ]; then
    run_tests
    exit
fi

if ! [ -f "$library" ]; then
    mkdir -p "$cache"
    exec 9>"$cache/bridge-$key.lock"
    if ! flock -n 9; then
        say "another build of the bridge is running; waiting for it"
        flock 9
    fi
    if ! [ -f "$library" ]; then # it may have been built while we waited
        if ! [ -d "$target" ]; then seed_target; fi
        mkdir -p "$target"
        echo "$compiler" >"$target/compiler"
        build
    fi
else
    touch -c "$(dirname "$library")"
fi

if [ -z "$output" ]; then
    echo "$library"
elif ! cmp -s "$library" "$output"; then
    mkdir -p "$(dirname "$output")"
    cp "$library" "$output.new"
    mv "$output.new" "$output"
fi
