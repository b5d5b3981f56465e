"""Programs that record, run as processes of their own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HOST = """
import os, sys, time
from tracking.client import Client

def note(client, number):
    return client.record(
        object_id=f"o-{number}", object_type="order", flow="orders", block="check",
        stage="processing", status="succeeded",
    )

url, key, spool = sys.argv[1:4]
client = Client(url, key, spool_dir=spool or None, flush_seconds=0.01, batch_size=50)
"""


def start(code: str, url: str, key: str, spool: Path | str = "") -> subprocess.Popen[str]:
    """Run `code` after HOST; what it prints can be read line by line."""
    return subprocess.Popen(
        [sys.executable, "-c", HOST + code, url, key, str(spool)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={"PATH": os.environ["PATH"]},
    )


def finish(process: subprocess.Popen[str], seconds: float = 20) -> str:
    """Wait for the end; the program must have ended well."""
    try:
        output, errors = process.communicate(timeout=seconds)
    finally:
        process.kill()
    assert process.returncode == 0, errors
    return output


def line_of(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        assert process.stderr is not None
        raise AssertionError(process.stderr.read())
    return line.strip()


def kill(process: subprocess.Popen[str]) -> None:
    """As the kernel kills: nothing in the process gets to say anything."""
    process.send_signal(signal.SIGKILL)
    process.communicate()
