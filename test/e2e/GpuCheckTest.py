#!/usr/bin/env python3
"""gpu-check against a pretended mpirun: hanging jobs end and fail."""

import importlib.machinery
import importlib.util
import os
import pathlib
import sys
import tempfile
import time
import unittest
from unittest import mock

SOURCE = pathlib.Path(sys.argv.pop())

# Its first rank leaves its process id in ranks. What it does is in behaviour:
#   hang    start two ranks, run for ever, do not heed SIGTERM
#   stay    as hang, after a line for step 60
#   follow  after that line, end when a rank does; resume at step 41
#   fail    end with code 3
MPIRUN = """#!/usr/bin/env python3
import json, pathlib, signal, subprocess, sys
folder = pathlib.Path(__file__).parent
behaviour = (folder / "behaviour").read_text()
if "--load" in sys.argv:
    metrics = pathlib.Path(sys.argv[sys.argv.index("--metrics") + 1])
    metrics.write_text("".join(json.dumps({"step": s, "lm_loss": 1}) + "\\n"
                               for s in range(41, 51)))
    sys.exit(0)
if behaviour == "fail":
    print("no such plan")
    sys.exit(3)
ranks = [subprocess.Popen(["sleep", "600"]) for _ in range(2)]
(folder / "ranks").write_text(str(ranks[0].pid))
if behaviour != "follow":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("started", flush=True)
if behaviour != "hang":
    print(" iteration       60/  100000 |", flush=True)
while behaviour != "follow":
    signal.pause()
ranks[1].wait()
ranks[0].kill()
sys.exit(1)
"""


def load():
    loader = importlib.machinery.SourceFileLoader(
        "gpu_check", str(SOURCE / "test/e2e/gpu-check"))
    sys.dont_write_bytecode = True
    module = importlib.util.module_from_spec(
        importlib.util.spec_from_loader("gpu_check", loader))
    loader.exec_module(module)
    return module


class GpuCheck(unittest.TestCase):
    def setUp(self):
        self.check = load()
        self.check.Job.patience = 1
        held = tempfile.TemporaryDirectory()
        self.addCleanup(held.cleanup)
        self.folder = pathlib.Path(held.name)
        for name, text in {"mpirun": MPIRUN,
                           "nvidia-smi": "#!/bin/sh\necho GPU 0\necho GPU 1\n"
                           }.items():
            (self.folder / name).write_text(text)
            (self.folder / name).chmod(0o755)
        path = mock.patch.dict(
            os.environ, PATH=f"{held.name}:{os.environ['PATH']}")
        path.start()
        self.addCleanup(path.stop)
        self.machine = self.check.Machine(self.folder, self.folder)
        self.machine.limit = self.machine.ending = 2

    def fails(self, behaviour, action):
        """What the error says; it comes soon, and no rank is left."""
        (self.folder / "behaviour").write_text(behaviour)
        begin = time.monotonic()
        with self.assertRaises(RuntimeError) as raised:
            action()
        self.assertLess(time.monotonic() - begin, 30)
        if (self.folder / "ranks").exists():
            self.assertTrue(self.ended((self.folder / "ranks").read_text()))
        return str(raised.exception)

    def ended(self, rank):
        """Whether it ends within seconds: it may be a zombie before."""
        for _ in range(100):
            try:
                state = pathlib.Path(f"/proc/{rank}/stat").read_text()
            except FileNotFoundError:
                return True
            if state.rpartition(")")[2].split()[0] == "Z":
                return True
            time.sleep(0.05)
        return False

    def test_ends_a_run_that_hangs(self):
        text = self.fails("hang", lambda: self.machine.train("one"))
        self.assertIn("plan one: the run took more than 2 s", text)
        self.assertIn("started", text)

    def test_shows_what_a_failing_run_said(self):
        text = self.fails("fail", lambda: self.machine.train("bits"))
        self.assertEqual(text, "plan bits ended with 3\nno such plan\n")

    def test_ends_a_job_that_never_gets_to_step_60(self):
        text = self.fails("hang", lambda: self.check.check_kill(self.machine))
        self.assertIn("plan long-2: 60 steps took more than 2 s", text)

    def test_tells_a_job_that_ends_before_step_60(self):
        text = self.fails("fail", lambda: self.check.check_kill(self.machine))
        self.assertIn("plan long-2: 60 steps: ended before with 3", text)

    def test_ends_a_job_that_outlives_its_rank(self):
        text = self.fails("stay", lambda: self.check.check_kill(self.machine))
        self.assertIn("plan long-2: ending after a rank was killed took more "
                      "than 2 s", text)

    def test_passes_a_job_that_ends_and_resumes(self):
        (self.folder / "behaviour").write_text("follow")
        self.assertIn("resumed at step 41",
                      self.check.check_kill(self.machine))


if __name__ == "__main__":
    unittest.main()
