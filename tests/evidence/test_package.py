"""A package is checked by its own script, alone; whatever is altered in it is refused."""

from __future__ import annotations

import ast
import hashlib
import io
import json
import random
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import rfc8785
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.evidence import script
from tests.evidence.world import (
    MOMENT,
    NAMES,
    files_in,
    make,
    make_log,
    story,
    written,
    zipped,
)
from tests.tools import make_tenant, post, record
from tracking import vocabulary as v
from tracking.core.canonical import leaf_hash
from tracking.core.note import Signer, sign_note
from tracking.errors import NotFound
from tracking.evidence.gather import Altered, TooLarge
from tracking.evidence.package import file_name
from tracking.ledger.log import LogBroken
from tracking.ledger.proofs import checkpoint_at, latest_checkpoint
from tracking.ledger.sealer import seal_once
from tracking.models import TransactionBlock
from tracking.mongo.connection import collection
from tracking.signing import keyring

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    return script.bare_python(tmp_path_factory.mktemp("bare"))


@pytest.fixture
def check(python: list[str], tmp_path: Path) -> Callable[..., tuple[int, str]]:
    """Runs the script on a package; gives its exit code and what it said."""

    def run(package: bytes | dict[str, bytes], *more: str | Path) -> tuple[int, str]:
        data = package if isinstance(package, bytes) else zipped(package)
        done = script.run(python, written(tmp_path / "package.zip", data), *more)
        assert not done.stderr, done.stderr
        return done.returncode, done.stdout

    return run


def lines(data: bytes) -> list[str]:
    return data.decode().split("\n")[:-1]


# --- What is whole ------------------------------------------------------------------------------


