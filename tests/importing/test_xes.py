"""The XES reader: IEEE 1849 as logs really write it, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.importing.logs import event, items, plain, trace, wires, written, xes
from tracking.importing.opening import open_source
from tracking.importing.problems import SourceError
from tracking.importing.xes import read_xes

T1, T2 = "2012-02-29T23:52:01.287+01:00", "2012-03-01T09:26:46.736+01:00"


def rows(path: Path) -> list[dict[str, object]]:
    with open_source(path) as source:
        return [row.values for row in read_xes(source)]


@pytest.mark.parametrize("name", ["log.xes", "log.xes.gz"])
def test_events_become_records_with_the_case_as_object(tmp_path: Path, name: str) -> None:
    path = written(tmp_path, name, xes(trace("17", event("A", T1), event("B", T2, "START"))))
    assert wires(path, plain()) == [
        {
            "id": "17.0",
            "object": {"id": "17", "type": "application"},
            "flow": "loan",
            "block": "A",
            "stage": "processing",
            "status": "succeeded",
            "occurred_at": "2012-02-29T22:52:01.287Z",
        },
        {
            "id": "17.1",
            "object": {"id": "17", "type": "application"},
            "flow": "loan",
            "block": "B",
            "stage": "processing",
            "status": "started",
            "occurred_at": "2012-03-01T08:26:46.736Z",
        },
    ]


def test_a_trace_attribute_after_the_events_still_belongs_to_all_of_them(tmp_path: Path) -> None:
    log = f'<log><trace>{event("A", T1)}<string key="concept:name" value="9"/></trace></log>'
    assert [wire["id"] for wire in wires(written(tmp_path, "a.xes", log), plain())] == ["9.0"]


def test_types_are_kept_and_nested_attributes_named_by_their_path(tmp_path: Path) -> None:
    more = (
        '<int key="n" value="7"><string key="unit" value="kg"/></int><float key="f" value="1.5"/>'
        '<boolean key="b" value="true"/><id key="i" value="x-1"/><float key="nan" value="NaN"/>'
        '<list key="l"><values><string key="a" value="1"/></values></list>'
        '<string key="e" value=""/>'
    )
    [row] = rows(written(tmp_path, "a.xes", xes(trace("1", event("A", T1, more=more)))))
    assert {name: row[name] for name in ("n", "n/unit", "f", "b", "i", "nan", "l/a")} == {
        "n": 7,
        "n/unit": "kg",
        "f": 1.5,
        "b": True,
        "i": "x-1",
        "nan": "NaN",
        "l/a": "1",
    }
    assert "e" not in row


def test_globals_classifiers_and_log_attributes_are_passed_over(tmp_path: Path) -> None:
    log = (
        '<log><extension name="Time" prefix="time" uri="http://x"/><global scope="event">'
        '<string key="org:resource" value="UNKNOWN"/></global><classifier name="c" keys="a b"/>'
        '<float key="mean" value="1"><float key="x" value="2"/></float>'
        + trace("1", event("A", T1))
        + "</log>"
    )
    [row] = rows(written(tmp_path, "a.xes", log))
    assert sorted(row) == [
        "case:concept:name",
        "concept:name",
        "lifecycle:transition",
        "time:timestamp",
    ]


def test_a_namespace_prefix_makes_no_difference(tmp_path: Path) -> None:
    log = (
        '<x:log xmlns:x="http://www.xes-standard.org/"><x:trace><x:string key="concept:name"'
        ' value="1"/><x:event><x:string key="concept:name" value="A"/><x:date'
        f' key="time:timestamp" value="{T1}"/></x:event></x:trace></x:log>'
    )
    assert [wire["block"] for wire in wires(written(tmp_path, "a.xes", log), plain())] == ["A"]


def test_other_encodings_are_read(tmp_path: Path) -> None:
    log = (
        '<?xml version="1.0" encoding="ISO-8859-1"?><log>' + trace("Zoë", event("A", T1)) + "</log>"
    )
    path = written(tmp_path, "a.xes", log.encode("latin-1"))
    assert wires(path, plain())[0]["object"]["id"] == "Zoë"


def test_an_empty_trace_gives_nothing(tmp_path: Path) -> None:
    path = written(tmp_path, "a.xes", xes(trace("1"), trace("2", event("A", T1))))
    assert [wire["id"] for wire in wires(path, plain())] == ["2.0"]


def test_an_event_outside_of_every_trace_is_named_and_the_others_read(tmp_path: Path) -> None:
    path = written(tmp_path, "a.xes", xes(event("A", T1), trace("2", event("B", T2))))
    lost, found = items(path, plain())
    assert lost.problem == "object.id has no value: case:concept:name is empty"
    assert lost.place.line == 3
    assert found.wire and found.wire["block"] == "B"


BOMB = (
    '<?xml version="1.0"?><!DOCTYPE log [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>'
    "<log><trace><string key='concept:name' value='&b;'/></trace></log>"
)


@pytest.mark.parametrize(
    "log",
    [
        BOMB,
        '<!DOCTYPE log SYSTEM "file:///etc/passwd"><log></log>',
        '<!DOCTYPE log [<!ENTITY x SYSTEM "file:///etc/passwd">]><log>&x;</log>',
        '<!DOCTYPE log [<!ENTITY % p SYSTEM "http://127.0.0.1/x">%p;]><log/>',
    ],
)
def test_a_document_type_and_its_entities_are_refused(tmp_path: Path, log: str) -> None:
    with pytest.raises(SourceError, match="document type declaration is refused"):
        rows(written(tmp_path, "a.xes", log))


@pytest.mark.parametrize(
    ("log", "sentence"),
    [
        ("<log><trace></log>", "Line 1: no well-formed XML"),
        ("", "no well-formed XML"),
        ("order,activity\n1,A\n", "no well-formed XML"),
        ("<html><body/></html>", "no XES: it begins with <html>"),
        ("<log><trace><trace/></trace></log>", "a trace inside of a trace"),
        ("<log><trace><event><event/></event></trace></log>", "an event inside of an event"),
        ("<log><trace>" + "<list key='l'>" * 200, "nested deeper"),
        ("<log>&unknown;</log>", "no well-formed XML"),
    ],
)
def test_what_is_no_log_is_refused_with_its_line(tmp_path: Path, log: str, sentence: str) -> None:
    with pytest.raises(SourceError, match=sentence):
        rows(written(tmp_path, "a.xes", log))


def test_an_element_without_an_end_does_not_fill_the_memory(tmp_path: Path) -> None:
    log = '<log><trace><event><string key="a" value="' + "x" * (40 << 20)
    with pytest.raises(SourceError, match="longer than 16 MiB"):
        rows(written(tmp_path, "a.xes.gz", log))


def test_a_cut_gzip_file_is_refused_after_what_was_readable(tmp_path: Path) -> None:
    many = xes(*(trace(str(n), event("A", T1)) for n in range(20_000)))
    path = written(tmp_path, "a.xes.gz", many)
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(SourceError, match="no intact gzip file"):
        rows(path)
