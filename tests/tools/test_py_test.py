"""tools/test.py: how the outcome of a suite is read from what it prints and how it ends."""
import importlib.util
import pathlib
import unittest

# `test` is also the name of a package of Python's own, so the file is loaded by its path.
path = pathlib.Path(__file__).resolve().parent.parent.parent / "tools/test.py"
spec = importlib.util.spec_from_file_location("tools_test", path)
runner = importlib.util.module_from_spec(spec)
spec.loader.exec_module(runner)

GOOD = "[doctest] test cases:  5 |  5 passed | 0 failed | 0 skipped\n[doctest] Status: SUCCESS!\n"
BAD = "[doctest] test cases: 12 | 10 passed | 2 failed |\n"


class CountTest(unittest.TestCase):
    def test_doctest_programs_count_their_cases(self):
        self.assertEqual(runner.count(GOOD, 0), (5, 0))
        self.assertEqual(runner.count(BAD, 1), (10, 2))

    def test_scripts_count_by_their_last_line(self):
        self.assertEqual(runner.count("1 passed, 1 failed\n7 passed, 0 failed\n", 0), (7, 0))

    def test_a_bad_end_counts_even_after_a_good_summary(self):
        self.assertEqual(runner.count(GOOD, 1), (5, 1))
        self.assertEqual(runner.count("", -11), (0, 1))

    def test_a_program_that_only_succeeds_counts_as_one(self):
        self.assertEqual(runner.count("hello\n", 0), (1, 0))
