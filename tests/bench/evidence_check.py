"""`python -m tests.bench.evidence_check FILE`: the evidence of one Olist order, by its own script.

Imports the orders (olist_orders_sample.csv.gz), exports the one with the most records, makes a
virtual environment with nothing but `cryptography` in it, checks the package there, and then the
same package altered in ten ways. Exit 0 when the first holds and the ten are refused, 1 when not.
"""

from __future__ import annotations

import argparse
import io
import json
import subprocess
import sys
import tempfile
import venv
import zipfile
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console

from tests.bench.real_logs import TENANT, Database, Report
from tracking.mongo.embedded import EmbeddedMongo

RECORDS = "records.ndjson"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path, help="the Olist orders, olist_orders_sample.csv.gz")
    given = parser.parse_args()
    report = Report()
    with tempfile.TemporaryDirectory(prefix="dft-evidence-") as place:
        folder = Path(place)
        with EmbeddedMongo(folder / "mongodb", for_tests=True, cache_gb=0.5) as mongo:
            package = exported(
                Database(mongo.uris["web"], "olist", folder), given.file, folder, report
            )
        # The database is gone; what follows is what an auditor has.
        check(package, folder / f"olist/keys/{'public.json'}", folder, report)
    Console(width=150).print(report.table)
    return 0 if report.good else 1


def exported(database: Database, file: Path, folder: Path, report: Report) -> bytes:
    totals = database.load(file, "olist")
    report.check("records stored", totals["stored"], 19_811)
    database.follow_to_the_end()
    order = database.db.transaction.find_one({"status": "failed"}, sort=[("records", -1)])
    assert order is not None
    report.figure("order", f"{order['object_id']}, {order['records']} records, {order['status']}")
    out = folder / "evidence.zip"
    given = ("--tenant", TENANT, "--transaction", order["transaction"], "--out", str(out))
    database.manage("evidence", *given)
    package = out.read_bytes()
    report.figure("package, bytes", len(package))
    return package


def check(package: bytes, keys: Path, folder: Path, report: Report) -> None:
    clean = folder / "venv"
    venv.create(clean, with_pip=True)
    python = clean / "bin/python"
    install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*install, "cryptography"], check=True, stderr=subprocess.DEVNULL)
    listed = subprocess.run(
        [python, "-m", "pip", "list", "--format", "json"], capture_output=True, check=True
    )
    names = sorted(each["name"] for each in json.loads(listed.stdout))
    report.figure("the clean environment has", ", ".join(names))
    with zipfile.ZipFile(io.BytesIO(package)) as zipped:
        files = {name: zipped.read(name) for name in zipped.namelist()}
    script = folder / "verify.py"
    script.write_bytes(files["verify.py"])

    def verdict(data: bytes) -> tuple[int, str]:
        path = folder / "package.zip"
        path.write_bytes(data)
        command = [python, script, path, "--keys", keys]
        ran = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)
        said = (ran.stdout + ran.stderr).strip().splitlines()
        return ran.returncode, (said or [""])[-1 if ran.returncode else 0]

    code, said = verdict(package)
    report.check(f"as exported: {said}", code, 0)
    for what, data in alterations(package, files):
        code, said = verdict(data)
        report.check(f"{what}: {said[:80]}", code, 1)


def alterations(package: bytes, files: dict[str, bytes]) -> Iterator[tuple[str, bytes]]:
    def put(**changed: bytes) -> bytes:
        if not set(changed.values()).isdisjoint(files.values()):
            raise SystemExit("an alteration altered nothing")
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as target:
            for name, data in (
                files | {n.replace("__", "."): d for n, d in changed.items()}
            ).items():
                target.writestr(name, data)
        return out.getvalue()

    records, proofs = files[RECORDS], files["proofs.ndjson"]
    yield (
        "1 a record's status",
        put(records__ndjson=records.replace(b'"succeeded"', b'"skipped"', 1)),
    )
    yield "2 a record's time", put(records__ndjson=records.replace(b'_at":"201', b'_at":"200', 1))
    first = records.index(b"\n") + 1
    yield "3 a record removed", put(records__ndjson=records[first:])
    yield "4 a record twice", put(records__ndjson=records + records[:first])
    yield (
        "5 a hash of a proof",
        put(proofs__ndjson=proofs.replace(b'"hashes": ["', b'"hashes": ["0', 1)),
    )
    yield "6 a place in the log", put(proofs__ndjson=proofs.replace(b'"index": ', b'"index": 1', 1))
    yield "7 a receipt", put(proofs__ndjson=proofs.replace(b"dft-receipt/v1", b"dft-receipt/v2", 1))
    yield "8 the story", put(story__html=files["story.html"].replace(b"failed", b"delivered"))
    keys = files["public.json"].replace(b'"since": 0', b'"since": 1')
    yield "9 the list of keys", put(public__json=keys)
    yield "10 the zip cut", package[: len(package) * 2 // 3]


if __name__ == "__main__":
    sys.exit(main())
