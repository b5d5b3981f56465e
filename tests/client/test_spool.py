"""Records on disk outlive their process, their server, and damage to their neighbours."""

from __future__ import annotations

import fcntl
import json
import os
from pathlib import Path
from typing import Any
from zlib import crc32

import pytest

from tests.client.hosts import finish, kill, line_of, start
from tests.client.wires import (
    Gate,
    RudeServer,
    accepting,
    journal,
    left_behind,
    make_key,
    note,
    numbers,
    quick,
    wait_until,
)
from tracking.client import lane as lanes
from tracking.client import sender
from tracking.client.lane import Lane

NOWHERE = "http://127.0.0.1:9"
real_server = pytest.mark.django_db(transaction=True)


def lines(start_: int, end: int) -> list[bytes]:
    return [
        json.dumps(
            {
                "id": f"r-{number}",
                "object": {"id": f"o-{number}", "type": "order"},
                "flow": "orders",
                "block": "check",
                "stage": "processing",
                "status": "succeeded",
                "occurred_at": "2026-01-31T10:00:00Z",
            }
        ).encode()
        for number in range(start_, end)
    ]


def posted(server: RudeServer) -> list[str]:
    return [one for ids in server.ids for one in ids]


@real_server
def test_what_a_killed_process_recorded_is_delivered_by_the_next(
    live_server: Any, tmp_path: Path
) -> None:
    key = make_key()
    gate = Gate(live_server.url)
    code = """
for number in range(500):
    note(client, number)
while client.stats()["queued"]:
    time.sleep(0.01)
print("spooled", flush=True)
time.sleep(60)
"""
    host = start(code, gate.url, key, tmp_path)
    assert line_of(host) == "spooled"
    kill(host)
    assert journal() == []
    with gate:
        with quick(gate.url, key, spool_dir=tmp_path) as client:  # records nothing itself
            wait_until(lambda: client.stats()["delivered"] == 500)
            assert client.stats()["adopted"] == 1
        assert numbers() == list(range(500))
    assert list(tmp_path.iterdir()) == []


@real_server
def test_a_process_killed_while_it_posts_leaves_nothing_lost_and_nothing_double(
    live_server: Any, tmp_path: Path
) -> None:
    key = make_key()
    code = """
for number in range(100_000):
    note(client, number)
    if number % 20 == 0:
        time.sleep(0.005)
    if number % 100 == 0:
        while client.stats()["queued"]:
            time.sleep(0.001)
        print(number, flush=True)
"""
    host = start(code, live_server.url, key, tmp_path)
    spooled = 0
    while spooled < 600:
        spooled = int(line_of(host))
    kill(host)
    with quick(live_server.url, key, spool_dir=tmp_path) as client:
        note(client, -1)
        assert client.flush(15)
    stored = numbers()
    assert stored == list(range(-1, len(stored) - 1))
    assert len(stored) > spooled


@real_server
def test_a_process_that_ends_leaves_the_rest_to_the_next(live_server: Any, tmp_path: Path) -> None:
    key = make_key()
    gate = Gate(live_server.url)
    finish(start("for number in range(100): note(client, number)", gate.url, key, tmp_path))
    with gate, quick(gate.url, key, spool_dir=tmp_path) as client:
        note(client, 100)
        assert client.flush(15)
    assert numbers() == list(range(101))