def test_the_script_is_short_and_needs_only_python_3_8_and_cryptography() -> None:
    text = script.SCRIPT.read_text(encoding="utf-8")
    assert len(text.splitlines()) < 100
    assert max(map(len, text.splitlines())) <= 100
    tree = ast.parse(text, feature_version=(3, 8))
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.Assert)]
    imported = {
        name.split(".")[0]
        for node in ast.walk(tree)
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert imported - {"cryptography"} <= sys.stdlib_module_names


def test_the_python_of_these_tests_has_neither_django_nor_us(python: list[str]) -> None:
    for name, has in (("cryptography", 0), ("django", 1), ("tracking", 1), ("pymongo", 1)):
        code = python[-1].partition("; import runpy")[0]
        done = subprocess.run(
            [*python[:-1], f"{code}; import {name}"], capture_output=True, check=False
        )
        assert done.returncode == has, name


def test_a_whole_package_holds_as_a_zip_and_as_a_folder(
    check: Any, python: Any, tmp_path: Path
) -> None:
    make_log()
    package = make()
    code, said = check(package)
    assert code == 0, said
    assert [line for line in said.splitlines() if line.startswith("sealed")] == [
        f"sealed   'acme/a-{number}'" for number in range(1, 8)
    ]
    assert str(keyring.public_keys(keyring.LOG)[0].key) in said
    zipfile.ZipFile(io.BytesIO(package)).extractall(tmp_path / "unpacked")
    done = script.run(python, tmp_path / "unpacked")
    assert (done.returncode, done.stdout) == (0, said)


def test_the_records_are_what_is_stored_to_the_letter() -> None:
    make_log()
    files = files_in(make())
    rows = {row.key: row for row in TransactionBlock.objects.filter(transaction="tx-1")}
    found = lines(files["records.ndjson"])
    assert len(found) == 7
    for line, proof in zip(found, lines(files["proofs.ndjson"]), strict=True):
        told = json.loads(line)
        stored = rows[told["record"]["_id"]]
        document = stored.document()
        assert told["salt"] == stored.salt.hex()
        assert {*told["record"], "salt", "part"} == {*document, "part"}
        assert rfc8785.dumps(told["record"]).decode() in line
        assert rfc8785.dumps(stored.part or {}).decode() in line
        assert json.loads(proof)["leaf"] == leaf_hash(document).hex() == stored.receipt


def test_the_same_log_at_the_same_moment_gives_the_same_bytes() -> None:
    make_log()
    assert make() == make()
    assert make() != make(moment=MOMENT + timedelta(milliseconds=1))
    several = (("acme", "tx-1"), ("globex", "tx-1"))
    assert make(*several) == make(*several)


def test_several_objects_of_several_tenants_stand_in_folders(check: Any) -> None:
    make_log()
    post([record(id="x", transaction="..", status="started")])
    package = make(("acme", "tx-1"), ("globex", "tx-1"), ("acme", ".."), search="flow=orders")
    files = files_in(package)
    assert {name.split("/")[0] for name in files if name.endswith("story.pdf")} == {
        "001-tx-1",
        "002-tx-1",
        "003-_",
    }
    assert b"flow=orders" in files["index.html"]
    code, said = check(package)
    assert code == 0
    assert said.count("'globex/g-") == 7
    assert "recorded 'acme/x'" in said


def test_a_record_that_is_not_sealed_has_a_receipt_and_says_so(check: Any) -> None:
    make_tenant("acme")
    post(story())
    code, said = check(package := make())
    assert code == 0
    assert said.count("recorded 'acme/a-") == 7
    assert b"not sealed" in files_in(package)["story.html"]
    seal_once()
    post([record(id="later", transaction="tx-1", status="started")])
    code, said = check(make())
    assert (said.count("sealed  "), said.count("recorded ")) == (7, 1)


def test_keys_and_a_checkpoint_of_the_auditors_own_decide(check: Any, tmp_path: Path) -> None:
    make_log()
    keys = written(tmp_path / "mine.json", json.dumps(keyring.public_list()).encode())
    held = checkpoint_at(5)
    newest = latest_checkpoint()
    assert held and newest
    mine = written(tmp_path / "note.txt", held.note.encode())
    assert check(make(asked=5), "--keys", keys, "--checkpoint", mine)[0] == 0
    code, said = check(make(), "--keys", keys, "--checkpoint", mine)
    assert (code, "checkpoint=5" in said) == (2, True)
    same = written(tmp_path / "newest.txt", newest.note.encode())
    assert check(make(), "--checkpoint", same)[0] == 0
    file = written(tmp_path / "file.txt", f"{held.note}\n{newest.note}\n".encode())
    assert check(make(), "--checkpoint", file)[0] == 0, "an anchor file: one of its notes will do"
    for nothing in (b"", b"\n\n", b"no note\n"):
        code, said = check(make(), "--checkpoint", written(tmp_path / "nothing.txt", nothing))
        assert (code, "no signed note" in said) == (1, True)
    with pytest.raises(NotFound):
        make(asked=6)
    with pytest.raises(NotFound):
        make(asked=newest.size + 1)


def test_a_checkpoint_of_another_history_is_told_apart(check: Any, tmp_path: Path) -> None:
    make_log()
    signer = keyring.signer(keyring.LOG)
    forked = sign_note(f"{keyring.origin()}\n5\n{'A' * 43}=\n", [signer])
    mine = written(tmp_path / "fork.txt", forked.encode())
    code, said = check(make(asked=5), "--checkpoint", mine)
    assert code == 1
    assert "another history" in said


def test_what_cannot_be_checked_ends_with_2(python: list[str], tmp_path: Path) -> None:
    assert script.run(python, tmp_path / "none.zip").returncode == 2
    bare = [sys.executable, "-I", "-S", "-c", "import runpy, sys; sys.argv = sys.argv[1:];"
            " runpy.run_path(sys.argv[0], run_name='__main__')"]  # fmt: skip
    make_log()
    done = script.run(bare, written(tmp_path / "p.zip", make()))
    assert done.returncode == 2
    assert "cryptography" in done.stdout


def test_anchors_and_their_time_stamps_come_along(check: Any) -> None:
    make_log()
    for size, kind, token in (
        (10, "timestamp", b"answer"),
        (5, "timestamp", b"old"),
        (24, "file", None),
    ):
        held = checkpoint_at(size) or latest_checkpoint()
        assert held
        row = {"_id": f"{kind}@{size}", "size": held.size, "root": held.root, "kind": kind}
        row |= {"target": f"{kind}:x", "anchored_at": MOMENT}
        collection("log_anchor").insert_one({**row, **({"token": token} if token else {})})
    try:
        package = make()
        files = files_in(package)
        anchors = json.loads(files["anchors.json"])
        assert [(each["kind"], each["size"]) for each in anchors][-1] == ("timestamp", 10)
        assert files[anchors[-1]["token"]] == b"answer"
        assert all(each["checkpoint"] in files for each in anchors)
        assert json.loads(files["checkpoints.json"])[-1]["why"] == "anchored"
        assert json.loads(files["package.json"])["objects"][0]["anchored"] == 7
        assert check(package)[0] == 0
        collection("log_anchor").update_one({"_id": "timestamp@10"}, {"$set": {"root": b"x" * 32}})
        with pytest.raises(LogBroken):
            make()
    finally:
        collection("log_anchor").drop()


def test_a_record_whose_part_was_erased_still_stands_in_the_log(check: Any) -> None:
    make_log()
    collection("journal").update_one({"_id": "acme/a-3"}, {"$unset": {"part": "", "salt": ""}})
    package = make()
    files = files_in(package)
    (erased,) = [each for each in lines(files["records.ndjson"]) if '"salt"' not in each]
    assert json.loads(erased).keys() == {"record"}
    assert b"was erased; its hash remains" in files["story.html"]
    code, said = check(package)
    assert (code, said.count("sealed ")) == (0, 7)


# --- What is refused before it is signed --------------------------------------------------------


@pytest.mark.parametrize("sealed", [True, False])
@pytest.mark.parametrize("field", ["block", "part", "batch", "index", "recorded_at"])
def test_no_receipt_is_signed_for_a_record_that_was_altered(field: str, sealed: bool) -> None:
    make_tenant("acme")
    post(story())
    if sealed:
        seal_once()
    value = {"part": {"reason": "x"}, "index": 3, "recorded_at": MOMENT}.get(field, "other")
    collection("journal").update_one({"_id": "acme/a-6"}, {"$set": {field: value}})
    with pytest.raises(Altered, match="a-6"):
        make()


def test_no_package_is_made_of_a_record_that_was_slipped_in_or_a_log_that_was_changed() -> None:
    make_log()
    copy = collection("journal").find_one({"_id": "acme/a-6"})
    assert copy
    collection("journal").insert_one({**copy, "_id": "acme/slipped"})
    with pytest.raises(Altered, match="slipped"):
        make()
    collection("journal").delete_one({"_id": "acme/slipped"})
    make()
    newest = latest_checkpoint()
    assert newest
    collection("log_checkpoint").update_one({"_id": newest.size}, {"$set": {"root": b"x" * 32}})
    with pytest.raises(LogBroken):
        make()


def test_limits_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    make_log()
    with pytest.raises(TooLarge, match="100 objects"):
        make(*[("acme", f"t{number}") for number in range(v.EVIDENCE_OBJECTS_MAX + 1)])
    with pytest.raises(NotFound):
        make(("acme", "none"))
    monkeypatch.setattr(v, "EVIDENCE_RECORDS_MAX", 6)
    with pytest.raises(TooLarge, match="6 records"):
        make()
    monkeypatch.setattr(v, "EVIDENCE_RECORDS_MAX", 100)
    monkeypatch.setattr(v, "EVIDENCE_BYTES_MAX", 1_000)
    with pytest.raises(TooLarge):
        make()


def test_the_name_of_the_file_is_safe() -> None:
    assert file_name([("a", "..")]) == "evidence-_.zip"
    assert file_name([("a", "x:y~z" + "9" * 100)]) == f"evidence-x_y_z{'9' * 55}.zip"
    assert file_name([("a", "b")] * 3) == "evidence-3-objects.zip"


# --- What is altered afterwards -----------------------------------------------------------------


def resigned(files: dict[str, bytes], signer: Signer | None = None) -> dict[str, bytes]:
    """The manifest made anew over what the files are now, as a forger without our key can."""
    files = {name: data for name, data in files.items() if name != "manifest.txt"}
    mine = signer or Signer(
        f"{keyring.origin()}/receipt", Ed25519PrivateKey.from_private_bytes(b"f" * 32)
    )
    head = ["dft-evidence/v1", keyring.origin(), "2026-03-01T12:00:00.000Z", "auditor"]
    sums = [f"{hashlib.sha256(data).hexdigest()}  {name}" for name, data in sorted(files.items())]
    note = sign_note("\n".join((*head, *sums, "")), [mine])
    return {**files, "manifest.txt": note.encode()}


def alterations(files: dict[str, bytes]) -> Iterator[tuple[str, dict[str, bytes]]]:
    """Everything that somebody without the keys might try."""

    ours = keyring.signer(keyring.RECEIPT)

    def put(name: str, data: bytes | str) -> dict[str, bytes]:
        return {**files, name: data.encode() if isinstance(data, str) else data}

    def text(name: str, old: str, new: str) -> dict[str, bytes]:
        before = files[name].decode()
        assert old in before, (name, old)
        return put(name, before.replace(old, new, 1))

    for name, data in files.items():
        yield f"{name}: a byte", put(name, data[:-2] + bytes([data[-2] ^ 1]) + data[-1:])
        yield f"{name}: removed", {each: files[each] for each in files if each != name}
        yield f"{name}: longer", put(name, data + b"\n")
        yield f"{name}: empty", put(name, b"")
    yield "added", put("note.txt", "trust me")
    changes = [
        ('"status":"failed"', '"status":"succeeded"'),
        ('"occurred_at":"2026-01-31T10:00', '"occurred_at":"2026-01-30T10:00'),
        ('"recorded_at":"2', '"recorded_at":"1'),
        ('"amount":"1.25"', '"amount":"9.25"'),
        ("no price", "no  price"),
        ("1.5e+300", "1.6e+300"),
        ('"tenant":"acme"', '"tenant":"acmf"'),
        ('"index":1', '"index":2'),
        ('"corrects":"a-6",', ""),
        ('"v":1}', '"v":1,"x":1}'),
        ('{"record":{', '{"record":{"status":"succeeded",'),
        ('"reason":"no price"', '"reason":"no price","reason":"fine"'),
    ]
    for old, new in changes:
        changed = text("records.ndjson", old, new)
        yield f"record {old}", changed
        yield f"record {old}, manifest signed by another", resigned(changed)
        # each fence holds by itself: whoever has the receipts' key cannot change a record either
        yield f"record {old}, manifest signed by us", resigned(changed, ours)
    rows = lines(files["records.ndjson"])
    proofs = lines(files["proofs.ndjson"])

    def with_rows(some: list[str], proven: list[str]) -> dict[str, bytes]:
        found = put("records.ndjson", "\n".join((*some, "")))
        return {**found, "proofs.ndjson": "\n".join((*proven, "")).encode()}

    yield "record removed", with_rows(rows[1:], proofs[1:])
    yield "record twice", with_rows([*rows, rows[0]], [*proofs, proofs[0]])
    yield "records swapped", with_rows([rows[1], rows[0], *rows[2:]], proofs)
    for name, value in (
        ("index", 3),
        ("index", None),
        ("hashes", []),
        ("leaf", "00" * 32),
        ("id", "x"),
    ):
        forged = [json.dumps({**json.loads(proofs[0]), name: value}), *proofs[1:]]
        yield f"proof {name} {value}", with_rows(rows, forged)
        if name in ("index", "hashes") and value is not None:
            yield f"proof {name} {value}, signed", resigned(with_rows(rows, forged), ours)
    other = json.loads(proofs[1])["receipt"]
    swapped = [json.dumps({**json.loads(proofs[0]), "receipt": other}), *proofs[1:]]
    crossed = with_rows([rows[1], rows[0], *rows[2:]], proofs)
    yield "receipt of another", with_rows(rows, swapped)
    yield "receipt of another, signed", resigned(with_rows(rows, swapped), ours)
    yield "records swapped, signed", resigned(crossed, ours)
    forger = Signer(keyring.origin(), Ed25519PrivateKey.from_private_bytes(b"f" * 32))
    (note,) = [name for name in files if name.startswith("checkpoints/")]
    yield (
        "checkpoint by another key",
        put(note, sign_note(files[note].decode().partition("\n\n")[0] + "\n", [forger])),
    )
    yield "story", text("story.html", "failed", "did well")
    yield "manifest: another exporter", text("manifest.txt", "auditor", "nobody")
    yield "manifest: another time", text("manifest.txt", "2026-03", "2026-04")


def test_whatever_is_altered_is_refused(tmp_path: Path) -> None:
    make_log()
    files = files_in(make())
    outsider = script.load()
    keys = keyring.public_list()
    tried = 0
    for what, forged in alterations(files):
        tried += 1
        for listed in (keys, None):
            path = written(tmp_path / "forged.zip", zipped(forged))
            with pytest.raises(Exception) as refused:
                found = outsider.files_of(path)
                mine = listed or json.loads(found["public.json"])
                list(outsider.check(found, mine, None))
            assert not isinstance(refused.value, OSError | ImportError), (what, refused.value)
    assert tried >= 100
    path = written(tmp_path / "whole.zip", zipped(files))
    assert len(list(outsider.check(outsider.files_of(path), keys, None))) == 7


def test_a_bit_that_flips_in_any_file_is_refused(tmp_path: Path) -> None:
    make_log()
    files = files_in(make(asked=5))
    outsider, keys, dice = script.load(), keyring.public_list(), random.Random(11)
    names = sorted(files)
    for number in range(500):
        # the manifest, which nothing else covers, has every second one
        name = "manifest.txt" if number % 2 else dice.choice(names)
        place, bit = dice.randrange(len(files[name])), 1 << dice.randrange(8)
        data = bytearray(files[name])
        data[place] ^= bit
        with pytest.raises(Exception):  # noqa: B017
            list(outsider.check({**files, name: bytes(data)}, keys, None))
            pytest.fail(f"{name}, byte {place}, bit {bit}")


def test_the_script_itself_refuses_with_1_and_says_why(check: Any) -> None:
    make_log()
    files = files_in(make())
    tried = {
        what: forged
        for what, forged in alterations(files)
        if what in ("story", "record removed", "records swapped", "added", "receipt of another")
        or what.startswith(('record "status":"failed"', "checkpoint by", "manifest: another t"))
        or what in ("public.json: removed", "records.ndjson: empty", "proof index 3")
    }
    assert len(tried) >= 10
    for what, forged in tried.items():
        code, said = check(forged)
        assert code == 1, what
        assert said.startswith("REFUSED"), what
    package = make()
    for cut in (package[:-30], package[: len(package) // 2], package[:100], b"", b"PK"):
        code, said = check(cut)
        assert (code, said.startswith("REFUSED")) == (1, True)


def test_a_package_signed_throughout_by_another_is_refused_by_ones_own_keys(
    check: Any, tmp_path: Path
) -> None:
    """The list in the package cannot tell: it is as forged as the rest."""
    make_log()
    files = files_in(make())
    log = Signer(keyring.origin(), Ed25519PrivateKey.from_private_bytes(b"l" * 32))
    receipts = Signer(
        f"{keyring.origin()}/receipt", Ed25519PrivateKey.from_private_bytes(b"f" * 32)
    )
    listed = {"origin": keyring.origin()}
    for use, signer in (("log", log), ("receipt", receipts)):
        listed[use] = [{"key": str(signer.public), "since": 0, "until": None}]
    files["public.json"] = json.dumps(listed).encode()
    (note,) = [name for name in files if name.startswith("checkpoints/")]
    files[note] = sign_note(files[note].decode().partition("\n\n")[0] + "\n", [log]).encode()
    forged = []
    for line in lines(files["proofs.ndjson"]):
        proof = json.loads(line)
        told = proof["receipt"].partition("\n\n")[0] + "\n"
        forged.append(json.dumps({**proof, "receipt": sign_note(told, [receipts])}))
    files["proofs.ndjson"] = "\n".join((*forged, "")).encode()
    package = zipped(resigned(files, receipts))
    assert check(package)[0] == 0
    keys = written(tmp_path / "mine.json", json.dumps(keyring.public_list()).encode())
    code, said = check(package, "--keys", keys)
    assert (code, "none of the known keys" in said) == (1, True)


def test_a_key_counts_only_for_the_sizes_it_is_listed_for(check: Any, tmp_path: Path) -> None:
    make_log()
    newest = latest_checkpoint()
    assert newest
    listed = keyring.public_list()
    for since, until, code in (
        (0, newest.size, 0),
        (0, newest.size - 1, 1),
        (newest.size + 1, None, 1),
    ):
        pinned = {**listed["log"][0], "since": since, "until": until}
        mine = {**listed, "log": [pinned]}
        path = written(tmp_path / "mine.json", json.dumps(mine).encode())
        assert check(make(), "--keys", path)[0] == code, (since, until)


def test_names_of_all_scripts_stand_in_the_records() -> None:
    make_log()
    assert (
        json.dumps(NAMES, ensure_ascii=False)[1:-1] in files_in(make())["records.ndjson"].decode()
    )
