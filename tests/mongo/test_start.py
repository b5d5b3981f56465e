"""What every process does before its first line of work is paid for at each start."""

from __future__ import annotations

import subprocess
import sys

from tests.faults.processes import ROOT

PROGRAM = """
import os, sys
started = []
sys.addaudithook(lambda event, about: event == "subprocess.Popen" and started.append(about))
os.environ["DJANGO_SETTINGS_MODULE"] = "dft_project.settings"
import ctypes.util, django
find_library = ctypes.util.find_library
django.setup()
from django.db import connection
connection.features
assert ctypes.util.find_library is find_library
print(started)
"""


def test_a_start_runs_no_other_program() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.stdout == "[]\n", done.stdout + done.stderr
