"""Keys are made once, read by their owner alone, and refused loudly where they cannot be used."""

from __future__ import annotations

import base64
import json
import re
import stat
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pytest_django.fixtures import Settings

from tracking.core.note import PublicKey
from tracking.signing import keyring, receipts


@pytest.fixture
def where(tmp_path: Path, settings: Settings) -> Path:
    settings.DFT_KEY_DIR = tmp_path / "keys"
    return settings.DFT_KEY_DIR


def test_keys_are_made_once_and_for_their_owner(where: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: keyring.ensure_keys(), range(16)))
    made = {path.name: path.read_bytes() for path in where.iterdir()}
    assert sorted(re.sub("-[0-9a-f]{8}", "-id", name) for name in made) == [
        ".lock", "log-id.pem", "public.json", "receipt-id.pem",
    ]  # fmt: skip
    assert stat.S_IMODE(where.stat().st_mode) == 0o700
    for path in where.glob("*.pem"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    keyring.ensure_keys()
    assert {path.name: path.read_bytes() for path in where.iterdir()} == made


def test_the_public_list_names_the_keys_that_sign(where: Path) -> None:
    keyring.ensure_keys()
    assert keyring.public_list()["origin"] == keyring.origin()
    for use in (keyring.LOG, keyring.RECEIPT):
        (pinned,) = keyring.public_keys(use)
        assert (pinned.since, pinned.until, pinned.ends_at) == (0, None, None)
        signature = keyring.signer(use).sign(b"text")
        assert pinned.key.has_signed(b"text", signature)
        assert not pinned.key.has_signed(b"texs", signature)
    assert keyring.signer(keyring.LOG).public != keyring.signer(keyring.RECEIPT).public


def test_two_installations_have_logs_of_different_names(where: Path, settings: Settings) -> None:
    keyring.ensure_keys()
    first = keyring.origin()
    settings.DFT_KEY_DIR = where.with_name("others")
    keyring.ensure_keys()
    assert keyring.origin() != first


@pytest.mark.parametrize(
    ("name", "content"),
    [("log-*.pem", "no key"), ("log-*.pem", None), ("public.json", "[]"), ("public.json", None)],
)
def test_what_cannot_be_used_is_said(where: Path, name: str, content: str | None) -> None:
    keyring.ensure_keys()
    (path,) = where.glob(name)
    path.unlink()
    if content is not None:
        path.write_text(content)
    with pytest.raises(keyring.NoKeys, match=path.name):
        keyring.signer(keyring.LOG)
        keyring.public_keys(keyring.LOG)


def test_a_directory_that_is_a_file_is_said(where: Path) -> None:
    where.write_text("x")
    with pytest.raises(keyring.NoKeys, match="DFT_KEY_DIR"):
        keyring.ensure_keys()


def test_a_receipt_is_checked_with_the_public_list_alone(where: Path) -> None:
    keyring.ensure_keys()
    told = {
        "batch": "0199", "first": 2, "count": 3, "root": b"r" * 32,
        "recorded_at": datetime(2026, 1, 31, 12, 0, 0, 5000, tzinfo=UTC),
    }  # fmt: skip
    signature = base64.b64decode(receipts.signed_receipt(**told) or "")
    public = keyring.public_list()
    key = PublicKey.parse(public["receipt"][0]["key"])
    text = (
        f"dft-receipt/v1\n{public['origin']}\n0199\n2\n3\n{'72' * 32}\n2026-01-31T12:00:00.005Z\n"
    )
    assert key.has_signed(text.encode(), signature)


def test_without_keys_there_is_no_signature_and_no_error(where: Path) -> None:
    moment = datetime(2026, 1, 31, tzinfo=UTC)
    assert (
        receipts.signed_receipt(batch="b", first=0, count=1, root=b"r" * 32, recorded_at=moment)
        is None
    )


def test_a_private_key_of_another_is_not_signed_with(where: Path) -> None:
    keyring.ensure_keys()
    (log,), (receipt,) = where.glob("log-*.pem"), where.glob("receipt-*.pem")
    log.write_bytes(receipt.read_bytes())
    with pytest.raises(keyring.NoKeys, match="another key"):
        keyring.signer(keyring.LOG)


def test_a_lost_list_is_not_begun_again_where_something_was_signed(where: Path) -> None:
    keyring.ensure_keys()
    before = keyring.origin()
    (where / "public.json").unlink()
    (where / "high-water.json").write_text("{}")
    with pytest.raises(keyring.NoKeys, match="put it back"):
        keyring.ensure_keys()
    (where / "high-water.json").unlink()
    keyring.ensure_keys()
    assert keyring.origin() != before


def test_a_start_that_was_killed_begins_again(where: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = keyring.write_file
    for kept in range(3):
        left = [None] * kept

        def dying(path: Path, text: str, mode: int, left: list[None] = left) -> None:
            if not left:
                raise KeyboardInterrupt
            left.pop()
            real(path, text, mode)

        monkeypatch.setattr(keyring, "write_file", dying)
        with pytest.raises(KeyboardInterrupt):
            keyring.ensure_keys()
        monkeypatch.setattr(keyring, "write_file", real)
    keyring.ensure_keys()
    assert keyring.signer(keyring.LOG).public == keyring.public_keys(keyring.LOG)[0].key


def test_a_directory_of_the_first_version_goes_on(where: Path) -> None:
    keyring.ensure_keys()
    listed = keyring.public_list()
    for use in keyring.USES:
        (path,) = where.glob(f"{use}-*.pem")
        path.rename(where / f"{use}.pem")
    old = {
        "origin": listed["origin"],
        **{
            use: [{"key": listed[use][0]["key"], "since": 0, "until": None}] for use in keyring.USES
        },
    }
    (where / "public.json").write_text(json.dumps(old))
    keyring.ensure_keys()
    for use in keyring.USES:
        assert str(keyring.signer(use).public) == listed[use][0]["key"]
