"""tools/layers.py: a clean tree passes, and each kind of wrong include is caught."""
import contextlib
import io
import pathlib
import tempfile
import unittest

import layers

LAYERS = "# rooms\nbase:\nstorage: base\nengine: base\ndb: base storage engine\nshell:\n"


def check(files, listing=LAYERS):
    """What layers.py says about a tree of these files."""
    with tempfile.TemporaryDirectory() as folder:
        for name, text in {"LAYERS": listing, **files}.items():
            path = pathlib.Path(folder) / "src" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            code = layers.main(folder)
        return code, said.getvalue()


class LayersTest(unittest.TestCase):
    def test_a_clean_tree_passes(self):
        self.assertEqual(check({"db/a.cpp": '#include "storage/b.h"\n', "storage/b.h": ""})[0], 0)

    def test_an_upward_include_is_caught(self):
        code, said = check({"storage/b.h": '#include "db/a.h"\n'})
        self.assertEqual(code, 1)
        self.assertIn("storage may not include db", said)

    def test_an_include_with_blanks_is_caught(self):
        self.assertEqual(check({"storage/b.h": '  #  include   "engine/a.h"\n'})[0], 1)

    def test_a_door_may_include_no_room(self):
        self.assertEqual(check({"shell/s.cpp": '#include "base/check.h"\n'})[0], 1)
        self.assertEqual(check({"shell/s.cpp": '#include "trefoil/database.h"\n'})[0], 0)

    def test_a_room_named_before_it_is_listed_is_caught(self):
        self.assertEqual(check({}, "base: storage\nstorage:\n")[0], 1)

    def test_a_room_that_is_not_listed_is_caught(self):
        self.assertEqual(check({"attic/a.h": ""})[0], 1)

    def test_only_storage_includes_lmdb_and_only_engine_the_bridge(self):
        self.assertEqual(check({"db/a.cpp": "#include <lmdb.h>\n"})[0], 1)
        self.assertEqual(check({"storage/a.cpp": "#include <lmdb.h>\n"})[0], 0)
        self.assertEqual(check({"db/a.cpp": '#include "engine/bridge.h"\n'})[0], 1)
        self.assertEqual(check({"engine/a.cpp": '#include "engine/bridge.h"\n'})[0], 0)
