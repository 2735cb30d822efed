#!/usr/bin/env python3
"""Checks that src/ follows src/LAYERS: a room includes only the rooms it names, without cycles.

LAYERS lists one room a line, `room: rooms it may include`. A name may appear only below its own
line, so cycles cannot be written down. Beside that: only storage includes lmdb.h, only engine
includes the header of the bridge, and a room that is not listed is an error. Tested by
tests/tools/layers_test.py.
"""
import pathlib
import re
import sys

ROOM_INCLUDE = re.compile(r'^\s*#\s*include\s*"([^"/]+)/', re.M)
ANY_INCLUDE = re.compile(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]', re.M)
ONLY = {"lmdb.h": "storage", "engine/bridge.h": "engine"}


def read_layers(path):
    """The rooms of LAYERS, in order, each with the rooms it may include."""
    rooms = {}
    for line in path.read_text().splitlines():
        line = line.split("#")[0].strip()
        if line:
            room, _, allowed = line.partition(":")
            rooms[room.strip()] = allowed.split()
    return rooms


def check_order(rooms):
    seen = set()
    for room, allowed in rooms.items():
        for name in allowed:
            if name not in seen:
                yield (f"src/LAYERS: {room} names {name}, which is not listed above it; "
                       f"move {name}'s line up, or declare the interface in {room}")
        seen.add(room)


def check_file(src, file, rooms):
    room = file.relative_to(src).parts[0]
    text = file.read_text(errors="replace")
    where = file.relative_to(src.parent)
    if room not in rooms:
        yield f"{where}: the room {room} is not in src/LAYERS; give it a line there"
        return
    for target in ROOM_INCLUDE.findall(text):
        if target in rooms and target != room and target not in rooms[room]:
            yield (f"{where}: {room} may not include {target}; declare what you need in {room} "
                   f"and let {target} implement it")
    for target in ANY_INCLUDE.findall(text):
        owner = ONLY.get(target)
        if owner and owner != room:
            yield f"{where}: only {owner} may include {target}"


def main(root):
    src = pathlib.Path(root) / "src"
    rooms = read_layers(src / "LAYERS")
    problems = list(check_order(rooms))
    for file in sorted(src.glob("*/**/*")):
        if file.suffix in {".h", ".cpp"}:
            problems += check_file(src, file, rooms)
    print("\n".join(problems) or "layers: clean")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else "."))
