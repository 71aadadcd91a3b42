#!/usr/bin/env python3
"""Every rule of tools/dev/lint finds its fault, and only that."""

import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

SOURCE = pathlib.Path(sys.argv.pop())


class Lint(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)
        self.write("tools/dev/lint", "")
        shutil.copy(SOURCE / "tools/dev/lint", self.root / "tools/dev/lint")
        shutil.copy(SOURCE / ".clang-format", self.root)

    def write(self, name, text):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def lint(self, *rules):
        result = subprocess.run(
            [sys.executable, self.root / "tools/dev/lint", *rules],
            capture_output=True, text=True)
        findings = [line for line in result.stdout.splitlines()
                    if not line.startswith("lint:")]
        self.assertEqual(result.returncode, 1 if findings else 0,
                         result.stdout + result.stderr)
        return findings

    def test_passes_a_clean_tree(self):
        self.write("a/B.cpp", "// What B is for.\nint b;\n")
        self.write("test/b.mlir", "// RUN: opt %s | FileCheck %s\n"
                   "// CHECK: b\n// CHECK-NEXT: c\n")
        self.assertEqual(self.lint(), [])

    def test_finds_dead_check_lines(self):
        self.write("test/b.mlir", "// RUN: opt %s | FileCheck %s\n"
                   "// CHECK-LABEL func @f\n// OTHER-CHECK: x\n")
        first, second = self.lint("check-lines")
        self.assertIn("test/b.mlir:2:", first)
        self.assertIn("without a colon", first)
        self.assertIn("test/b.mlir:3:", second)

    def test_knows_the_prefixes_of_run_lines(self):
        self.write("test/b.mlir",
                   "// RUN: FileCheck %s --check-prefixes=A,B\n"
                   "// A: x\n// B-NOT y\n")
        (finding,) = self.lint("check-lines")
        self.assertIn("B-NOT", finding)

    def test_finds_a_pass_without_a_test(self):
        self.write("passes/shard/Passes.td",
                   '// Passes.\ndef Seed : Pass<"dfg-seed", "ModuleOp"> {}\n')
        (finding,) = self.lint("pass-tests")
        self.assertIn("test/passes/shard/dfg-seed.mlir", finding)
        self.write("test/passes/shard/dfg-seed.mlir", "// RUN: opt\n")
        self.assertEqual(self.lint("pass-tests"), [])

    def test_finds_an_operation_without_an_example(self):
        head = ('// Operations.\ninclude "mlir/IR/OpBase.td"\n'
                'def D : Dialect { let name = "d"; }\n'
                'def AOp : Op<D, "a"> { let summary = "Adds"; ')
        self.write("d/DOps.td", head + "let description = [{Adds.}]; }\n")
        if not shutil.which("llvm-config-22"):
            self.skipTest("llvm-config-22 is not installed")
        (finding,) = self.lint("op-docs")
        self.assertIn("no example", finding)
        self.write("d/DOps.td",
                   head + "let description = [{Example: `d.a`}]; }\n")
        self.assertEqual(self.lint("op-docs"), [])

    def test_finds_long_files_and_missing_first_lines(self):
        self.write("a/B.cpp", "int b;\n" * 601)
        self.write("a/c", "#!/bin/sh\ntrue\n")
        self.assertEqual(len(self.lint("file-size")), 1)
        self.assertEqual(len(self.lint("first-line")), 2)

    def test_finds_places_of_one_machine(self):
        self.write("README.md", "See /" + "work/main.\n")
        self.assertEqual(len(self.lint("words")), 1)

    def test_finds_what_clang_format_would_change(self):
        self.write("a/B.cpp", "// B.\nint   b;\n")
        (finding,) = self.lint("format")
        self.assertIn("clang-format-22", finding)

    def test_refuses_an_unknown_rule(self):
        result = subprocess.run(
            [sys.executable, self.root / "tools/dev/lint", "spelling"],
            capture_output=True, text=True)
        self.assertEqual(result.returncode, 2)
        self.assertIn("spelling", result.stderr)


if __name__ == "__main__":
    unittest.main()
