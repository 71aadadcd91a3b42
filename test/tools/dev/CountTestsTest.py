#!/usr/bin/env python3
"""The line that tools/check ends with, from CTest logs of every kind."""

import pathlib
import subprocess
import sys
import tempfile
import unittest

SOURCE = pathlib.Path(sys.argv.pop())

GOOGLE = """[==========] 3 tests from 1 test suite ran. (0 ms total)
[  PASSED  ] 2 tests.
[  SKIPPED ] 1 test, listed below:
[  SKIPPED ] Kernel.NeedsAGpu
"""
LIT = """Testing Time: 0.10s

Total Discovered Tests: 7
  Unsupported: 2 (28.57%)
  Passed     : 5 (71.43%)
"""


def section(number, name, output, verdict):
    return (f"{number}/9 Testing: {name}\n{number}/9 Test: {name}\n"
            f"Command: \"x\"\nOutput:\n{'-' * 58}\n{output}<end of output>\n"
            f"Test time =   0.01 sec\n{'-' * 58}\n{verdict}\n")


class CountTests(unittest.TestCase):
    def count(self, *sections):
        with tempfile.TemporaryDirectory() as folder:
            log = pathlib.Path(folder) / "LastTest.log"
            log.write_text("".join(section(i, *s)
                                   for i, s in enumerate(sections, 1)))
            result = subprocess.run(
                [sys.executable, SOURCE / "tools/dev/count-tests", folder],
                capture_output=True, text=True)
        return result.returncode, result.stdout.splitlines()

    def test_adds_up_cases(self):
        code, lines = self.count(("A", GOOGLE, "Test Passed."),
                                 ("lit", LIT, "Test Passed."),
                                 ("fuzz", "done\n", "Test Passed."))
        self.assertEqual((code, lines[-1]),
                         (0, "8 passed, 0 failed, 3 skipped"))

    def test_counts_several_ranks_of_one_test_once(self):
        code, lines = self.count(("Mpi4", GOOGLE * 4, "Test Passed."))
        self.assertEqual(lines[-1], "2 passed, 0 failed, 1 skipped")

    def test_counts_failures(self):
        failed = ("[  PASSED  ] 4 tests.\n"
                  "[  FAILED  ] 2 tests, listed below:\n")
        code, lines = self.count(("A", failed, "Test Failed."))
        self.assertEqual((code, lines),
                         (1, ["failed A", "4 passed, 2 failed, 0 skipped"]))

    def test_counts_a_crash_and_a_timeout_as_failures(self):
        code, lines = self.count(("A", "[ RUN ] x\n", "Test Failed."),
                                 ("B", "", "Test Timeout."),
                                 ("C", "", ""))
        self.assertEqual((code, lines[-1]),
                         (1, "0 passed, 3 failed, 0 skipped"))

    def test_gives_the_reasons_of_skips(self):
        output = "KernelTest.cpp:12: Skipped\nno GPU here\n" + GOOGLE
        code, lines = self.count(("A", output, "Test Passed."))
        self.assertEqual(lines[0], "skipped A: no GPU here")

    def test_counts_an_entry_that_skips_itself(self):
        code, lines = self.count(
            ("gpu-check", "skipped: no GPU here\n", "Test Passed."))
        self.assertEqual((code, lines),
                         (0, ["skipped gpu-check: no GPU here",
                              "0 passed, 0 failed, 1 skipped"]))

    def test_counts_the_lines_of_a_script(self):
        output = ("passed one (1.5 s): loss within 1e-7\n"
                  "skipped two (0.0 s): needs 2 GPUs, 1 is there\n"
                  "FAILED bits (12.0 s): losses differ\n")
        code, lines = self.count(("gpu-check", output, "Test Failed."))
        self.assertEqual((code, lines),
                         (1, ["skipped gpu-check: two: needs 2 GPUs, 1 is "
                              "there", "failed gpu-check",
                              "1 passed, 1 failed, 1 skipped"]))

    def test_says_when_there_is_no_log(self):
        with tempfile.TemporaryDirectory() as folder:
            result = subprocess.run(
                [sys.executable, SOURCE / "tools/dev/count-tests", folder],
                capture_output=True, text=True)
        self.assertEqual(result.returncode, 2)


if __name__ == "__main__":
    unittest.main()
