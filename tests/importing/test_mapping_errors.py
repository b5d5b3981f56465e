"""A wrong mapping is refused before anything is read, and the refusal names the key."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest

from tracking.importing.mapping import compile_mapping, read_mapping, shipped
from tracking.importing.problems import MappingError

GOOD = """
[source]
format = "csv"
case = "case"
activity = "activity"
timestamp = "at"
[record]
flow = "f"
object = { type = "t" }
"""


def refusal(mapping: str) -> str:
    with pytest.raises(MappingError) as caught:
        compile_mapping(tomllib.loads(mapping))
    return str(caught.value)


def test_the_smallest_mapping_is_good() -> None:
    assert compile_mapping(tomllib.loads(GOOD)).source.format == "csv"


@pytest.mark.parametrize(
    ("added", "sentence"),
    [
        ('blokc = "x"', "record.blokc: is no key here; did you mean 'block'?"),
        ('stage = "middle"', "record.stage: 'middle' is none of ingress, processing, egress."),
        (
            'status = { from = "s", map = { a = "done" } }',
            "record.status: 'done' is none of queued, started,",
        ),
        ('status = { map = { a = "started" } }', "record.status.from: is required"),
        ('status = { from = "s", mapp = {} }', "record.status.mapp: is no key here"),
        ('status = { from = "s", map = {} }', "record.status.map: must be a table"),
        ('status = { from = "s", map = { a = [] } }', "record.status.map.a: must be a text"),
        ("status = []", "record.status: an empty list"),
        ('block = "activity"', "record.block: 'activity' is the name of a column; its value is {"),
        ('reason = "concept:name"', "record.reason: 'concept:name' is the name of a column"),
        ('id = "at"', "record.id: 'at' would be the id of every record."),
        ('block = "{a"', "record.block: '{a' has a single brace"),
        ('block = "{@aktivity}"', "record.block: @aktivity is not computed by the importer; did"),
        ('block = "{@lifecycle}"', "reads @lifecycle, but source.lifecycle is not declared"),
        ('occurred_at = "at"', "record.occurred_at: reads no column; write {column}"),
        ('occurred_at = { from = "at", plus = "1 week" }', "record.occurred_at.plus: '1 week'"),
        ('occurred_at = { from = "at", zone = "Mars/X" }', "record.occurred_at.zone: 'Mars/X'"),
        ('occurred_at = { from = "at", format = "%H:%M" }', "has no full date"),
        ('occurred_at = { from = "at", format = "%d.%m.%Y" }', "so a time zone is needed"),
        ('occurred_at = { from = "at", format = "dd.mm" }', "is no format; write iso"),
        ('occurred_at = { from = "at", ambiguous = "x" }', "record.occurred_at.ambiguous: must"),
        ('when = { "@block" = "a" }', "record.when: @block is not known yet"),
        ("when = {}", "record.when: must be a table"),
        ('when = { a = { b = "c" } }', "record.when.a: must be a value or a list"),
        ('attempt = { count = { "@attempt" = "1" } }', "@attempt is what is being counted"),
        ('attributes = "x"', "record.attributes: must be a table"),
        ('attributes = { a = { from = "a", type = "int" } }', "did you mean 'integer'?"),
        ('attributes = { a = { from = "a", zone = "UTC" } }', 'zone: goes with type = "time"'),
        ('attributes = { a = { from = "a", decimal = "," } }', 'goes with type = "number"'),
        ('exception = { kind = "x" }', "record.exception.kind: is no key here"),
        ('cost = { amount = "1" }', "record.cost.currency: is required"),
        ('[[definition]]\nflow = "f"', "definition.steps: is required"),
        (
            '[definition]\nflow = "f"\nsteps = [{ block = "a", stage = "x" }]',
            "definition.steps[0].stage: must be one of",
        ),
        (
            '[definition]\nflow = "f"\nsteps = [{ block = "a", stage = "egress", due = "10s" }]',
            "definition.steps[0].due: must be whole minutes",
        ),
        (
            '[definition]\nflow = "f"\nsteps = [{ block = "a", stage = "egress" },'
            ' { block = "a", stage = "egress" }]',
            "definition.steps: names the block 'a' twice",
        ),
        ("[sauce]\n", "sauce: is no key here; did you mean 'source'?"),
    ],
)
def test_a_wrong_key_of_a_record(added: str, sentence: str) -> None:
    assert sentence in refusal(GOOD + added)


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ('flow = "f"\n', "", "record.flow: is required: the name of the flow."),
        ('object = { type = "t" }', "", "record.object: is required"),
        ('object = { type = "t" }', 'object = { id = "1" }', "record.object.type: is required"),
        (
            'object = { type = "t" }',
            'object = { type = "t", id = "case" }',
            "record.object.id: 'case' would be the id of every object.",
        ),
        ('case = "case"\n', "", "source.case: is required"),
        ('activity = "activity"\n', "", "record.block: is required, or declare source.activity"),
        ('timestamp = "at"\n', "", "record.occurred_at: is required, or declare source.timestamp"),
        ('format = "csv"', 'format = "xml"', "source.format: must be one of xes, csv"),
        ('format = "csv"', "", "source.format: is required"),
        ('format = "csv"', 'format = "xes"\ndelimiter = ";"', "source.delimiter: belongs to CSV"),
        ('format = "csv"', 'format = "csv"\ndelimiter = ""', "source.delimiter: must be one"),
        ('format = "csv"', 'format = "csv"\nencoding = "utf-9"', "source.encoding: 'utf-9' is"),
        ('format = "csv"', 'format = "csv"\nrow = "line"', "source.row: must be one of event"),
    ],
)
def test_a_missing_or_wrong_key_of_the_source(old: str, new: str, sentence: str) -> None:
    assert sentence in refusal(GOOD.replace(old, new))


def test_several_records_are_told_apart() -> None:
    mapping = GOOD.replace("[record]", "[[record]]") + '[[record]]\nflow = "f"\nstage = "x"\n'
    assert "record[1].stage: 'x' is none of" in refusal(mapping + 'object = { type = "t" }')


def test_json_says_the_same(tmp_path: Path) -> None:
    path = tmp_path / "m.json"
    path.write_text(json.dumps(tomllib.loads(GOOD)))
    assert read_mapping(str(path))[0] == tomllib.loads(GOOD)


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("m.toml", b"[source", "is no TOML"),
        ("m.json", b"{", "is no JSON"),
        ("m.json", b"[]", "must hold a table"),
        ("m.toml", b"\xff", "is not UTF-8"),
    ],
)
def test_an_unreadable_mapping(tmp_path: Path, name: str, content: bytes, sentence: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(MappingError, match=sentence):
        read_mapping(str(tmp_path / name))


def test_an_unknown_name_lists_the_shipped_ones() -> None:
    with pytest.raises(MappingError, match="did you mean 'bpic2012'"):
        read_mapping("bpic2021")
    assert shipped() == ["bpic2012", "olist"]
