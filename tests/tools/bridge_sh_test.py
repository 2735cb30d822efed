"""tools/bridge.sh: cargo runs once per source, failures are told, clones do not disturb each other.

Cargo itself is replaced by a script that writes down that it was called.
"""
import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
CARGO = """#!/bin/sh
echo called >> "$CALLS"
if [ -n "$CARGO_FAILS" ]; then echo "error: it does not compile" >&2; exit 101; fi
mkdir -p "$CARGO_TARGET_DIR/release/deps"
cat bridge/src/lib.rs > "$CARGO_TARGET_DIR/release/libtrefoil_bridge.so"
touch "$CARGO_TARGET_DIR/release/deps/libdatafusion-1.rlib"
"""


class BridgeTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="bridge-")
        self.addCleanup(folder.cleanup)
        self.base = pathlib.Path(folder.name)
        tools = self.base / "bin"
        tools.mkdir()
        for name, text in {"cargo": CARGO, "rustc": "#!/bin/sh\necho rustc 1.99.0\n"}.items():
            (tools / name).write_text(text)
            (tools / name).chmod(0o755)
        self.env = {**os.environ, "PATH": f"{tools}:{os.environ['PATH']}",
                    "XDG_CACHE_HOME": str(self.base / "cache"), "CALLS": str(self.base / "calls")}
        self.env.pop("TREFOIL_BRIDGE", None)  # a library that somebody built themselves

    def clone(self, name, source="pub fn one() {}\n"):
        """A clone with nothing in it but the script and a bridge."""
        top = self.base / name
        (top / "tools").mkdir(parents=True)
        (top / "bridge/src").mkdir(parents=True)
        shutil.copy(ROOT / "tools/bridge.sh", top / "tools")
        (top / "bridge/Cargo.toml").write_text("[package]\n")
        (top / "bridge/Cargo.lock").write_text("version = 4\n")
        (top / "bridge/src/lib.rs").write_text(source)
        return top

    def run_bridge(self, top, *args, **env):
        return subprocess.run([top / "tools/bridge.sh", *args], env={**self.env, **env},
                              capture_output=True, text=True)

    def calls(self):
        path = self.base / "calls"
        return len(path.read_text().splitlines()) if path.exists() else 0

    def test_the_same_source_is_built_once_also_from_a_second_clone(self):
        first = self.run_bridge(self.clone("a"))
        self.assertEqual(first.returncode, 0, first.stderr)
        self.assertIn("minutes", first.stderr)
        again = self.run_bridge(self.clone("b"))
        self.assertEqual((again.stdout, again.stderr), (first.stdout, ""))
        self.assertEqual(self.calls(), 1)

    def test_clones_with_different_sources_keep_their_own_library(self):
        one, two = self.clone("a"), self.clone("b", "pub fn two() {}\n")
        for top in (one, two, one, two):
            done = self.run_bridge(top, "--output", top / "lib.so")
            self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.calls(), 2)
        self.assertEqual((one / "lib.so").read_text(), "pub fn one() {}\n")
        self.assertEqual((two / "lib.so").read_text(), "pub fn two() {}\n")

    def test_an_output_that_is_current_is_not_touched(self):
        top = self.clone("a")
        self.run_bridge(top, "--output", top / "lib.so")
        before = (top / "lib.so").stat().st_mtime_ns
        self.run_bridge(top, "--output", top / "lib.so")
        self.assertEqual((top / "lib.so").stat().st_mtime_ns, before)

    def test_a_changed_dependency_starts_from_what_is_built(self):
        top = self.clone("a")
        self.run_bridge(top)
        (top / "bridge/Cargo.toml").write_text("[package]\n[dependencies]\n")
        done = self.run_bridge(top)
        self.assertIn("starting from a copy", done.stderr)
        self.assertIn("one to three minutes", done.stderr)

    def test_a_failed_build_says_what_failed_and_leaves_nothing(self):
        top = self.clone("a")
        done = self.run_bridge(top, CARGO_FAILS="yes")
        self.assertEqual(done.returncode, 1)
        self.assertIn("it does not compile", done.stderr)
        self.assertIn("FAILED: 'cargo build --release --locked'", done.stderr)
        self.assertEqual(self.run_bridge(top).returncode, 0)
        self.assertEqual(self.calls(), 2)
