"""The repository has no violation, and the checker finds each kind of violation when it is planted."""
import pathlib
import sys
import tempfile
import unittest

import architecture

ROOT = pathlib.Path(__file__).resolve().parents[2]


class Repository(unittest.TestCase):
    def test_has_sources(self):
        for folder in ("base", "cache", "coherence", "tests"):
            self.assertTrue(architecture.files(ROOT, folder, ".h", ".cc"), folder)

    def test_has_no_violation(self):
        self.assertEqual([], list(architecture.violations(ROOT)))


class Planted(unittest.TestCase):
    def setUp(self):
        self.root = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        for header in ("base/status.h", "cache/page_store.h", "coherence/attr.h", "coherence/engine.h", "ctl/client.h"):
            self.write(header, "#pragma once\n")
        for folder in architecture.PRODUCT + ["tests"]:
            self.write(f"{folder}/CMakeLists.txt", "ocfsgw_library(x SOURCES a.cc b.cc sub/c.cc)\n")

    def write(self, name, text):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def expect(self, name, text, *wanted):
        """Planting `text` as file `name` gives exactly one violation, which has these words."""
        self.write(name, text)
        found = list(architecture.violations(self.root))
        self.assertEqual(1, len(found), found)
        for word in (name,) + wanted:
            self.assertIn(word, found[0])

    def expect_none(self, name, text):
        self.write(name, text)
        self.assertEqual([], list(architecture.violations(self.root)))

    def test_edges_that_are_not_in_the_table(self):
        for name, header in (("base/a.cc", "cache/page_store.h"), ("cache/a.cc", "coherence/attr.h"),
                             ("coherence/a.cc", "ctl/client.h"), ("ocfs2-backend/a.cc", "cache/page_store.h"),
                             ("ocfs2-backend/a.cc", "coherence/engine.h"), ("ctl/a.cc", "coherence/attr.h")):
            with self.subTest(name=name, header=header):
                self.expect(name, f'// first line\n#include "{header}"\n', ":2:", header)
                (self.root / name).unlink()

    def test_edges_of_the_table(self):
        self.expect_none("cache/a.cc", '#include "base/status.h"\n')
        self.expect_none("ocfs2-backend/a.cc", '#include "coherence/attr.h"\n#include "base/status.h"\n')
        self.expect_none("fusefs/a.cc", '#include "coherence/engine.h"\n#include "ctl/client.h"\n')

    def test_third_party(self):
        for name, header in (("coherence/a.cc", "rocksdb/db.h"), ("ctl/a.cc", "fuse_lowlevel.h"),
                             ("ctl/a.cc", "fuse3/fuse.h"), ("cache/a.cc", "spdlog/spdlog.h"),
                             ("cache/a.cc", "boost/asio/post.hpp"), ("coherence/a.cc", "nlohmann/json.hpp"),
                             ("cache/a.cc", "prometheus/counter.h"), ("cache/a.cc", "CLI/CLI.hpp"),
                             ("base/a.cc", "gtest/gtest.h"), ("cache/a.cc", "xxhash.h")):
            with self.subTest(name=name, header=header):
                self.expect(name, f"#  include <{header}>\n", header)
                (self.root / name).unlink()

    def test_third_party_where_it_belongs(self):
        self.expect_none("cache/a.cc", "#include <rocksdb/db.h>\n#include <fusion.h>\n")
        self.expect_none("tests/a.cc", "#include <rocksdb/db.h>\n#include <gtest/gtest.h>\n")
        self.expect_none("ctl/a.cc", "#include <boost/asio.hpp>\n#include <nlohmann/json.hpp>\n#include <CLI/CLI.hpp>\n")

    def test_include_with_dots(self):
        self.expect("cache/a.cc", '#include <../base/status.h>\n', "'..'")

    def test_include_not_from_the_root(self):
        self.expect("base/a.cc", '#include "status.h"\n', "root")

    def test_pragma_once(self):
        self.expect("base/x.h", "// #pragma once is missing\n", "pragma once")

    def test_source_that_is_not_listed(self):
        self.expect("cache/forgotten.cc", "\n", "cache/CMakeLists.txt")

    def test_source_listed_only_in_a_comment(self):
        self.write("cache/CMakeLists.txt", "x(a.cc)  # commented.cc\n")
        self.expect("cache/commented.cc", "\n", "not listed")

    def test_test_that_is_not_listed(self):
        self.expect("tests/unit/cache/forgotten_test.cc", "\n", "tests/CMakeLists.txt")

    def test_other_suffix(self):
        self.expect("cache/a.cpp", "\n", ".cc")

    def test_overload_in_a_unity_build(self):
        lists = "bench/CMakeLists.txt"
        private = "namespace {\nint Count(int x) { return x; }\n}  // namespace\n"
        self.write(lists, "x(a SOURCES a.cc b.cc)\n")
        self.write("bench/a.cc", private)
        self.expect("bench/b.cc", private.replace("int x", "long x"), "Count()", "a.cc", "ocfsgw_alone")
        self.write(lists, "x(a SOURCES a.cc b.cc)\nocfsgw_alone(b.cc)\n")
        self.expect_none("bench/b.cc", private.replace("int x", "long x"))
        self.write(lists, "x(a SOURCES a.cc)\nx(b SOURCES b.cc)\n")
        self.expect_none("bench/b.cc", private.replace("int x", "long x"))

    def test_overload_of_a_header_in_a_unity_build(self):
        self.write("bench/CMakeLists.txt", "x(a SOURCES a.cc b.cc)\n")
        self.write("bench/b.cc", "int Twice() { return Count(2); }\n")
        self.write("bench/count.h", "#pragma once\nint Count(long x);\n")
        self.expect("bench/a.cc", "namespace {\nint Count(int x) { return x; }\n}  // namespace\n", "count.h")

    def test_length(self):
        self.expect_none("base/a.cc", "\n" * 600)
        self.expect("base/b.cc", "\n" * 601, "601 lines")


if __name__ == "__main__":
    unittest.main(argv=sys.argv)
