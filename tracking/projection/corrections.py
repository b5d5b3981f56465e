"""What corrects what, for pages that show single records: read from the journal, never stale."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from tracking import vocabulary as v
from tracking.core.corrections import corrections_in, withdrawn_by
from tracking.mongo.connection import collection

# Of a transaction; beyond it a page of single records would take seconds.
_READ_MAX: Final = 10_000
_LARGE: Final = 1_000
JOURNAL: Final = "journal"


@dataclass(frozen=True, slots=True)
class Corrections:
    """`corrected_by`: by record id, who names it in `corrects`; `withdrawn_by`: those of them
    whose correction stands."""

    corrected_by: dict[str, list[str]] = field(default_factory=dict)
    withdrawn_by: dict[str, list[str]] = field(default_factory=dict)


def corrections_of(tenant: str, transaction: str) -> Corrections:
    """The corrections among the records of one transaction.

    Never stale, but where the transaction is large and none was derived: then its records are
    not read once more for each page of them.
    """
    derived = collection("transaction").find_one(
        {"_id": f"{tenant}/{transaction}"}, {"records": 1, "withdrawn": 1, "warnings": 1}
    )
    if (
        derived is not None
        and derived["records"] > _LARGE
        and not derived["withdrawn"]
        and v.WARN_CORRECTION_CYCLE not in derived["warnings"]
    ):
        return Corrections()
    return corrections_by_transaction(tenant, [transaction]).get(transaction, Corrections())


def corrections_by_transaction(tenant: str, transactions: Iterable[str]) -> dict[str, Corrections]:
    """The same of several; those without a correction are left out."""
    rows = collection(JOURNAL).find(
        {
            "tenant": tenant,
            "transaction": {"$in": sorted(set(transactions))},
            "corrects": {"$exists": True},
        },
        {"corrects": 1, "transaction": 1},
    )
    found: dict[str, list[dict[str, str]]] = {}
    for row in rows.limit(_READ_MAX):
        found.setdefault(row["transaction"], []).append(row)
    return {name: _corrections(corrections_in(its)) for name, its in found.items()}


def _corrections(corrects: dict[str, str]) -> Corrections:
    named: dict[str, list[str]] = {}
    for source, target in sorted(corrects.items()):
        named.setdefault(target, []).append(source)
    return Corrections(named, withdrawn_by(corrects))


def withdrawn_in(rows: Iterable[tuple[str, str, str]]) -> set[str]:
    """The journal keys of those of a list's rows (tenant, transaction, record) that are
    withdrawn. As of what is derived, so that a list need not read whole transactions."""
    rows = list(rows)
    keys = sorted({f"{tenant}/{transaction}" for tenant, transaction, _record in rows})
    affected = collection("transaction").find(
        {"_id": {"$in": keys}, "withdrawn": {"$gt": 0}}, {"tenant": 1, "transaction": 1}
    )
    by_tenant: dict[str, list[str]] = {}
    for row in affected:
        by_tenant.setdefault(row["tenant"], []).append(row["transaction"])
    found = {
        (tenant, name): corrections.withdrawn_by
        for tenant, names in by_tenant.items()
        for name, corrections in corrections_by_transaction(tenant, names).items()
    }
    return {
        f"{tenant}/{record}"
        for tenant, transaction, record in rows
        if record in found.get((tenant, transaction), {})
    }
