"""Time stamps: formats, zones, and the two hours of the year that need a decision."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest

from tracking import clock
from tracking.importing.times import TimeReader, duration

SAO_PAULO = ZoneInfo("America/Sao_Paulo")
BERLIN = ZoneInfo("Europe/Berlin")
LOCAL = "%Y-%m-%d %H:%M"


@pytest.mark.parametrize(
    ("formats", "zone", "text", "moment"),
    [
        (["iso"], None, "2012-02-29T23:52:01.287+01:00", "2012-02-29T22:52:01.287Z"),
        (["iso"], None, "2012-02-29 23:52:01.2879999Z", "2012-02-29T23:52:01.287Z"),
        (["iso"], BERLIN, "2012-07-01", "2012-06-30T22:00:00.000Z"),
        (["iso"], BERLIN, "2012-07-01T00:00:00Z", "2012-07-01T00:00:00.000Z"),
        (["epoch"], None, "1330559521.2879", "2012-02-29T23:52:01.287Z"),
        (["epoch"], None, "-0.0005", "1969-12-31T23:59:59.999Z"),
        (["epoch_ms"], None, "1330559521287", "2012-02-29T23:52:01.287Z"),
        (["epoch_us"], None, "1330559521287999", "2012-02-29T23:52:01.287Z"),
        (["epoch_ns"], None, "1330559521287999999", "2012-02-29T23:52:01.287Z"),
        (["%m/%d/%Y %H:%M"], SAO_PAULO, "1/9/2018 7:26", "2018-01-09T09:26:00.000Z"),
        (["%d.%m.%Y %H:%M:%S,%f"], BERLIN, "01.07.2012 12:00:00,5", "2012-07-01T10:00:00.500Z"),
        (["%Y/%m/%d %H:%M %z"], None, "2012/07/01 12:00 +0200", "2012-07-01T10:00:00.000Z"),
        (["%d-%b-%Y %I:%M %p"], BERLIN, "01-Jul-2012 01:00 PM", "2012-07-01T11:00:00.000Z"),
        (["iso", "%d.%m.%Y"], BERLIN, "01.07.2012", "2012-06-30T22:00:00.000Z"),
    ],
)
def test_formats(formats: list[str], zone: ZoneInfo | None, text: str, moment: str) -> None:
    assert clock.iso(TimeReader(formats, zone).read(text)) == moment


@pytest.mark.parametrize(
    ("ambiguous", "moment"),
    [("earlier", "2018-02-18T01:30:00.000Z"), ("later", "2018-02-18T02:30:00.000Z")],
)
def test_a_local_time_that_exists_twice(ambiguous: str, moment: str) -> None:
    # Summer ended in São Paulo at midnight of 18 February 2018: 23:30 came twice.
    read = TimeReader([LOCAL], SAO_PAULO, ambiguous).read
    assert clock.iso(read("2018-02-17 23:30")) == moment


def test_a_local_time_that_never_existed_is_shifted() -> None:
    # Summer began there at midnight of 15 October 2017: the next minute was 01:00.
    read = TimeReader([LOCAL], SAO_PAULO).read
    assert clock.iso(read("2017-10-15 00:30")) == "2017-10-15T03:30:00.000Z"
    assert read("2017-10-15 00:30") == read("2017-10-15 01:30")


def test_both_may_be_refused() -> None:
    read = TimeReader([LOCAL], BERLIN, "refuse", "refuse").read
    with pytest.raises(ValueError, match="exists twice in Europe/Berlin"):
        read("2026-10-25 02:30")
    with pytest.raises(ValueError, match="does not exist in Europe/Berlin"):
        read("2026-03-29 02:30")
    assert clock.iso(read("2026-03-29 03:00")) == "2026-03-29T01:00:00.000Z"


def test_a_time_without_an_offset_needs_a_zone() -> None:
    with pytest.raises(ValueError, match="has no offset; declare the zone"):
        TimeReader(["iso"], None).read("2012-02-29T23:52:01")


@pytest.mark.parametrize(
    "text", ["", "yesterday", "2012-02-30", "1e999", "NaN", "99999999999999999"]
)
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(ValueError, match="is no time of the format iso or epoch"):
        TimeReader(["iso", "epoch"], BERLIN).read(text)


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00+23:00", "9999-12-31T23:59:59-12:00"])
def test_a_moment_outside_of_the_calendar(text: str) -> None:
    with pytest.raises(ValueError, match="outside of every calendar"):
        TimeReader(["iso"], None).read(text)


def test_durations() -> None:
    assert [duration(text).total_seconds() for text in ("1ms", "-2s", "3 m", "4h", "5d")] == [
        *(0.001, -2, 180, 14_400, 432_000)
    ]
    with pytest.raises(ValueError, match="no duration"):
        duration("1 week")
