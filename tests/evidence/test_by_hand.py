"""What docs/integrity.md tells an auditor to type is true."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.evidence.world import files_in, make, make_log
from tests.rules.sources import ROOT

pytestmark = pytest.mark.django_db(transaction=True)

TEXT = (ROOT / "docs" / "integrity.md").read_text(encoding="utf-8")


def unpacked(directory: Path) -> Path:
    make_log()
    for name, data in files_in(make(asked=5)).items():
        (directory / name).parent.mkdir(exist_ok=True)
        (directory / name).write_bytes(data)
    return directory


def block(kind: str) -> str:
    (found,) = re.findall(rf"```{kind}\n(.*?)```", TEXT, re.DOTALL)
    return str(found)


def done(directory: Path, *command: str) -> tuple[int, str]:
    ran = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False)
    return ran.returncode, ran.stdout + ran.stderr


@pytest.mark.skipif(not shutil.which("openssl"), reason="openssl is not installed here")
def test_signatures_and_hashes_by_openssl(tmp_path: Path) -> None:
    directory = unpacked(tmp_path)
    code, said = done(directory, "bash", "-c", block("sh"))
    assert said.count("Signature Verified Successfully") == 3, said
    assert (code, said.count(": OK"), "FAILED" in said) == (0, 12, False), said
    with (directory / "story.html").open("a") as file:
        file.write(" ")
    assert "story.html: FAILED" in done(directory, "bash", "-c", block("sh"))[1]


def test_records_and_proofs_by_python(tmp_path: Path) -> None:
    directory = unpacked(tmp_path)
    assert done(directory, sys.executable, "-I", "-c", block("python")) == (0, "")
    records = (directory / "records.ndjson").read_text()
    (directory / "records.ndjson").write_text(records.replace("no price", "no prize"))
    assert done(directory, sys.executable, "-I", "-c", block("python"))[0] == 1