@real_server
def test_processes_share_a_spool_without_disturbing_each_other(
    live_server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One is killed while the other runs; the other takes over what it left, and only that."""
    monkeypatch.setattr(sender, "ADOPT_EVERY", 0.1)
    key = make_key()
    gate = Gate(live_server.url)
    code = """
for number in range(1000, 1200):
    note(client, number)
while client.stats()["queued"]:
    time.sleep(0.01)
print("spooled", flush=True)
time.sleep(60)
"""
    host = start(code, gate.url, key, tmp_path)
    assert line_of(host) == "spooled"
    with quick(gate.url, key, spool_dir=tmp_path) as client:
        for number in range(200):
            note(client, number)
        with gate:
            assert client.flush(15)
            assert client.stats()["adopted"] == 0
            stored = [number for number in numbers() if number < 1_000]
            assert stored == list(range(200))
            kill(host)
            wait_until(lambda: client.stats()["adopted"] == 1)
            wait_until(lambda: len(numbers()) == 400)
    assert numbers() == [*range(200), *range(1_000, 1_200)]


def test_two_clients_of_one_process_share_a_spool_too(tmp_path: Path) -> None:
    with (
        quick(NOWHERE, spool_dir=tmp_path) as one,
        quick(NOWHERE, spool_dir=tmp_path) as other,
    ):
        for client in (one, other):
            note(client, 1)
            wait_until(lambda client=client: client.stats()["spooled_bytes"])
            assert client.stats()["adopted"] == 0
        one.close(0)
        other.close(0)
    assert len(list(tmp_path.glob("*.seg"))) == 2


@pytest.mark.parametrize(
    ("damage", "lost"),
    [
        (lambda data: data[:-20], ["r-9"]),
        (lambda data: data + b"deadbeef {", ["+"]),
        (lambda data: data.replace(b'"o-4"', b'"o-5"'), ["r-4"]),
        (lambda data: data.replace(b"\n", b"\x00", 1), ["r-0", "r-1", "-"]),
        (lambda data: b"\x00" * 40 + b"\n" + data, ["+"]),
        (lambda data: b"\n\n" + data, ["+", "+"]),
        (lambda data: b"", None),
        (lambda data: b"\xff" * 5_000, None),
    ],
)
def test_damage_costs_the_damaged_records_alone(damage: Any, lost: Any, tmp_path: Path) -> None:
    """`lost`: the ids that are gone; `+` a damaged line more, `-` one less than ids gone."""
    path = left_behind(tmp_path, lines(0, 10))
    path.write_bytes(damage(path.read_bytes()))
    with RudeServer(accepting) as server, quick(server.url, spool_dir=tmp_path) as client:
        wait_until(lambda: not list(tmp_path.glob("*.seg")))
        wait_until(lambda: not client.stats()["spooled_bytes"])
        corrupt = client.stats()["corrupt"]
        assert client.close()
    if lost is None:
        assert posted(server) == []
        return
    gone = {one for one in lost if one not in "+-"}
    assert posted(server) == [f"r-{n}" for n in range(10) if f"r-{n}" not in gone]
    assert corrupt == len(lost) - 2 * lost.count("-")
    assert list(tmp_path.iterdir()) == []


def test_the_place_survives_a_crash_so_that_little_is_posted_again(tmp_path: Path) -> None:
    lane = Lane.create(tmp_path)
    lane.append(lines(0, 100))
    read = lane.read(60, 1_000_000)
    assert read is not None
    lane.settle(read.end)
    lane.abandon()
    with RudeServer(accepting) as server, quick(server.url, spool_dir=tmp_path):
        wait_until(lambda: not list(tmp_path.glob("*.seg")))
    assert posted(server) == [f"r-{number}" for number in range(60, 100)]


@pytest.mark.parametrize("place", [b"", b"garbage", b"99999999 999999999999\n", b"\xff" * 64])
def test_a_place_that_makes_no_sense_costs_no_record(place: bytes, tmp_path: Path) -> None:
    left_behind(tmp_path, lines(0, 10))
    [lock] = tmp_path.glob("*.lock")
    lock.write_bytes(place)
    with RudeServer(accepting) as server, quick(server.url, spool_dir=tmp_path) as client:
        wait_until(lambda: not list(tmp_path.glob("*.seg")))
        assert client.close()
    assert posted(server) == [f"r-{number}" for number in range(10)]


def test_segments_whose_lock_was_removed_are_delivered(tmp_path: Path) -> None:
    left_behind(tmp_path, lines(0, 10))
    [lock] = tmp_path.glob("*.lock")
    lock.unlink()
    with RudeServer(accepting) as server, quick(server.url, spool_dir=tmp_path):
        wait_until(lambda: len(posted(server)) == 10)


def test_several_segments_are_delivered_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lanes, "SEGMENT_BYTES", 1_000)
    first = Lane.create(tmp_path)
    for number in range(0, 30, 2):
        first.append(lines(number, number + 2))
    first.abandon()
    second = Lane.create(tmp_path)
    second.append(lines(30, 40))
    second.abandon()
    assert len(list(tmp_path.glob("*.seg"))) > 5
    with RudeServer(accepting) as server, quick(server.url, spool_dir=tmp_path, batch_size=7):
        wait_until(lambda: not list(tmp_path.glob("*.seg")))
    assert posted(server) == [f"r-{number}" for number in range(40)]


def test_a_full_spool_drops_the_newest_and_says_how_many(tmp_path: Path) -> None:
    told: list[tuple[str, int, Any]] = []
    client = quick(
        NOWHERE,
        spool_dir=tmp_path,
        max_spool_bytes=20_000,
        max_queue=50,
        batch_size=10,
        on_drop=lambda *drop: told.append(drop),
    )
    ids = []
    for number in range(400):
        ids.append(note(client, number))
        if number % 10 == 9:
            wait_until(lambda: not len(client._engine.intake) and not client._engine.intake.transit)
    taken = [one for one in ids if one]
    stats = client.stats()
    assert 0 < len(taken) < 400
    assert stats["accepted"] == len(taken)
    assert stats["dropped_full"] == 400 - len(taken)
    assert stats["queued"] == 50
    on_disk = sum(path.stat().st_size for path in tmp_path.glob("*.seg"))
    assert 15_000 < on_disk <= 20_000
    wait_until(lambda: sum(number for _reason, number, _ in told) == 400 - len(taken))
    client.close(0)
    stats = client.stats()
    assert stats["dropped_closed"] == 50  # the disk had no room for what memory held
    with RudeServer(accepting) as server, quick(server.url, spool_dir=tmp_path):
        wait_until(lambda: not list(tmp_path.glob("*.seg")))
    assert posted(server) == taken[: len(taken) - 50]


@pytest.mark.parametrize("trouble", ["a file", "a missing parent that is a file", "read-only"])
def test_a_spool_that_cannot_be_written_leaves_memory(trouble: str, tmp_path: Path) -> None:
    path = tmp_path / "spool"
    if trouble == "read-only":
        path = Path("/proc/dft-spool")
    else:
        path.write_text("not a directory")
        path = path if trouble == "a file" else path / "below"
    with RudeServer(accepting) as server, quick(server.url, spool_dir=path) as client:
        ids = [note(client, number) for number in range(20)]
        assert client.flush(10)
        assert client.stats()["spool_errors"]
        assert client.stats()["delivered"] == 20
    assert posted(server) == ids


def test_a_disk_that_is_full_for_a_while_costs_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = lanes._write
    full = [True]

    def write(descriptor: int, data: bytes) -> None:
        if full[0]:
            written(descriptor, data[: len(data) // 2])  # as far as the room went
            raise OSError(28, "No space left on device")
        written(descriptor, data)

    monkeypatch.setattr(lanes, "_write", write)
    with quick(NOWHERE, spool_dir=tmp_path) as client:
        ids = [note(client, number) for number in range(20)]
        wait_until(lambda: client.stats()["spool_errors"])
        assert client.stats()["queued"] == 20
        full[0] = False
        wait_until(lambda: client.stats()["queued"] == 0)
        client.close(0)
    with RudeServer(accepting) as server, quick(server.url, spool_dir=tmp_path) as client:
        wait_until(lambda: not list(tmp_path.glob("*.seg")))
        assert client.stats()["corrupt"] == 0
    assert posted(server) == ids


def test_a_spool_removed_under_our_feet_is_made_anew(tmp_path: Path) -> None:
    spool = tmp_path / "spool"
    with quick(NOWHERE, spool_dir=spool) as client:
        note(client, 1)
        wait_until(lambda: client.stats()["spooled_bytes"])
        for path in spool.iterdir():
            path.unlink()
        spool.rmdir()
        later = []
        for number in range(2, 12):
            later.append(note(client, number))
            wait_until(lambda: client.stats()["queued"] == 0)
        client.close(0)
    kept = b"".join(path.read_bytes() for path in spool.glob("*.seg"))
    assert later[-1].encode() in kept


def test_the_format_is_as_documented(tmp_path: Path) -> None:
    path = left_behind(tmp_path, lines(0, 2))
    rows = path.read_bytes().split(b"\n")
    assert rows[-1] == b""
    for row, line in zip(rows, lines(0, 2), strict=False):
        assert row == f"{crc32(line):08x} ".encode() + line
    assert path.stat().st_mode & 0o777 == 0o600
    assert len(list(tmp_path.glob("*.lock"))) == 1


def test_a_lane_in_use_is_left_alone_and_a_stillborn_one_swept(tmp_path: Path) -> None:
    lane = Lane.create(tmp_path)
    lane.append(lines(0, 5))
    assert Lane.adopt(tmp_path, lane.name) is None
    stillborn = tmp_path / ".0000000000001-1-aa.new"
    stillborn.touch()
    os.utime(stillborn, (0, 0))
    with RudeServer(accepting) as server, quick(server.url, spool_dir=tmp_path) as client:
        note(client, 9)
        assert client.flush(10)
        assert client.stats()["adopted"] == 0
    assert len(posted(server)) == 1
    assert not stillborn.exists()
    with (tmp_path / f"{lane.name}.lock").open("rb") as other, pytest.raises(BlockingIOError):
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    lane.close()
    adopted = Lane.adopt(tmp_path, lane.name)
    assert adopted is not None
    assert adopted.unsettled
    adopted.close()
