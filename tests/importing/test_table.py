"""The CSV reader: dialects, awkward rows, and what it refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.importing.logs import items, plain, wires, written
from tracking.importing.problems import MappingError, SourceError

NAMES = {"case": "id", "activity": "step", "timestamp": "at"}
HEAD = "id,step,at\n"
AT = "2026-01-31T10:00:00Z"


def blocks(path: Path, **source: Any) -> list[str]:
    return [wire["block"] for wire in wires(path, plain(**{**NAMES, **source}))]


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz"])
def test_one_row_per_event(tmp_path: Path, name: str) -> None:
    path = written(tmp_path, name, f"{HEAD}7,A,{AT}\n7,B,{AT}\n8,A,{AT}\n")
    assert [wire["id"] for wire in wires(path, plain(**NAMES))] == ["7.0", "7.1", "8.0"]


def test_rows_of_a_case_may_lie_apart(tmp_path: Path) -> None:
    path = written(tmp_path, "a.csv", f"{HEAD}7,A,{AT}\n8,A,{AT}\n7,B,{AT}\n")
    assert [wire["id"] for wire in wires(path, plain(**NAMES))] == ["7.0", "8.0", "7.1"]


@pytest.mark.parametrize(
    ("content", "source"),
    [
        (f"id;step;at\n7;A;{AT}\n", {"delimiter": ";"}),
        (f"id\tstep\tat\n7\tA\t{AT}\n", {"delimiter": "\t"}),
        (f"\ufeff{HEAD}7,A,{AT}\r\n", {}),
        (f" id , step , at \n 7 , A , {AT} \n", {}),
        (f"# made by hand\n\n{HEAD}7,A,{AT}\n", {"skip_lines": 2}),
        (f"7,A,{AT}\n", {"columns": ["id", "step", "at"]}),
        (f"{HEAD}'7','A','{AT}'\n", {"quote": "'"}),
        (f"{HEAD}\n7,A,{AT}\n\n\n", {}),
        (f"{HEAD}7,A,{AT},,\n", {}),
        (f"{HEAD}7,A,{AT}", {}),
    ],
)
def test_dialects(tmp_path: Path, content: str, source: dict[str, Any]) -> None:
    assert blocks(written(tmp_path, "a.csv", content), **source) == ["A"]


def test_quotes_hold_delimiters_quotes_and_line_breaks(tmp_path: Path) -> None:
    path = written(tmp_path, "a.csv", f'{HEAD}7,"A, ""b""\nc",{AT}\n8,B,{AT}\n')
    found = items(path, plain(**NAMES))
    assert [item.wire["block"] for item in found if item.wire] == ['A, "b"\nc', "B"]
    assert [item.place.line for item in found] == [2, 4]


def test_another_encoding_must_be_declared(tmp_path: Path) -> None:
    path = written(tmp_path, "a.csv", f"{HEAD}7,Ação,{AT}\n".encode("cp1252"))
    with pytest.raises(SourceError, match='encoding = "cp1252"'):
        blocks(path)
    assert blocks(path, encoding="cp1252") == ["Ação"]


def test_words_that_mean_nothing_are_declared(tmp_path: Path) -> None:
    mapping = plain(**NAMES, empty=["NULL", "n/a"])
    mapping["record"]["attributes"] = {"x": "{x}"}
    path = written(tmp_path, "a.csv", f"id,step,at,x\n7,A,{AT},NULL\n7,B,{AT},n/a\n7,C,{AT},0\n")
    assert [wire.get("attributes") for wire in wires(path, mapping)] == [None, None, {"x": "0"}]


def test_a_row_that_does_not_fit_is_named_and_the_others_read(tmp_path: Path) -> None:
    path = written(tmp_path, "a.csv", f"{HEAD}7,A\n7,B,{AT},more\n7,C,{AT}\n")
    short, long, good = items(path, plain(**NAMES))
    assert (short.place.line, short.problem) == (2, "the row has 2 fields, but there are 3 columns")
    assert (long.place.line, long.problem) == (3, "the row has 4 fields, but there are 3 columns")
    assert good.wire and good.wire["block"] == "C"


def test_a_quote_that_never_ends_is_a_problem_of_its_row(tmp_path: Path) -> None:
    path = written(tmp_path, "a.csv", f'{HEAD}7,A,{AT}\n7,"B,{AT}\n')
    good, bad = items(path, plain(**NAMES))
    assert good.wire
    assert bad.problem == "the row is no CSV: unexpected end of data"


def test_a_column_that_is_not_there_is_named_with_the_likely_one(tmp_path: Path) -> None:
    path = written(tmp_path, "a.csv", f"id,Step,at\n7,A,{AT}\n")
    with pytest.raises(MappingError) as caught:
        blocks(path)
    assert str(caught.value) == (
        "source.activity: the file has no column 'step'; did you mean 'Step'?"
    )


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("", "The file is empty"),
        ("id,step,id,at\n", "column 'id' stands there twice"),
        ("id," + "x" * (5 << 20), "longer than"),
    ],
)
def test_a_header_that_cannot_be_used(tmp_path: Path, content: str, sentence: str) -> None:
    with pytest.raises(SourceError, match=sentence):
        blocks(written(tmp_path, "a.csv", content))
