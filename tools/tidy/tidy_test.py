#!/usr/bin/env python3
"""Tests of the house rules: each rule bites, and does not bite what is right."""
import unittest

import tidy

LAYERS = tidy.load_layers("# c\nbase/core:\nbase/net: base/core\nstore: base/*\nprograms: *\n")


def messages(check):
    return [message for _, message in check]


class Layers(unittest.TestCase):
    def test_upward_include_is_refused(self):
        found = messages(tidy.check_layers("src/base/core/a.cc", '#include "store/store.h"\n', LAYERS))
        self.assertEqual(found, ["src/base/core may not include src/store (cmake/layers.txt)"])

    def test_downward_and_own_includes_are_fine(self):
        text = '#include "base/net/http.h"\n#include "store/store.h"\n#include <vector>\n'
        self.assertEqual(messages(tidy.check_layers("src/store/rocks/a.cc", text, LAYERS)), [])

    def test_a_folder_outside_the_law_is_refused(self):
        self.assertTrue(messages(tidy.check_layers("src/odd/a.cc", "", LAYERS)))

    def test_private_headers_stay_private(self):
        self.assertTrue(messages(tidy.check_layers("src/store/a.cc", '#include "base/net/x_impl.h"\n', LAYERS)))


class Await(unittest.TestCase):
    def check(self, code):
        return messages(tidy.check_await("a.cc", tidy.strip_code(code)))

    def test_allowed_forms(self):
        self.assertEqual(self.check("void f() { co_await g(); auto x = co_await h(1); co_return co_await k(); CO_TRY(auto y, co_await l()); }"), [])

    def test_conditions_and_ranges_are_refused(self):
        self.assertTrue(self.check("void f() { if (co_await g()) h(); }"))
        self.assertTrue(self.check("void f() { while (co_await g()) { } }"))
        self.assertTrue(self.check("void f() { for (auto& x : *(co_await g())) { } }"))

    def test_a_body_without_braces_is_fine(self):
        self.assertEqual(self.check("void f() { for (auto& x : xs) co_await g(x); if (y) co_await h(); }"), [])

    def test_two_in_one_statement_are_refused(self):
        self.assertTrue(self.check("void f() { g(co_await a(), co_await b()); }"))

    def test_comments_and_strings_do_not_count(self):
        self.assertEqual(self.check('void f() { // if (co_await g())\n log("if (co_await x)"); }'), [])


class Banned(unittest.TestCase):
    def check(self, code, path="src/a.cc"):
        return messages(tidy.check_banned(path, tidy.strip_code(code)))

    def test_each_seam_is_named(self):
        for code in ("auto t = std::chrono::system_clock::now();", "std::thread t(f);", "int r = rand();", "std::regex r;",
                     "co_spawn(x, y, asio::detached);", "strcpy(a, b);"):
            self.assertTrue(self.check(code), code)

    def test_the_seam_itself_may(self):
        self.assertEqual(self.check("std::chrono::system_clock::now()", "src/base/core/clock.cc"), [])

    def test_words_inside_strings_do_not_count(self):
        self.assertEqual(self.check('log("rand()");'), [])


class Sizes(unittest.TestCase):
    def test_long_files_and_functions(self):
        body = "int f() {\n" + "  g();\n" * 80 + "}\n"
        found = messages(tidy.check_sizes("src/a.cc", body, body, {}))
        self.assertEqual(found, ["a function of 82 lines, at most 70"])
        long_file = "\n" * 700
        self.assertTrue(messages(tidy.check_sizes("src/a.cc", long_file, long_file, {})))
        self.assertEqual(messages(tidy.check_sizes("src/a.cc", long_file, long_file, {"src/a.cc": 700})), [])


class Words(unittest.TestCase):
    def test_words(self):
        self.assertTrue(messages(tidy.check_words("a.cc", "// FIX" + "ME later")))
        self.assertTrue(messages(tidy.check_words("a.cc", "// TO" + "DO later")))
        self.assertEqual(messages(tidy.check_words("a.cc", "// TODO(perf): batch")), [])


if __name__ == "__main__":
    unittest.main()
