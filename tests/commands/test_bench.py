"""`manage.py bench`: each measurement still runs, at sizes that say nothing about speed."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from tracking.bench import client as client_bench
from tracking.bench import endurance
from tracking.bench.follow import interleaved
from tracking.bench.load import bodies, records, stamped
from tracking.bench.meter import children, cpu_seconds, rss_kb
from tracking.bench.report import Report
from tracking.bench.stage import Stage
from tracking.bench.visits import pages
from tracking.management.commands.bench import BENCHES

WEEKLY = Path(__file__).with_name("weekly.csv")
SMALL = {
    "ingest": "--records 2000 --single 40 --plain 500 --workers 1",
    "pages": "--small 200 --large 400 --awkward 310 --requests 1 --workers 1",
    "client": "--calls 60 --away 1 --killed 300",
    "ledger": "--seconds 1 --rate 300 --leaves 500 --proofs 3",
    "verify": "--records 2000 --workers 1",
    "insights": "--days 3 --rate 9 --flows 2 --blocks 4 --requests 1 --journal 900 --workers 1",
    "follow": "--only lag --open 20 --rate 200 --seconds 1 --interleaved-seconds 1",
    "forecast": f"--series {WEEKLY}",
}
# What each of these exists for.
TOLD = {
    "ingest": (
        "ours, batches",
        "ours, CPU of web",
        "raw insert_many",
        "ours / raw insert_many",
        "ours / plain DRF",
        "ours / view that does nothing",
    ),
    "pages": ("lifetime: large / small", "API list: / stock", "home: / nothing"),
    "client": ("record, p50", "away: stored", "killed: stored"),
    "ledger": (
        "delay max",
        "sealing alone",
        "inclusion proof p99",
        "consistency proof p99",
        "hashes of an inclusion proof",
        "batches of 500: data",
        "a record alone in its segment: on disk",
    ),
    "verify": (
        "plain read",
        "verify, 1 process",
        "verify, 2 processes",
        "verify / plain read",
        "peak memory",
    ),
    "insights": (
        "throughput: 30 days p50",
        "bottlenecks: a year p95",
        "API costs: a year p50",
        "records: by status and day: a year p50",
    ),
    "follow": ("lag p99", "lag: CPU of follower per 1,000", "interleaved lag p99"),
    "forecast": ("MASE: weekly", "80 % held: weekly", "seconds per fit", "MASE, geometric mean"),
}


Bench = Callable[..., dict[str, Any]]


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of a stage as its first start leaves it."""
    kept = tmp_path_factory.mktemp("stage") / "prepared"
    with Stage(web=False) as stage:
        stage.mongo.stop()
        shutil.copytree(stage.path, kept, ignore=shutil.ignore_patterns("WiredTigerPreplog*"))
    return kept


