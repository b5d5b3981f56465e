"""Compiling a [[record]] table over the [defaults] into a rule."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from tracking import clock
from tracking import vocabulary as v
from tracking.importing import parts
from tracking.importing.attempts import attempt_rule
from tracking.importing.checks import check_keys
from tracking.importing.conditions import Condition, compile_condition
from tracking.importing.conversions import TIME_KEYS
from tracking.importing.parts import Put
from tracking.importing.problems import MappingError, RowError
from tracking.importing.records import RecordRule, explain_abort, missing, named, standard_status
from tracking.importing.sources import XES_NAMES, SourceRules, TimeRules, time_rules
from tracking.importing.times import TimeReader, duration
from tracking.importing.values import LATEST, RECORD_NAMES, Get, Value, compile_value, source_of
from tracking.importing.words import as_text, safe_id, short_id

_TIMES: Final = ("queued_at", "started_at", "ended_at")
_KEYS: Final = (
    *("when", "unless", "id", "object", "flow", "flow_version", "block", "transaction", "stage"),
    *("status", "attempt", "occurred_at", *_TIMES, "reason", "exception", "attributes"),
    *("references", "parents", "usage", "cost", "payload", "subject", "corrects", "final"),
)
_DECLARED: Final = ("@activity", "@timestamp", "@lifecycle")


def compile_rule(
    own: dict[str, Any],
    defaults: dict[str, Any],
    key: str,
    *,
    source: SourceRules,
    time: TimeRules,
) -> RecordRule:
    """Check and compile one [[record]] over the [defaults]; raises MappingError."""
    check_keys(own, _KEYS, key)
    check_keys(defaults, _KEYS, "defaults")
    return _Compiler(own, defaults, key, source, time).compile()


class _Compiler:
    """Takes the fields one by one, remembering which columns they read."""

    def __init__(
        self,
        own: dict[str, Any],
        defaults: dict[str, Any],
        key: str,
        source: SourceRules,
        time: TimeRules,
    ) -> None:
        self.own, self.defaults, self.key = own, defaults, key
        self.source, self.time = source, time
        self.columns: dict[str, str] = {}

    def path(self, name: str) -> str:
        return f"{self.key}.{name}" if name in self.own else f"defaults.{name}"

    def spec(self, name: str, default: Any = None) -> Any:
        """The field as the record gives it, else as [defaults] do; tables are merged."""
        own, shared = self.own.get(name), self.defaults.get(name)
        if own is None:
            return default if shared is None else shared
        mergeable = name in ("attributes", "references", "object")
        if mergeable and isinstance(own, dict) and isinstance(shared, dict):
            return {**shared, **own}
        return own

    def compiled(self, spec: Any, key: str, escape: Any = None) -> Value:
        return compile_value(spec, key, escape=escape, times=self.times)

    def times(self, spec: dict[str, Any], key: str) -> Callable[[Any], str]:
        reader = self.reader(spec, key)

        def read(value: Any) -> str:
            try:
                return clock.iso(reader.read(value))
            except ValueError as error:
                raise RowError(str(error)) from None

        return read

    def reader(self, spec: dict[str, Any], key: str) -> TimeReader:
        rules = time_rules(spec, key, self.time)
        plus = None
        if "plus" in spec:
            try:
                plus = duration(str(spec["plus"]))
            except ValueError as error:
                raise MappingError(f"{key}.plus", str(error)) from None
        return TimeReader(rules.formats, rules.zone, rules.ambiguous, rules.missing, plus)

    def used(self, value: Any, key: str) -> Any:
        """Note the columns of a compiled value, and refuse computed names it cannot have."""
        for column in value.columns:
            if column in _DECLARED and column[1:] not in self.source.names:
                raise MappingError(key, f"reads {column}, but source.{column[1:]} is not declared.")
            self.columns.setdefault(column, key)
        return value

    def value(self, name: str, default: Any = None, *, escape: Any = None) -> Value | None:
        spec = self.spec(name, default)
        if spec is None:
            return None
        value = self.used(self.compiled(spec, self.path(name), escape), self.path(name))
        self.refuse_name_for_value(name, value)
        return value

    def refuse_name_for_value(self, name: str, value: Value) -> None:
        """A column written without its braces would be the same text in every record."""
        given = value.constant
        if name == "id" and given is not None:
            raise MappingError(self.path(name), f"{given!r} would be the id of every record.")
        columns = {*XES_NAMES.values(), *(self.source.names.values() if name == "block" else ())}
        if given in columns:
            raise MappingError(
                self.path(name), f"{given!r} is the name of a column; its value is {{{given}}}."
            )

    def required(self, name: str, default: Any, hint: str) -> Value:
        found = self.value(name, default)
        if found is None:
            raise MappingError(f"{self.key}.{name}", f"is required{hint}.")
        return found

    def compile(self) -> RecordRule:
        is_object = self.source.is_object
        names = self.source.names
        block = self.required(
            "block",
            None if is_object or "activity" not in names else "{@activity}",
            "" if is_object else ", or declare source.activity",
        )
        status = self.status()
        stage = self.words("stage", v.PROCESSING, v.STAGES)
        first = (
            ("flow", self.required("flow", None, ": the name of the flow")),
            ("block", block),
            ("stage", stage),
            ("status", status),
        )
        occurred = self.occurred_at()
        attempt = attempt_rule(self.spec("attempt"), self.path("attempt"), self.used)
        return RecordRule(
            key=self.key,
            when=self.condition("when"),
            unless=self.condition("unless"),
            occurred_at=occurred,
            skip_empty=is_object,
            first=first,
            attempt=attempt,
            puts=tuple(self.puts()),
            columns=self.columns,
        )

    def condition(self, name: str) -> Condition | None:
        spec = self.spec(name)
        if spec is None:
            return None
        condition = compile_condition(spec, self.path(name))
        self.refuse_unmade(condition.columns, self.path(name))
        return self.used(condition, self.path(name))

    def refuse_unmade(self, columns: tuple[str, ...], key: str) -> None:
        for column in columns:
            if column in RECORD_NAMES:
                raise MappingError(key, f"{column} is not known yet when this is read.")

    def words(self, name: str, default: Any, known: tuple[str, ...]) -> Value:
        value = self.required(name, default, "")
        for word in value.words:
            if word not in known:
                raise MappingError(self.path(name), f"{word!r} is none of {', '.join(known)}.")
        return value

    def status(self) -> Value:
        if self.spec("status") is not None:
            return self.words("status", None, v.STATUSES)
        lifecycle = self.source.names.get("lifecycle")
        if lifecycle is None or self.source.is_object:
            return compile_value(v.SUCCEEDED, "status")
        self.columns.setdefault("@lifecycle", f"{self.key}.status")
        return Value(standard_status, columns=("@lifecycle",))

    def occurred_at(self) -> tuple[Value, TimeReader]:
        default = "{@timestamp}" if "timestamp" in self.source.names else None
        found = self.time_field("occurred_at", default)
        if found is None:
            hint = "" if self.source.is_object else ", or declare source.timestamp"
            raise MappingError(f"{self.key}.occurred_at", f"is required{hint}.")
        return found

    def time_field(self, name: str, default: Any = None) -> tuple[Value, TimeReader] | None:
        spec = self.spec(name, default)
        if spec is None:
            return None
        key = self.path(name)
        if isinstance(spec, dict):
            check_keys(spec, ("from", *TIME_KEYS), key)
            value, reader = source_of(spec, key), self.reader(spec, key)
        else:
            value, reader = compile_value(spec, key), self.reader({}, key)
        if not value.columns:
            raise MappingError(key, f"reads no column; write {{column}}, not {spec!r}.")
        if name == "occurred_at":
            self.refuse_unmade(value.columns, key)
        elif LATEST in value.columns:
            raise MappingError(key, f"{LATEST} is for occurred_at.")
        return self.used(value, key), reader

    def puts(self) -> list[Put]:
        """What fills the rest of the record, in an order in which each may use the ones before."""
        id_default = "{@case}.{@block}" if self.source.is_object else "{@case}.{@position}"
        found: list[Put | None] = [self.object()]
        found.append(self.text("id", id_default, escape=safe_id, required=True))
        for name in ("transaction", "corrects"):
            found.append(self.text(name, escape=safe_id))
        for name in ("flow_version", "subject"):
            found.append(self.text(name))
        found += [self.time_put(name) for name in _TIMES]
        found.append(self.text("reason"))
        for name, compile_part in parts.PARTS.items():
            spec = self.spec(name)
            if spec is not None:
                put, values = compile_part(spec, self.path(name), self.compiled)
                for value in values:
                    self.used(value, self.path(name))
                found.append(put)
        if self.spec("status") is None and self.spec("reason") is None:
            found.append(explain_abort)
        return [put for put in found if put is not None]

    def object(self) -> Put:
        spec = self.spec("object")
        key = self.path("object")
        if not isinstance(spec, dict):
            raise MappingError(f"{self.key}.object", 'is required: a table { type = "order" }.')
        check_keys(spec, ("id", "type"), key)
        if "type" not in spec:
            raise MappingError(f"{key}.type", "is required.")
        type_ = self.used(self.compiled(spec["type"], f"{key}.type"), key)
        id_ = self.used(self.compiled(spec.get("id", "{@case}"), f"{key}.id"), key)
        if id_.constant is not None:
            raise MappingError(f"{key}.id", f"{id_.constant!r} would be the id of every object.")

        def put(row: dict[str, Any], wire: dict[str, Any]) -> None:
            found: dict[str, str] = {}
            for name, value in (("id", id_), ("type", type_)):
                given = value.get(row)
                if given is None:
                    raise missing(f"object.{name}", value, row)
                found[name] = as_text(given)
            row["@object"] = found["id"]
            wire["object"] = found

        return put

    def text(
        self, name: str, default: Any = None, *, escape: Any = None, required: bool = False
    ) -> Put | None:
        value = self.value(name, default, escape=escape)
        if value is None:
            return None
        get: Get = value.get
        is_id = escape is not None

        def put(row: dict[str, Any], wire: dict[str, Any]) -> None:
            given = get(row)
            if given is not None:
                text = given if type(given) is str else as_text(given)
                wire[name] = short_id(text) if is_id and len(text) > v.ID_MAX else text
            elif required:
                raise missing(name, value, row)

        return put

    def time_put(self, name: str) -> Put | None:
        compiled = self.time_field(name)
        if compiled is None:
            return None
        value, reader = compiled

        def put(row: dict[str, Any], wire: dict[str, Any]) -> None:
            given = value.get(row)
            if given is None:
                return
            try:
                wire[name] = clock.iso(reader.read(given))
            except ValueError as error:
                raise RowError(f"{name}{named(value)}: {error}") from None

        return put
