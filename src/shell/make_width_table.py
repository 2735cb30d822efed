#!/usr/bin/env python3
"""Writes width_table.h: which code points take two columns of a terminal and which take none.

    python3 src/shell/make_width_table.py > src/shell/width_table.h
"""
import unicodedata


def zero(cp):
    c = chr(cp)
    if cp == 0xAD:  # soft hyphen: terminals show it
        return False
    hangul_tail = 0x1160 <= cp <= 0x11FF or 0xD7B0 <= cp <= 0xD7FF
    return unicodedata.category(c) in ("Mn", "Me", "Cf") or hangul_tail


def wide(cp):
    return not zero(cp) and unicodedata.east_asian_width(chr(cp)) in ("W", "F")


def ranges(test):
    out, start = [], None
    for cp in range(0x300, 0x110000):
        if 0xD800 <= cp <= 0xDFFF:
            hit = False
        else:
            # Unassigned code points between two wide ones (planes 2 and 3) stay wide.
            hit = test(cp)
        if hit and start is None:
            start = cp
        if not hit and start is not None:
            out.append((start, cp - 1))
            start = None
    if start is not None:
        out.append((start, 0x10FFFF))
    return out


def show(name, items):
    print(f"inline constexpr CodeRange {name}[] = {{")
    line = "   "
    for a, b in items:
        piece = f" {{0x{a:X}, 0x{b:X}}},"
        if len(line) + len(piece) > 100:
            print(line)
            line = "   "
        line += piece
    print(line)
    print("};\n")


print(f"""// Which code points take two columns of a terminal, and which take none:
// sorted ranges, both ends included.
//
// Written by make_width_table.py from Unicode {unicodedata.unidata_version}; do not edit.

// clang-format off
#pragma once

#include <cstdint>

namespace trefoil::shell {{

struct CodeRange {{
    uint32_t first;
    uint32_t last;
}};
""")
show("kZeroWidth", ranges(zero))
show("kDoubleWidth", ranges(wide))
print("}  // namespace trefoil::shell")
