#!/usr/bin/env bash
# tools/python.sh PROGRAM [ARGUMENT ...]: runs a Python program with the packages that
# `tools/setup.sh --bench` installs, or without them if they are not there.
python=${XDG_CACHE_HOME:-$HOME/.cache}/trefoil/tools/bin/python
[ -x "$python" ] || python=python3
exec "$python" "$@"
