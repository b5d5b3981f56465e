"""What a reader may not read of a record, and what stands there instead.

Whoever reads documents for a page or an answer asks for the reader's `Masking` of that tenant and
passes each document through it at once, so that what is masked is never at hand where something is
shown. Names, sizes, types and times stay; values become `[masked]`. A receipt is made of the stored
document, and is the same for everybody.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from time import monotonic
from typing import Any, Final

from tracking import vocabulary as v
from tracking.access.keys import KeyHolder
from tracking.access.roles import REVEAL
from tracking.access.scope import Who
from tracking.models import Tenant, User

# How long what a tenant declared before still holds: each process reads it this often.
CACHED_FOR: Final = 4.0
_CACHED_MOST: Final = 1_000

# Of the erasable part, what is shown as it is; all else is masked, what is yet to come as well.
_SHOWN: Final = frozenset(("reason", "exception", "usage", "cost"))
_PAYLOAD_SHOWN: Final = frozenset(("size", "content_type"))

Document = dict[str, Any]


class Masked(str):
    """What stands for a value; a type of its own, since anybody may post the same text."""

    __slots__ = ()


MASKED: Final = Masked(v.MASKED)


@dataclass(frozen=True, slots=True)
class Rules:
    """What a tenant declares: attributes that are personal, references that are not.

    Capital letters make no difference where that masks more, and one where it would mask less.
    """

    personal: frozenset[str]
    prefixes: tuple[str, ...]
    open: frozenset[str]

    def is_personal(self, attribute: str) -> bool:
        name = attribute.casefold()
        return name in self.personal or name.startswith(self.prefixes)


@dataclass(frozen=True, slots=True)
class Masking:
    """How one reader sees what a tenant recorded; without rules everything is shown."""

    rules: Rules | None

    def document(self, stored: Mapping[str, Any]) -> Document:
        """A journal document as the reader may have it; what was given stays as it is."""
        shown = dict(stored)
        if self.rules is not None:
            if "salt" in shown:
                # With it and `part_hash` a guess at a masked value could be tried out.
                shown["salt"] = MASKED
            if "part" in shown:
                shown["part"] = self.part(shown["part"])
        return shown

    def part(self, stored: Mapping[str, Any] | None) -> Document:
        """The erasable part of a record."""
        rules = self.rules
        shown = dict(stored or {})
        if rules is None:
            return shown
        for name, value in shown.items():
            if name == "attributes":
                shown[name] = [_attribute(each, rules) for each in value]
            elif name == "references":
                shown[name] = [_reference(each, rules) for each in value]
            elif name == "payload":
                shown[name] = {
                    each: text if each in _PAYLOAD_SHOWN else MASKED for each, text in value.items()
                }
            elif name not in _SHOWN:
                shown[name] = MASKED
        return shown

    def references(self, pairs: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
        """A transaction's references; one for each name that is masked: nor are they counted."""
        rules = self.rules
        if rules is None:
            return list(pairs)
        return list(
            dict.fromkeys((name, value if name in rules.open else MASKED) for name, value in pairs)
        )


REVEALED: Final = Masking(None)


def has_masked(shown: Any) -> bool:
    """Whether something in it is masked."""
    if isinstance(shown, Mapping):
        return any(map(has_masked, shown.values()))
    if isinstance(shown, list | tuple):
        return any(map(has_masked, shown))
    return isinstance(shown, Masked)


def masking_of(who: Who, tenant: str) -> Masking:
    """How `who` sees what `tenant` recorded; whether they may see it at all is not asked here."""
    return REVEALED if may_reveal(who) else Masking(rules_of(tenant))


def may_reveal(who: Who) -> bool:
    """Whether somebody reads what is masked: a person by their roles, a key that reads at all."""
    if isinstance(who, KeyHolder):
        return not v.REVEALING_SCOPES.isdisjoint(who.scopes)
    return isinstance(who, User) and who.has_perm(REVEAL)


_cache: dict[str, tuple[float, Rules]] = {}


def rules_of(tenant: str) -> Rules:
    """What the tenant declares, read from the database once in `CACHED_FOR` seconds."""
    now = monotonic()
    known = _cache.get(tenant)
    if known is not None and now - known[0] < CACHED_FOR:
        return known[1]
    rows = Tenant.objects.filter(pk=tenant).order_by()
    stored = next(iter(rows.values_list("personal_attributes", "open_references")), (None, None))
    if len(_cache) >= _CACHED_MOST:
        _cache.clear()
    rules = make_rules(*stored)
    _cache[tenant] = (now, rules)
    return rules


def forget_rules(tenant: str) -> None:
    """Read what the tenant declares again at the next use, in this process."""
    _cache.pop(tenant, None)


def make_rules(personal: Iterable[str] | None, opened: Iterable[str] | None) -> Rules:
    """From what a tenant declares; None: as a new tenant does."""
    names = [name.casefold() for name in (v.PERSONAL_ATTRIBUTES if personal is None else personal)]
    return Rules(
        personal=frozenset(name for name in names if not name.endswith("*")),
        prefixes=tuple(name[:-1] for name in names if name.endswith("*")),
        open=frozenset(opened or ()),
    )


def personal_names(lines: Iterable[str]) -> list[str]:
    """Names of personal attributes as a tenant declares them; ValueError says what is wrong."""
    names = _names(lines, v.ATTRIBUTE_NAME_MAX)
    for name in names:
        if "*" in name and not (name == "*" or (name.endswith(".*") and name.count("*") == 1)):
            raise ValueError(
                f"“{name}”: * stands at the end, after a dot, for all names that begin so"
                " (user.*), or alone for all names."
            )
    return names


def open_names(lines: Iterable[str]) -> list[str]:
    """Names of references that everybody may read; ValueError says what is wrong."""
    names = _names(lines, v.REFERENCE_NAME_MAX)
    for name in names:
        if "*" in name:
            raise ValueError(f"“{name}”: a reference is opened by its whole name, without *.")
    return names


def _names(lines: Iterable[str], longest: int) -> list[str]:
    names = list(dict.fromkeys(name for line in lines if (name := line.strip())))
    if len(names) > v.MASKING_NAMES_MAX:
        raise ValueError(f"At most {v.MASKING_NAMES_MAX} names, not {len(names)}.")
    for name in names:
        if len(name) > longest or not name.isprintable():
            raise ValueError(f"“{name[:60]}”: a name has 1 to {longest} printable characters.")
    return names


def _attribute(stored: Mapping[str, Any], rules: Rules) -> Document:
    return {**stored, "value": MASKED} if rules.is_personal(stored["name"]) else {**stored}


def _reference(stored: Mapping[str, Any], rules: Rules) -> Document:
    return {**stored} if stored["name"] in rules.open else {**stored, "values": [MASKED]}
