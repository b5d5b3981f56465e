"""Where a flow loses its time: the numbers against naive sums, and what is said of them."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from random import Random
from statistics import quantiles

import pytest

from tests.insights.visits import (
    BLOCKS,
    Visit,
    put_object,
    put_visit,
    some_objects,
    some_visits,
    total,
)
from tests.insights.world import at, put
from tracking import vocabulary as v
from tracking.insights.bottlenecks import Bottlenecks, bottlenecks
from tracking.insights.counts import Spans
from tracking.insights.observed import Counts
from tracking.insights.windows import Window, window

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)
MOMENT = at("2026-06-01T00:00")


def exact(spans: list[int], found: Spans) -> bool:
    """As many, with that mean; median and 95th percentile within 1 %, as most tools have them."""
    if not spans:
        assert found == Spans(0)
        return True
    assert (found.n, found.mean) == (len(spans), pytest.approx(sum(spans) / len(spans)))
    if len(spans) > 1:
        steps = quantiles(spans, n=20, method="inclusive")
        for told, wanted in zip((found.median, found.p95), (steps[9], steps[18]), strict=True):
            assert told is not None
            assert abs(told - wanted) <= 0.01 * wanted + 0.5
    return True


def naive(visits: list[Visit], start: datetime, end: datetime, block: str) -> Counts:
    of_block = [visit for visit in visits if visit.block == block]
    decided = [visit for visit in of_block if start <= visit.decided < end]
    return Counts(
        arrived=len([visit for visit in of_block if start <= visit.arrived < end]),
        ended=len([visit for visit in decided if visit.status in v.TERMINAL]),
        failed=len([visit for visit in decided if visit.status == v.FAILED]),
        open=len([visit for visit in decided if visit.status not in v.TERMINAL]),
        retries=total(decided, lambda visit: visit.retry),
        lost=total(decided, lambda visit: visit.lost),
        queue_ms=total(decided, lambda visit: visit.queue_share),
        work_ms=total(decided, lambda visit: visit.work_share),
        worked=len([visit for visit in decided if visit.work is not None]),
        worked_ms=total(decided, lambda visit: visit.work),
        queued_ms=total(decided, lambda visit: visit.queue),
    )


# An odd beginning, whole months inside, and steps that the end cuts short.
ASKED = ("2026-02-25T10:20", "2026-04-03T05:10", "1w")
HOURLY = ("2026-03-05T10:20", "2026-03-05T20:01", "90m")


@pytest.mark.parametrize("asked", [ASKED, HOURLY], ids=["months", "minutes"])
def test_the_numbers_are_those_of_naive_sums(asked: tuple[str, str, str]) -> None:
    random = Random(6)
    wide = window(at(asked[0]), at(asked[1]), asked[2])
    start, end = at(asked[0][:13] + ":00"), at(asked[1][:13] + ":00") + HOUR
    begin = start - (end - start)
    visits = some_visits(random, begin - HOUR, end + HOUR, 220)
    objects = some_objects(random, begin - HOUR, end + HOUR, 40)
    for visit in visits:
        put_visit(visit)
    for each in objects:
        put_object(each)
    for stranger in ({"tenant": "globex"}, {"flow": "returns"}):
        put_visit(visits[0], **stranger)

    found = bottlenecks("acme", wide, flow="orders", moment=MOMENT, edge_sketches=True)

    assert (found.window.start, found.window.end) == (start, end)
    inside = [visit for visit in visits if start <= visit.decided < end]
    elapsed = total(inside, lambda visit: visit.queue_share + visit.work_share)
    assert found.elapsed_ms == elapsed
    assert sum(block.tenths for block in found.blocks) == 1_000
    assert {block.name for block in found.blocks} == set(BLOCKS)
    for block in found.blocks:
        here = [visit for visit in inside if visit.block == block.name]
        assert block.counts == naive(visits, start, end, block.name)
        assert block.before == naive(visits, begin, start, block.name)
        assert exact([visit.queue for visit in here if visit.queue is not None], block.queue)
        assert exact([visit.work for visit in here if visit.work is not None], block.work)
        assert block.sums.statuses == Counter(visit.status for visit in here)
        came = [visit for visit in visits if start <= visit.arrived < end]
        waits = [visit.wait for visit in came if visit.block == block.name and visit.wait]
        assert exact(waits, block.waits)
        part = 1_000 * block.counts.queue_ms / elapsed
        assert abs(block.queue_tenths - part) < 1
        assert [
            naive(visits, begins, ends, block.name)
            for begins, ends in zip(found.window.begins, found.window.ends, strict=True)
        ] == list(block.steps)
        hours = (end - start) / HOUR
        assert block.rates.arrived == pytest.approx(block.counts.arrived / hours)
        assert block.rates.left == pytest.approx(block.counts.ended / hours)
        worked = block.counts.worked_ms / (hours * 3_600_000)
        assert block.rates.at_work == pytest.approx(worked)

    passed = Counter(
        (visit.source, visit.block) for visit in visits if start <= visit.arrived < end
    )
    over = [o for o in objects if start <= o.ended < end and o.status != v.IN_TRANSIT]
    passed.update((each.last, "") for each in over)
    assert {(edge.source, edge.target): edge.passed for edge in found.edges} == passed
    assert [edge.passed for edge in found.edges] == sorted(passed.values(), reverse=True)
    assert found.objects.started == len([o for o in objects if start <= o.started < end])
    assert found.objects.ended == Counter(each.status for each in over)
    assert exact([each.busy + each.idle for each in over], found.objects.throughput.spans())
    assert found.objects.busy_ms == sum(each.busy for each in over)
    assert found.objects.idle_ms == sum(each.idle for each in over)
    earlier = [o for o in objects if begin <= o.ended < start and o.status != v.IN_TRANSIT]
    assert found.objects_before.ended == Counter(each.status for each in earlier)


def test_edges_without_their_sketches_tell_the_mean() -> None:
    start = at("2026-03-05T10:00")
    visits = some_visits(Random(7), start, start + HOUR, 20)
    for visit in visits:
        put_visit(visit)
    asked = window(start, start + HOUR, "1h")
    whole = bottlenecks("acme", asked, flow="orders", moment=MOMENT, edge_sketches=True)
    found = bottlenecks("acme", asked, flow="orders", moment=MOMENT)
    for block, same in zip(found.blocks, whole.blocks, strict=True):
        assert block.waits == Spans(same.waits.n, same.waits.mean)
        assert (block.queue, block.work) == (same.queue, same.work)
    assert [edge.wait.spans() for edge in found.edges] == [
        Spans(edge.wait.n, edge.wait.spans().mean) for edge in whole.edges
    ]


# --- What is said of them ------------------------------------------------------------------------

WEEK = window(at("2026-03-09T00:00"), at("2026-03-16T00:00"), "1d")


def block_cells(
    name: str,
    *,
    arrived: int = 0,
    ended: int = 0,
    queue: int = 0,
    work: int = 0,
    asked: Window = WEEK,
    **more: int,
) -> None:
    """So many in each hour of a window, and so many ms of elapsed time."""
    numbers = {"arrived": arrived, "visits.succeeded": ended}
    numbers |= {"share.queue_ms": queue, "share.work_ms": work}
    numbers |= {number.replace("__", "."): count for number, count in more.items()}
    moment = asked.start
    while moment < asked.end:
        put("block", moment, numbers, stage="processing", block=name)
        moment += HOUR


def week(flow: str | None = "orders") -> Bottlenecks:
    return bottlenecks("acme", WEEK, flow=flow, moment=MOMENT)


def test_the_bottleneck_is_named_with_its_reasons() -> None:
    before = WEEK.previous()
    block_cells("credit-check", arrived=120, ended=95, queue=38 * 41, work=62 * 41)
    block_cells("credit-check", arrived=95, ended=95, queue=1199, work=2000, asked=before)
    block_cells("ship", arrived=95, ended=95, work=5900)
    block_cells("ship", arrived=95, ended=95, work=5900, asked=before)
    found = week()
    first, second = found.blocks
    assert str(first.line) == (
        "`credit-check` takes 41 % of all elapsed time, 38 % of it waiting; 120 arrive an hour and"
        " 95 leave, the queue grows; its waiting rose by 30 % against the 7 days before."
    )
    assert (first.verdict, first.rank, first.grows) == ("bottleneck", 1, 25 * 24 * 7)
    assert str(second.line) == (
        "`ship` takes 59 % of all elapsed time, all of it work; 95 arrive an hour and as many"
        " leave; its work is as in the 7 days before."
    )
    assert (second.verdict, second.rank) == ("slow", 2)
    assert [str(line) for line in found.summary] == [
        "`credit-check` is the bottleneck: it takes 41 % of all elapsed time, 38 % of it waiting."
    ]


def test_a_small_block_whose_queue_grows_is_worth_a_look() -> None:
    block_cells("large", arrived=50, ended=50, queue=1, work=9_000)
    block_cells("small", arrived=50, ended=40, queue=90, work=10)
    found = week()
    assert [(block.name, block.verdict) for block in found.blocks] == [
        ("small", "growing"),
        ("large", "slow"),
    ]
    assert [str(line) for line in found.summary] == [
        "`large` takes 99 % of all elapsed time, under 0.1 % of it waiting. No queue stands out.",
        "`small` is getting worse: more arrive than leave, or a visit waits longer than before.",
    ]


def test_a_flow_that_begins_inside_the_window_fills_up_and_does_not_grow() -> None:
    first = window(WEEK.start, WEEK.start + 24 * HOUR, "1d")
    later = window(first.end, WEEK.end, "1d")
    block_cells("pack", arrived=60, ended=20, queue=100, work=1_000, asked=first)
    block_cells("pack", arrived=60, ended=60, queue=100, work=1_000, asked=later)
    (block,) = week().blocks
    assert block.counts.drift == 40 * 24
    assert (block.grows, block.verdict) == (0, "slow")
    block_cells("pack", arrived=9, asked=later)
    (block,) = week().blocks
    assert block.grows == 40 * 24 + 9 * 24 * 6
    assert "69 arrive" not in str(block.line)  # 60 on the first day
    assert "68 arrive an hour and 54 leave, the queue grows" in str(block.line)


def test_what_stands_still_is_seen_though_it_takes_no_time_yet() -> None:
    first = window(WEEK.start, WEEK.start + 24 * HOUR, "1d")
    block_cells("print", arrived=5, ended=5, queue=100, asked=WEEK.previous())
    block_cells("print", arrived=5, asked=first, visits__queued=5)
    block_cells("other", arrived=5, ended=5, queue=100)
    found = week()
    assert found.blocks[0].name == "other"
    assert found.blocks[1].line.text == (
        "takes no time that is told; 17 arrive a day and none leave, the queue grows."
    )
    assert found.blocks[1].verdict == "growing"


def test_given_up_attempts_are_no_queue() -> None:
    # each first attempt says only that it began; the next one takes its place
    block_cells("call", arrived=20, ended=10, work=900, visits__started=10, lost=10, retries=10)
    (block,) = week().blocks
    assert (block.counts.drift, block.grows) == (0, 0)


def test_what_never_says_when_it_ends_has_left_when_it_went_on() -> None:
    block_cells("scan", arrived=30, visits__started=30, work=900)
    block_cells("sort", arrived=30, visits__started=30, work=900)
    for moment in WEEK.begins:
        put("edge", moment, {"passed": 30 * 24}, source="scan", target="sort")
    scan, sort = sorted(week().blocks, key=lambda block: block.name)
    assert "30 arrive an hour and as many leave" in scan.line.text
    assert "30 arrive an hour and none leave, the queue grows" in sort.line.text
    assert scan.grows == 0 < sort.grows


def test_failures_and_retries_are_told_apart() -> None:
    before = WEEK.previous()
    block_cells("charge", arrived=10, ended=9, visits__failed=1, lost=1, work=100)
    block_cells("charge", arrived=10, ended=10, work=100, asked=before)
    block_cells("send", arrived=10, ended=10, retries=2, work=100)
    put("block", WEEK.start, {"visits.failed": 1, "lost": 1}, stage="egress", block="seldom")
    found = week()
    assert [(spot.often, str(spot.line)) for spot in found.hot_spots] == [
        (
            True,
            "`charge` failed in 168 of 1,680 visits (10 %), 99 % of all failures of the flow; it"
            " was 0 % in the 7 days before.",
        ),
        (
            False,
            "`seldom` failed in 1 of 1 visits (100 %), 0.6 % of all failures of the flow.",
        ),
        (True, "`send` never failed, but 336 of its 1,680 visits were retries (20 %)."),
    ]
    charge = next(block for block in found.blocks if block.name == "charge")
    assert charge.line.text.endswith("; 10 % of its visits fail.")


def test_what_a_block_could_do_is_told_where_it_is_known() -> None:
    steady = window(WEEK.start, WEEK.end - 24 * HOUR, "1d")
    last = window(steady.end, WEEK.end, "1d")
    # 20 visits of 30 min in each hour: 10 at once; on the last day twice as many
    half = 1_800_000
    numbers = {"work__n": 20, "work__ms": 20 * half, "work__b__726": 20}
    numbers |= {"queue__n": 20, "queue__ms": 5 * half, "queue__b__1": 20}
    twice = {name: 2 * count for name, count in numbers.items()}
    block_cells("pack", arrived=20, ended=20, asked=steady, **numbers)
    block_cells("pack", arrived=40, ended=40, asked=last, **twice)
    rates = week().blocks[0].rates
    assert rates.one_alone == pytest.approx(2)
    assert rates.at_work == pytest.approx(10 * 8 / 7)
    assert rates.waiting == pytest.approx(2.5 * 8 / 7)
    assert (rates.most_at_work, rates.most_left) == pytest.approx((20, 40))
    assert rates.utilisation == pytest.approx(4 / 7)


def test_a_window_that_is_not_over_is_measured_by_what_has_passed() -> None:
    half = window(WEEK.start, WEEK.start + 84 * HOUR, "1d")
    block_cells("pack", arrived=20, ended=20, work=10, asked=half)
    (block,) = bottlenecks("acme", WEEK, flow="orders", moment=half.end).blocks
    assert block.rates.arrived == pytest.approx(20)
    assert "20 arrive an hour and as many leave" in block.line.text


def test_without_a_flow_the_one_with_most_objects_is_chosen() -> None:
    assert week(flow=None).flow is None
    for flow, count in (("returns", 7), ("orders", 7), ("a", 3)):
        put("flow", WEEK.start, {"started": count}, flow=flow)
    put("flow", WEEK.end, {"started": 99}, flow="another")
    put("flow", WEEK.start, {"started": 99}, flow="stranger", tenant="globex")
    assert week(flow=None).flow == "orders"
    put("flow", WEEK.start, {"ended.failed": 1}, flow="returns")
    assert week(flow=None).flow == "returns"
    empty = week(flow="nobody knows it")
    assert (empty.flow, empty.blocks, empty.edges) == ("nobody knows it", [], [])


def test_names_without_end_are_added_up_and_nothing_is_lost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tracking.insights.observed.BLOCKS_MAX", 3)
    monkeypatch.setattr("tracking.insights.observed.EDGES_MAX", 2)
    for number in range(7):
        numbers = {"arrived": 1, "visits.succeeded": 1, "share.work_ms": 3 ** (number + 1)}
        put("block", WEEK.start, numbers, stage="processing", block=f"id-{number}")
        put("edge", WEEK.start, {"passed": 1}, source="", target=f"id-{number}")
    found = week()
    assert len(found.blocks) == 3
    assert found.rest is not None
    assert found.rest.counts.arrived == 4
    assert found.elapsed_ms == sum(3 ** (number + 1) for number in range(7))
    assert found.rest_tenths + sum(block.tenths for block in found.blocks) == 1_000
    assert (len(found.edges), found.more_edges) == (2, True)


@pytest.mark.parametrize("seed", range(5))
def test_shares_add_up_to_the_whole(seed: int) -> None:
    random = Random(seed)
    for number in range(random.randrange(1, 40)):
        numbers = {"visits.succeeded": 1, "share.queue_ms": random.randrange(9)}
        numbers["share.work_ms"] = random.choice((0, 1, 7, 10 ** random.randrange(12)))
        put("block", WEEK.start, numbers, stage="egress", block=f"b{number}")
    found = week()
    assert sum(block.counts.elapsed_ms for block in found.blocks) == found.elapsed_ms
    assert sum(block.tenths for block in found.blocks) == 1_000
    exact = [1_000 * block.counts.work_ms / found.elapsed_ms for block in found.blocks]
    assert all(
        abs(block.work_tenths - part) < 1 for block, part in zip(found.blocks, exact, strict=True)
    )


def test_records_without_any_time_between_them_have_no_shares() -> None:
    block_cells("log", arrived=1, ended=1)
    found = week()
    assert (found.elapsed_ms, found.rest_tenths, found.blocks[0].tenths) == (0, 0, 0)
    assert str(found.blocks[0].line) == (
        "`log` takes no time that is told; 1 arrive an hour and as many leave."
    )
    assert [str(line) for line in found.summary] == [
        "No time passes between the records of these objects."
    ]
