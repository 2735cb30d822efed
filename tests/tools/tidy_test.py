"""tools/tidy.py: what is an opening, a function and an offence, and how the ratchet turns."""
import unittest

import tidy


def lengths(text):
    return [length for _, length in tidy.functions_by_braces(text)]


class TidyTest(unittest.TestCase):
    def test_functions_are_measured_in_namespaces_and_classes(self):
        text = ("namespace a {\nclass B : public C {\npublic:\n    int one() {\n        return 1;\n"
                "    }\n    int two() const { return 2; }\n};\n}  // namespace a\n")
        self.assertEqual(lengths(text), [3, 1])

    def test_a_signature_over_several_lines_belongs_to_its_function(self):
        text = "int f(int a,\n      int b) {\n    if (a) {\n        b++;\n    }\n}\n"
        self.assertEqual(lengths(text), [6])

    def test_braces_in_text_and_comments_do_not_count(self):
        self.assertEqual(lengths('void f() {\n    g("}");  // }\n    h(\'}\');\n}\n'), [4])

    def test_lists_of_values_are_no_functions(self):
        self.assertEqual(lengths("const int kTable[] = {\n    1,\n    2,\n};\nvoid f() {}\n"), [1])

    def test_extern_c_is_no_function(self):
        self.assertEqual(lengths('extern "C" {\nvoid f();\n\nvoid g();\n}\n'), [])

    def test_rust_functions_are_measured(self):
        text = "impl<T> A for B<T> {\n    pub fn f(&self) -> u8 {\n        1\n    }\n}\n"
        self.assertEqual(lengths(text), [3])

    def test_a_long_function_is_an_offence(self):
        text = "// A file about f, which is long.\nvoid f() {\n" + "    g();\n" * 70 + "}\n"
        found = list(tidy.check_functions("a.cpp", ".cpp", text))
        self.assertEqual([(p.line, p.size) for p in found], [(2, 72)])

    def test_a_file_opens_with_prose(self):
        def opens(suffix, text):
            return not list(tidy.check_opening("a", suffix, text))
        self.assertTrue(opens(".cpp", "// Finds a key by predicting its position.\n#include <x>\n"))
        self.assertTrue(opens(".h", "/* Finds a key by predicting it. */\n"))
        self.assertTrue(opens(".sh", "#!/bin/sh\n# Finds a key by predicting it.\n"))
        self.assertFalse(opens(".cpp", "#include <x>\n"))
        self.assertFalse(opens(".cpp", "// key.cpp\n#include <x>\n"))
        self.assertFalse(opens(".py", "import sys\n"))

    def test_unfinished_bits_and_machine_paths_are_offences(self):
        bad = ["// TO" + "DO: later", 'open("/ro' + 'ot/x")', "un" + "implemented!()"]
        self.assertEqual(len(list(tidy.check_words("a.cpp", bad))), 3)
        self.assertEqual(list(tidy.check_words("a.cpp", ["int to_do_list;"])), [])

    def test_the_ratchet_allows_what_is_known_and_only_shrinks(self):
        def report(size, known):
            problems = [tidy.Problem("file", "a.cpp", 1, size, "too long")] if size else []
            return list(tidy.apply_ratchet(problems, known))
        known = {("file", "a.cpp"): 900}
        self.assertEqual(len(report(900, {})), 1)
        self.assertEqual(report(900, known), [])
        self.assertEqual(len(report(901, known)), 1)
        self.assertIn("lower 900 to 850", report(850, known)[0])
        self.assertIn("remove the line", report(0, known)[0])
