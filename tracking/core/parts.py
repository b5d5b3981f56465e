"""Checks of the erasable part of a record: texts, attributes, references, usage, payload."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final

import orjson

from tracking import vocabulary as v
from tracking.core.checks import (
    CONTROL_TEXT,
    NUMBER_SENTENCES,
    SURROGATE,
    Checks,
    pointer_to,
)

AMOUNT: Final = re.compile(
    rf"-?(0|[1-9]\d{{0,{v.AMOUNT_DIGITS[0] - 1}}})(\.\d{{1,{v.AMOUNT_DIGITS[1]}}})?", re.ASCII
)
QUANTITY: Final = re.compile(
    rf"(0|[1-9]\d{{0,{v.QUANTITY_DIGITS[0] - 1}}})(\.\d{{1,{v.QUANTITY_DIGITS[1]}}})?", re.ASCII
)


class PartChecks(Checks):
    """The composite fields."""

    __slots__ = ()

    def parents(self, pointer: str, value: object) -> list[str] | None:
        listed = self.items(pointer, value, v.PARENTS_MAX)
        if listed is None:
            return None
        found = [self.identifier(f"{pointer}/{i}", item) for i, item in enumerate(listed)]
        return list(dict.fromkeys(p for p in found if p is not None)) or None

    def exception(self, pointer: str, value: object) -> dict[str, str] | None:
        given = self.mapping(set(v.EXCEPTION_MAX))(pointer, value)
        if given is None:
            return None
        kept: dict[str, str] = {}
        before = len(self.problems)
        for name, most in v.EXCEPTION_MAX.items():
            if name in given:
                text = self._text(f"{pointer}/{name}", given[name], 0, most, CONTROL_TEXT)
                if text:
                    kept[name] = text
        if not kept and len(self.problems) == before:
            self.bad(
                pointer,
                "required",
                f"Needs at least one of {', '.join(v.EXCEPTION_MAX)}.",
            )
        return kept or None

    def names(self, pointer: str, value: object, most: int, longest: int) -> list[str] | None:
        """The usable names of a free-form object; sorted, so that equal content is equal."""
        if not isinstance(value, dict):
            self.bad_type(pointer, value, "an object")
            return None
        if len(value) > most:
            self.bad(
                pointer,
                "too_many",
                f"Has {len(value)} names; at most {most} are allowed.",
            )
            return None
        good = []
        for name in value:
            where = f"{pointer}{pointer_to(name)}"
            if SURROGATE.search(name):
                self.bad(where, "bad_unicode", "The name holds half of a surrogate pair.")
            elif not 1 <= len(name) <= longest:
                self.bad(where, "bad_name", f"A name has 1 to {longest} characters.")
            elif not name.isprintable():
                self.bad(where, "bad_name", "A name is made of printable characters.")
            else:
                good.append(name)
        return sorted(good)

    def attributes(self, pointer: str, value: Any) -> list[dict[str, Any]] | None:
        before = len(self.problems)
        names = self.names(pointer, value, v.ATTRIBUTES_MAX, v.ATTRIBUTE_NAME_MAX)
        if names is None:
            return None
        kept = []
        for name in names:
            where = f"{pointer}{pointer_to(name)}"
            given = value[name]
            if isinstance(given, list):
                listed = self.items(where, given, v.ATTRIBUTE_LIST_MAX)
                if listed is not None:
                    read = [self.scalar(f"{where}/{i}", item) for i, item in enumerate(listed)]
                    kept.append({"name": name, "value": read})
            else:
                kept.append({"name": name, "value": self.scalar(where, given)})
        if len(self.problems) == before:
            size = len(orjson.dumps(value))
            if size > v.ATTRIBUTES_BYTES_MAX:
                self.bad(
                    pointer,
                    "too_large",
                    f"Has {size} bytes; at most {v.ATTRIBUTES_BYTES_MAX} are allowed.",
                )
        return kept

    def scalar(self, pointer: str, value: object) -> Any:
        if isinstance(value, str):
            return self._text(pointer, value, 0, v.ATTRIBUTE_TEXT_MAX, CONTROL_TEXT)
        if isinstance(value, bool):
            return value
        if isinstance(value, int):
            return self.integer(-v.INT_MAX, v.INT_MAX)(pointer, value)
        if isinstance(value, float):
            if not math.isfinite(value):
                self.bad(pointer, "non_finite", NUMBER_SENTENCES["non_finite"])
                return None
            # 1.0 and -0.0 have no spelling of their own in RFC 8785: stored as integers,
            # so that what is hashed and what is stored cannot differ in type.
            if value.is_integer() and abs(value) <= v.INT_MAX:
                return int(value)
            return value
        self.bad_type(pointer, value, "a string, boolean, number or a list of these")
        return None

    def references(self, pointer: str, value: Any) -> list[dict[str, Any]] | None:
        names = self.names(pointer, value, v.REFERENCES_MAX, v.REFERENCE_NAME_MAX)
        if names is None:
            return None
        check = self.line(v.REFERENCE_VALUE_MAX, least=1)
        kept = []
        for name in names:
            where = f"{pointer}{pointer_to(name)}"
            given = value[name]
            if isinstance(given, list):
                listed = self.items(where, given, v.REFERENCE_VALUES_MAX) or []
                found = [check(f"{where}/{i}", item) for i, item in enumerate(listed)]
            elif isinstance(given, str):
                found = [check(where, given)]
            else:
                self.bad_type(where, given, "a string or a list of strings")
                continue
            values = list(dict.fromkeys(text for text in found if text is not None))
            if values:
                kept.append({"name": name, "values": values})
        return kept

    def usage(self, pointer: str, value: object) -> list[dict[str, str]] | None:
        listed = self.items(pointer, value, v.USAGE_MAX)
        if listed is None:
            return None
        fields = ("resource", "quantity", "unit")
        kept = []
        for i, item in enumerate(listed):
            where = f"{pointer}/{i}"
            given = self.mapping(set(fields), required=fields)(where, item)
            if given is None or not all(name in given for name in fields):
                continue
            resource = self.line(v.RESOURCE_MAX, least=1)(f"{where}/resource", given["resource"])
            quantity = self.quantity(f"{where}/quantity", given["quantity"])
            unit = self.line(v.UNIT_MAX, least=1)(f"{where}/unit", given["unit"])
            if resource is not None and quantity is not None and unit is not None:
                kept.append({"resource": resource, "quantity": quantity, "unit": unit})
        return kept

    def quantity(self, pointer: str, value: object) -> str | None:
        """A decimal string: what is multiplied with a price is never a float."""
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            self.bad_type(pointer, value, "a number or a decimal string")
            return None
        if isinstance(value, float) and not math.isfinite(value):
            self.bad(pointer, "non_finite", NUMBER_SENTENCES["non_finite"])
            return None
        if isinstance(value, str):
            text = value
        else:
            if value < 0:
                self.bad(pointer, "negative", "Must not be negative.")
                return None
            if value >= 10 ** v.QUANTITY_DIGITS[0]:
                self.bad(
                    pointer,
                    "bad_decimal",
                    "At most 15 digits before the point are allowed.",
                )
                return None
            text = format(Decimal(repr(value)), "f")
            if "." in text:
                text = text.rstrip("0").rstrip(".")
            text = "0" if text in ("-0", "") else text
        if not QUANTITY.fullmatch(text):
            negative = re.fullmatch(r"-\d+(\.\d+)?", text)
            code, sentence = (
                ("negative", "Must not be negative.")
                if negative
                else (
                    "bad_decimal",
                    "Must be a decimal with at most 15 digits before and 18 after the point.",
                )
            )
            self.bad(pointer, code, sentence)
            return None
        return text

    def cost(self, pointer: str, value: object) -> dict[str, str] | None:
        given = self.mapping({"amount", "currency"}, required=("amount", "currency"))(
            pointer, value
        )
        if given is None or not {"amount", "currency"} <= given.keys():
            return None
        amount = self.string(f"{pointer}/amount", given["amount"])
        if amount is not None and not AMOUNT.fullmatch(amount):
            self.bad(
                f"{pointer}/amount",
                "bad_decimal",
                "Must be a decimal string such as 12.50, at most 15 digits before and"
                " 9 after the point.",
            )
        currency = self.string(f"{pointer}/currency", given["currency"])
        if currency is not None and currency not in v.CURRENCIES:
            self.bad(
                f"{pointer}/currency",
                "bad_currency",
                "Must be a currency code of ISO 4217.",
            )
        if amount is None or currency is None:
            return None
        return {"amount": amount, "currency": currency}

    def payload(self, pointer: str, value: object) -> dict[str, Any] | None:
        checks: dict[str, Callable[[str, Any], Any]] = {
            "hash": self.line(v.PAYLOAD_HASH_MAX, least=1),
            "size": self.integer(0, v.INT_MAX),
            "content_type": self.line(v.PAYLOAD_TYPE_MAX, least=1),
            "uri": self.line(v.PAYLOAD_URI_MAX, least=1),
            "content": self.content,
        }
        given = self.mapping(set(checks))(pointer, value)
        if given is None:
            return None
        if not given:
            self.bad(pointer, "required", f"Needs at least one of {', '.join(checks)}.")
        kept: dict[str, Any] = {}
        for name, check in checks.items():
            if name in given:
                self.put(kept, name, check(f"{pointer}/{name}", given[name]))
        return kept

    def content(self, pointer: str, value: object) -> str | None:
        text = self._text(pointer, value, 0, v.PAYLOAD_CONTENT_BYTES_MAX, CONTROL_TEXT)
        if text is not None and len(text.encode()) > v.PAYLOAD_CONTENT_BYTES_MAX:
            self.bad(
                pointer,
                "too_large",
                f"At most {v.PAYLOAD_CONTENT_BYTES_MAX} bytes are allowed.",
            )
            return None
        return text
