"""Checks what the shared libraries show: the bridge only tf_*, libtrefoil only what is ours.

    tests/install/symbols.py LIBTREFOIL_BRIDGE LIBTREFOIL

A Rust library that shows more could collide with another one in the same process.
"""
import re
import subprocess
import sys


def exported(library):
    """The names that a library defines for others."""
    out = subprocess.run(["nm", "-D", "--defined-only", "--demangle", library], check=True,
                         capture_output=True, text=True).stdout
    return [line.split(maxsplit=2)[2] for line in out.splitlines()]


def main(bridge, trefoil):
    checks = [
        (bridge, re.compile(r"tf_")),
        (trefoil, re.compile(r"trefoil_|(non-virtual thunk to |(typeinfo|typeinfo name|vtable|VTT|"
                             r"guard variable) for )?[^(]*trefoil::")),
    ]
    passed = failed = 0
    for library, ours in checks:
        names = exported(library)
        foreign = [name for name in names if not ours.match(name)]
        if foreign or not names:
            failed += 1
            print(f"{library} shows {len(names)} names, {len(foreign)} of them not ours:")
            print("\n".join("    " + name for name in foreign[:20]))
        else:
            passed += 1
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