@pytest.fixture
def bench(prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """Run a bench; its JSON. Each of its stages goes on from a copy of one that was prepared."""
    made, manage = Stage.__init__, Stage.manage

    def copied(stage: Stage, **options: Any) -> None:
        made(stage, **options)
        shutil.copytree(prepared, stage.path, dirs_exist_ok=True)

    def managed(stage: Stage, *arguments: str) -> None:
        if arguments != ("prepare",):
            manage(stage, *arguments)

    def run(*arguments: str) -> dict[str, Any]:
        monkeypatch.setattr(Stage, "__init__", copied)
        monkeypatch.setattr(Stage, "manage", managed)
        # what the load and the memory come to is of no interest here
        monkeypatch.setattr(client_bench, "_LOADED_SECONDS", 0.3)
        monkeypatch.setattr(endurance, "_SETTLE_SECONDS", 0)
        told = tmp_path / "figures.json"
        call_command("bench", *arguments, "--rounds", "1", "--json", str(told))
        return json.loads(told.read_text(encoding="utf-8"))

    return run


@pytest.mark.parametrize("name", SMALL)
def test_it_measures_what_it_is_for(name: str, bench: Bench) -> None:
    told = bench(name, *SMALL[name].split())
    assert told["bench"] == name
    for figure in TOLD[name]:
        assert told["figures"][figure]["median"] > 0, figure
    if name == "client":
        assert told["figures"]["killed: stored"]["median"] == 300
    if name == "pages":
        rows = {figure.partition(": ")[0] for figure in told["figures"]}
        assert {page.name for page in pages()} < rows


def test_growth_and_memory_are_measured_on_one_journal(bench: Bench) -> None:
    options = "--records 500 --grow 5000 --memory 3000 --workers 1 --no-sealer"
    told = bench("ingest", *options.split())
    reached = {aim["figure"] for aim in told["aims"]}
    assert reached == {"the most a web worker grew", "grown / small, ours, batches"}
    assert told["notes"]["journal records at the end"] >= 5_000


def test_ingest_is_measured_with_and_without_sealing(bench: Bench) -> None:
    told = bench("ingest", *"--sealing --records 1000 --workers 1".split())
    assert {aim["figure"] for aim in told["aims"]} == {"sealing on / off"}
    assert told["figures"]["sealing on / off"]["median"] > 0


def test_every_bench_is_run_here() -> None:
    assert SMALL.keys() == set(BENCHES)


def test_interleaved_load_is_the_same_records_in_another_order() -> None:
    mixed = list(interleaved("x", 600, 10))
    plain = list(records("x", 600))
    assert sorted(each["id"] for each in mixed) == [each["id"] for each in plain]
    assert mixed != plain
    by_object: dict[str, list[str]] = {}
    most = 0
    for each in mixed:
        by_object.setdefault(each["object"]["id"], []).append(each["id"])
        most = max(most, sum(len(ids) < 6 for ids in by_object.values()))
    assert all(ids == sorted(ids) for ids in by_object.values()), "each object's in their order"
    assert 5 < most <= 10


def test_a_wrong_figure_fails_the_command(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    report = Report("client")
    report.add("away: lost", 1, "records")
    report.must_be_none("away: lost")
    monkeypatch.setattr(client_bench, "run", lambda _options: report)
    with pytest.raises(CommandError, match="away: lost"):
        call_command("bench", "client")
    assert "MISSED: away: lost" in capsys.readouterr().out


def test_an_aim_is_judged_by_the_median() -> None:
    report = Report("ingest")
    for value in (0.1, 0.5, 0.9):
        report.add("ratio", value, "×")
    report.aim("ratio", least=0.45)
    report.aim("ratio", least=0.55)
    report.aim("ratio", most=0.5)
    report.aim("ratio", most=0.4)
    assert [aim["reached"] for aim in report.aims] == [True, False, True, False]


def test_a_stamped_load_is_a_load_of_that_name() -> None:
    made = [json.loads(body) for body in bodies("old-0000-", 2, 7)]
    again = [json.loads(body) for body in stamped(bodies("old-0000-", 2, 7), "old-0000-", "n-01-")]
    before = [record for batch in made for record in batch]
    after = [record for batch in again for record in batch]
    assert not {r["id"] for r in before} & {r["id"] for r in after}
    assert not {r["object"]["id"] for r in before} & {r["object"]["id"] for r in after}
    assert [r["attributes"] for r in before] == [r["attributes"] for r in after]


def test_cpu_time_is_that_of_a_process_and_of_all_it_started() -> None:
    burn = "import time\nwhile time.process_time() < 0.4: pass\nprint(flush=True); input()"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {burn!r}])"
    command = [sys.executable, "-c", parent]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        (child,) = children(process.pid)
        assert cpu_seconds(child) >= 0.38
        assert cpu_seconds(process.pid) >= cpu_seconds(child)
        assert rss_kb(child) > 1_000
        process.communicate(b"\n")
    assert cpu_seconds(process.pid) == 0


def test_what_a_forecast_told_is_written_down_to_be_judged_anew(
    bench: Bench, tmp_path: Path
) -> None:
    told = bench("forecast", "--series", str(WEEKLY), "--told", str(tmp_path / "told.csv"))
    with WEEKLY.open(encoding="utf-8") as file:
        counts = [float(line.split(",")[1]) for line in file.readlines()[1:]]
    with (tmp_path / "told.csv").open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if int(row["lead"]) <= 7]
    scaled, held = [], []
    for row in rows:
        origin, lead = int(row["origin"]), int(row["lead"])
        known, came = counts[:origin], counts[origin + lead - 1]
        assert float(row["actual"]) == came
        naive = [abs(now - before) for now, before in zip(known[7:], known, strict=False)]
        scaled.append(abs(float(row["expected"]) - came) / (sum(naive) / len(naive)))
        if row["low80"]:
            held.append(float(row["low80"]) <= came <= float(row["high80"]))
        assert float(row["seasonal naive 7"]) == counts[origin - 7 + lead - 1]
    figures = told["figures"]
    assert figures["MASE: weekly"]["median"] == pytest.approx(sum(scaled) / len(scaled))
    assert figures["80 % held: weekly"]["median"] == pytest.approx(sum(held) / len(held))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("day,orders\n2026-01-05,x\n", "line 2: a time and a count"),
        ("2026-01-05T10:30,1\n", "full hours or days"),
        ("day,orders\n", "holds no count"),
    ],
)
def test_a_file_that_holds_no_series_is_named(text: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "odd.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(CommandError, match=said):
        call_command("bench", "forecast", "--series", str(path))
