"""The value language of a mapping: constants, templates, look-ups, alternatives.

Everything is compiled once into a function of a row. A row is one dictionary: the columns of
the file (or the attributes of an event) beside the computed names, which begin with `@`.
A value that is missing or empty is None, and whatever is made of it is None as well.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Final

from tracking.importing.checks import check_keys
from tracking.importing.conversions import TIME_KEYS, Times, conversion
from tracking.importing.problems import MappingError, did_you_mean
from tracking.importing.words import as_text, is_pattern

Row = Mapping[str, Any]
Get = Callable[[Row], Any]

# What the importer knows of a row beyond its columns.
SOURCE_NAMES: Final = ("@case", "@activity", "@timestamp", "@lifecycle", "@position", "@row")
RECORD_NAMES: Final = ("@flow", "@block", "@stage", "@status", "@attempt", "@object")
LATEST: Final = "@latest"
COMPUTED: Final = frozenset((*SOURCE_NAMES, *RECORD_NAMES, LATEST))

_PIECE: Final = re.compile(r"\{\{|\}\}|\{([^{}]+)\}|[{}]")
_LOOKUP_KEYS: Final = (
    *("from", "map", "ignore_case", "default", "type", "split", "decimal"),
    *TIME_KEYS,
)


@dataclass(slots=True)
class Value:
    """A compiled value: its function, and what it may give and what it reads, for checks."""

    get: Get
    columns: tuple[str, ...] = ()
    words: tuple[Any, ...] = ()
    constant: Any = None
    # False when the words are all it can give
    open: bool = True


Escape = Callable[[str], str] | None


def compile_value(spec: Any, key: str, *, escape: Escape = None, times: Times = None) -> Value:
    """Compile a constant, a template, a look-up table or a list of alternatives.

    `escape` is applied to what columns put into a template (for ids). Raises MappingError.
    """
    if isinstance(spec, str):
        return compile_template(spec, key, escape)
    if isinstance(spec, bool | int | float):
        return Value(lambda _row: spec, words=(spec,), constant=spec, open=False)
    if isinstance(spec, list):
        return _alternatives(spec, key, escape, times)
    if isinstance(spec, dict):
        return _lookup(spec, key, escape, times)
    raise MappingError(key, "must be a text, a number, true or false, a table, or a list of these.")


def compile_template(text: str, key: str, escape: Escape = None) -> Value:
    """`text with {column}`; of one column alone the value keeps its type."""
    pieces, columns = _split_template(text, key)
    if not columns:
        constant = "".join(pieces[0::2])
        return Value(lambda _row: constant, words=(constant,), constant=constant, open=False)
    if len(columns) == 1 and pieces[0] == pieces[2] == "" and escape is None:
        name = columns[0]
        return Value(lambda row: row.get(name), columns=(name,))

    def fill(row: Row) -> str | None:
        out = [pieces[0]]
        for index, name in enumerate(columns):
            value = row.get(name)
            if value is None:
                return None
            text = value if type(value) is str else as_text(value)
            out.append(escape(text) if escape else text)
            out.append(pieces[2 * index + 2])
        return "".join(out)

    return Value(fill, columns=tuple(columns))


def _split_template(text: str, key: str) -> tuple[list[str], list[str]]:
    """Constant, column, constant, …, constant; and the columns."""
    pieces, columns = [""], []
    at = 0
    for match in _PIECE.finditer(text):
        pieces[-1] += text[at : match.start()]
        at = match.end()
        if match[0] in ("{{", "}}"):
            pieces[-1] += match[0][0]
        elif match[1] is None:
            raise MappingError(
                key, f"{text!r} has a single brace; a column is {{name}}, a brace itself {{{{."
            )
        else:
            check_column(match[1], key)
            columns.append(match[1])
            pieces += [match[1], ""]
    pieces[-1] += text[at:]
    return pieces, columns


def check_column(name: str, key: str) -> str:
    if name.startswith("@") and name not in COMPUTED:
        raise MappingError(key, f"{name} is not computed by the importer; " + _computed(name))
    return name


def _computed(name: str) -> str:
    return did_you_mean(name, COMPUTED)


def _alternatives(specs: list[Any], key: str, escape: Escape, times: Times) -> Value:
    if not specs:
        raise MappingError(key, "an empty list has no first value.")
    values = [
        compile_value(each, f"{key}[{index}]", escape=escape, times=times)
        for index, each in enumerate(specs)
    ]
    gets = [value.get for value in values]

    def first(row: Row) -> Any:
        for get in gets:
            found = get(row)
            if found is not None:
                return found
        return None

    return Value(
        first,
        columns=tuple(dict.fromkeys(c for value in values for c in value.columns)),
        words=tuple(word for value in values for word in value.words),
        open=any(value.open for value in values),
    )


def source_of(spec: Mapping[str, Any], key: str) -> Value:
    """The `from` of a table: a column by its name, or a template if it has braces."""
    given = spec.get("from")
    if not isinstance(given, str) or not given:
        raise MappingError(f"{key}.from", "is required: the name of a column, or a template.")
    if "{" in given:
        return compile_template(given, f"{key}.from")
    return compile_template("{" + check_column(given, f"{key}.from") + "}", f"{key}.from")


def _lookup(spec: dict[str, Any], key: str, escape: Escape, times: Times) -> Value:
    check_keys(spec, _LOOKUP_KEYS, key)
    source = source_of(spec, key)
    default = spec.get("default")
    if default is not None and not isinstance(default, str | bool | int | float):
        raise MappingError(f"{key}.default", "must be a text, a number, true or false.")
    table = _table(spec, key)
    convert = conversion(spec, key, times)
    read = source.get

    def get(row: Row) -> Any:
        found = read(row)
        if found is not None and table is not None:
            found = table(as_text(found))
        if found is None:
            return default
        if convert is not None:
            return convert(found)
        return escape(as_text(found)) if escape else found

    words = tuple(spec.get("map", {}).values()) + (() if default is None else (default,))
    return Value(
        get, columns=source.columns, words=tuple(w for w in words if w != ""), open=table is None
    )


def _table(spec: dict[str, Any], key: str) -> Callable[[str], Any] | None:
    """`map`: exact keys first, then those with * ? [ as patterns, in their order."""
    if "map" not in spec:
        return None
    given = spec["map"]
    if not isinstance(given, dict) or not given:
        raise MappingError(f"{key}.map", 'must be a table such as { START = "started" }.')
    ignore_case = spec.get("ignore_case", False)
    if not isinstance(ignore_case, bool):
        raise MappingError(f"{key}.ignore_case", "must be true or false.")
    for name, result in given.items():
        if not isinstance(result, str | bool | int | float):
            raise MappingError(f"{key}.map.{name}", "must be a text, a number, true or false.")
    fold = str.casefold if ignore_case else str
    # An empty text means: no value for this one.
    exact = {fold(name): (None if result == "" else result) for name, result in given.items()}
    patterns = [(name, result) for name, result in exact.items() if is_pattern(name)]
    if not patterns:
        return (lambda text: exact.get(fold(text))) if ignore_case else exact.get
    known = dict(exact)  # grows by the values that were matched, up to a bound

    def find(text: str) -> Any:
        text = fold(text)
        try:
            return known[text]
        except KeyError:
            pass
        found = next((result for name, result in patterns if fnmatchcase(text, name)), None)
        if len(known) < 10_000:
            known[text] = found
        return found

    return find
