"""docs/status-rules.md once more, slowly: every sentence a filter or a sort over all records.

Shares nothing with the reducer but the words of the vocabulary; where both agree on histories
that nobody thought of, the document says what the product does. Each row is named where it is
said.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Any

RANK = {"queued": 0, "started": 1, "skipped": 2, "succeeded": 3, "filtered": 4, "failed": 5}
TERMINAL = ("skipped", "succeeded", "filtered", "failed")
PAST = ("succeeded", "skipped", "filtered")  # a block that work has left behind
STAGES = ("ingress", "processing", "egress")
Document = dict[str, Any]


def derive(
    documents: Iterable[Document], definitions: Callable[[str], Sequence[Any]]
) -> tuple[Document, list[Document]]:
    """The fields of the transaction and of its blocks, by block name."""
    everything = unique(documents)
    cyclic = in_a_cycle(everything)
    counting = counting_records(everything)
    names = sorted({record["block"] for record in counting})
    blocks = {name: block_of([r for r in counting if r["block"] == name]) for name in names}

    first = min(counting, key=key)  # F1
    created = min(seen_at(record) for record in counting)  # F2
    updated = max(seen_at(record) for record in counting)
    earliest = min(record["occurred_at"] for record in counting)
    latest = max(record["occurred_at"] for record in counting)
    named = [record for record in counting if record.get("flow_version") is not None]
    version = max(named, key=key)["flow_version"] if named else None
    definition = definition_of(definitions(first["flow"]), version, created)
    steps = list(definition.steps) if definition else []

    status, current = status_of(blocks, definition)
    in_transit = status == "in_transit"
    error = error_of(blocks, status, current)
    path = sorted(
        names,
        key=lambda name: (blocks[name]["first_at"], STAGES.index(blocks[name]["stage"]), name),
    )

    references = {  # F8
        (reference["name"], value)
        for record in counting
        for reference in part(record).get("references", [])
        for value in reference["values"]
    }
    parents = {parent for record in counting for parent in record.get("parents", [])}
    usage = usage_of(counting)

    warnings = set()
    named = [
        r for r in counting if (r["object_type"], r["object_id"]) != ("trace", r["transaction"])
    ]
    about = first  # F1
    if first not in named and named:
        about = min(named, key=lambda r: (r["object_type"], r["object_id"]))
    if any(
        (r["object_id"], r["object_type"]) != (about["object_id"], about["object_type"])
        for r in named
    ):
        warnings.add("mixed_objects")  # F1
    if any(record["flow"] != first["flow"] for record in counting):
        warnings.add("mixed_flows")  # F1
    if cyclic:
        warnings.add("correction_cycle")  # C3
    here = {own_id(record) for record in everything}
    if any(r.get("corrects") is not None and r["corrects"] not in here for r in everything):
        warnings.add("correction_without_target")  # C4
    if out_of_order(steps, blocks):
        warnings.add("out_of_order")  # F7
    if len(references) > 200 or len(parents) > 1000 or len(usage) > 100 or len(path) > 500:
        warnings.add("capped")  # F8

    required = [step for step in steps if not step.optional]
    done = [name for name in names if blocks[name]["status"] in PAST]  # P2
    if definition:
        done = [name for name in done if name in {step.block for step in required}]
    open_steps = [step for step in required if step.block not in done]
    following = open_steps[0] if in_transit and open_steps else None  # P5
    patience = definition.patience if definition else timedelta(hours=24)
    deadline = definition.deadline if definition else None
    tails = {name: stage_state(name, blocks, definition, status) for name in STAGES}

    transaction = {
        "object_id": about["object_id"],
        "object_type": about["object_type"],
        "flow": first["flow"],
        "flow_version": version,
        "definition": definition.version if definition else None,
        "status": status,
        "stage": blocks[current]["stage"],
        "block": current,
        "created_at": created,
        "updated_at": updated,
        "recorded_at": max(record["recorded_at"] for record in everything),  # F9
        "first_at": earliest,
        "last_at": latest,
        "throughput_ms": milliseconds(latest - earliest),  # F3
        "queue_ms": sum_of_known(block["queue_ms"] for block in blocks.values()),
        "work_ms": sum_of_known(block["work_ms"] for block in blocks.values()),
        "records": len(everything),
        "withdrawn": len({own_id(record) for record in everything} & withdrawn_ids(everything)),
        "blocks": len(blocks),
        "retries": sum(block["attempts"] - 1 for block in blocks.values()),
        "reason": None if in_transit else blocks[current]["reason"],
        **error_fields(blocks[error] if error else None),
        "references": sorted(references)[:200],
        "parents": sorted(parents)[:1000],
        "usage": dict(sorted(usage.items())[:100]),
        "costs": costs_of(counting),
        "path": [(name, blocks[name]["stage"]) for name in path[:500]],
        "warnings": sorted(warnings),
        **tails,
        "blocks_done": len(done),
        "blocks_expected": len(required) if definition else None,  # P3
        "percent": percent_of(status, len(done), len(required), definition),
        "next_block": following.block if following else None,
        "next_due_at": earliest + following.due if following and following.due else None,
        "stalls_at": updated + patience if in_transit else None,
        "due_at": earliest + deadline if in_transit and deadline else None,
    }
    places = {step.block for step in steps}
    for position, name in enumerate(path):
        blocks[name]["position"] = position
        blocks[name]["usage"] = dict(sorted(blocks[name]["usage"].items())[:100])  # F8
        blocks[name]["expected"] = name in places if definition else None
        for field in ("object_id", "object_type", "flow"):
            blocks[name][field] = transaction[field]
    return transaction, [public(blocks[name]) for name in names]


# --- Records -------------------------------------------------------------------------------


def own_id(record: Document) -> str:
    return record["_id"].split("/", 1)[1]


def key(record: Document) -> tuple[datetime, int, str]:
    return (record["occurred_at"], RANK[record["status"]], own_id(record))


def seen_at(record: Document) -> datetime:
    """F2: an event time ahead of its record time counts as the record time."""
    return min(record["occurred_at"], record["recorded_at"])


def part(record: Document) -> Document:
    return record.get("part") or {}


def unique(documents: Iterable[Document]) -> list[Document]:
    found: dict[str, Document] = {}
    for document in documents:
        found[document["_id"]] = document
    return list(found.values())


def in_a_cycle(records: list[Document]) -> set[str]:
    """Ids from which following `corrects` leads back to where it began."""
    target = {own_id(record): record.get("corrects") for record in records}
    found = set()
    for start in target:
        at = target[start]
        for _ in target:
            if at == start:
                found.add(start)
            at = target.get(at) if at is not None else None
    return found


def withdrawn_ids(records: list[Document]) -> set[str]:
    cyclic = in_a_cycle(records)
    return {
        record["corrects"]
        for record in records
        if record.get("corrects") is not None  # C1, C2
        and not (own_id(record) in cyclic and record["corrects"] in cyclic)  # C3
    }


def counting_records(records: list[Document]) -> list[Document]:
    standing = [record for record in records if own_id(record) not in withdrawn_ids(records)]
    saying = [r for r in standing if r.get("corrects") is None or r["status"] != "skipped"]  # C5
    return saying or [{**record, "status": "filtered"} for record in standing]


# --- Blocks --------------------------------------------------------------------------------


def block_of(records: list[Document]) -> Document:
    attempts = sorted({record["attempt"] for record in records})
    deciding = max((r for r in records if r["attempt"] == attempts[-1]), key=key)  # B1, B2
    excepted = [record for record in records if "exception" in part(record)]
    last = max(excepted, key=lambda r: (r["attempt"], key(r))) if excepted else None  # B3
    exception = part(last)["exception"] if last else {}
    spans = [spans_of(moments) for moments in moments_of(records)]
    return {
        "block": deciding["block"],
        "stage": deciding["stage"],
        "status": deciding["status"],
        "attempts": len(attempts),
        "attempt": attempts[-1],
        "records": len(records),
        "first_at": min(record["occurred_at"] for record in records),
        "last_at": max(record["occurred_at"] for record in records),
        "updated_at": max(seen_at(record) for record in records),
        "queue_ms": sum_of_known(queue for queue, _work in spans),
        "work_ms": sum_of_known(work for _queue, work in spans),
        "reason": part(deciding).get("reason"),
        "error_type": exception.get("type"),
        "error_message": exception.get("message"),
        "error_code": exception.get("code"),
        "error_location": exception.get("location"),
        "error_record": own_id(last) if last else None,
        "usage": usage_of(records),
        "costs": costs_of(records),
        "deciding": deciding,
    }


def public(block: Document) -> Document:
    return {name: value for name, value in block.items() if name != "deciding"}


def moments_of(records: list[Document]) -> list[Document]:
    """B4: of each attempt of a block, in order, when it was queued, started and ended."""
    found: list[Document] = []
    for number in sorted({record["attempt"] for record in records}):
        attempt = [record for record in records if record["attempt"] == number]
        queued = {r["queued_at"] for r in attempt if r.get("queued_at")}
        queued |= {r["occurred_at"] for r in attempt if r["status"] == "queued"}
        started = [r["started_at"] for r in attempt if r.get("started_at")]
        started += [r["occurred_at"] for r in attempt if r["status"] == "started"]
        ended = {r.get("ended_at") or r["occurred_at"] for r in attempt if r["status"] in TERMINAL}
        start = min(started, default=None)
        looked_at = sorted(queued)[:20]
        waiting = set(looked_at)
        if found and found[-1]["again"]:
            waiting.add(found[-1]["again"])
        begin = min(waiting, default=None)
        if begin is not None and start is not None and begin > start:
            begin = None
        ends = [moment for moment in sorted(ended)[:20] if start is None or moment >= start]
        later = [moment for moment in looked_at if start is not None and moment > start]
        found.append(
            {
                "attempt": number,
                "queued": begin,
                "started": start,
                "ended": min(ends, default=None),
                "again": min(later, default=None),
            }
        )
    return found


def spans_of(moments: Document) -> tuple[int | None, int | None]:
    """B4: queue and work time of one attempt."""
    return (
        between(moments["queued"], moments["started"]),
        between(moments["started"], moments["ended"]),
    )


def between(begin: datetime | None, end: datetime | None) -> int | None:
    if begin is None or end is None or end < begin:
        return None
    return milliseconds(end - begin)


def sum_of_known(values: Iterable[int | None]) -> int | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def usage_of(records: list[Document]) -> dict[tuple[str, str], Fraction]:
    """B5; exact, by resource and unit."""
    lines = [line for record in records for line in part(record).get("usage", [])]
    return {
        place: sum(
            (Fraction(x["quantity"]) for x in lines if (x["resource"], x["unit"]) == place),
            Fraction(0),
        )
        for place in sorted({(line["resource"], line["unit"]) for line in lines})
    }


def costs_of(records: list[Document]) -> dict[str, Fraction]:
    """B5; exact, by currency."""
    costs = [part(record)["cost"] for record in records if "cost" in part(record)]
    return {
        currency: sum(
            (Fraction(cost["amount"]) for cost in costs if cost["currency"] == currency),
            Fraction(0),
        )
        for currency in sorted({cost["currency"] for cost in costs})
    }


# --- The transaction -----------------------------------------------------------------------


def definition_of(versions: Sequence[Any], named: str | None, created: datetime) -> Any:
    """F6."""
    if named is not None:
        found = [definition for definition in versions if definition.version == named]
        return found[0] if found else None
    always = [definition for definition in versions if definition.valid_from is None]
    dated = [d for d in versions if d.valid_from is not None and d.valid_from <= created]
    if dated:
        newest = max(definition.valid_from for definition in dated)
        always = [definition for definition in dated if definition.valid_from == newest]
    return max(always, key=lambda definition: definition.version) if always else None


def status_of(blocks: dict[str, Document], definition: Any) -> tuple[str, str]:
    """The status and the block that decided it: the first of T1 to T6 that matches."""
    deciding = [block["deciding"] for block in blocks.values()]
    final = [r for r in deciding if r.get("final") and r["status"] in TERMINAL]
    if final:  # T1
        record = max(final, key=key)
        ends = {"succeeded": "delivered", "skipped": "delivered"}
        return ends.get(record["status"], record["status"]), record["block"]

    steps = list(definition.steps) if definition else []
    egress = [step for step in steps if step.stage == "egress"]
    if egress:  # T2
        last = ([step for step in egress if not step.optional] or egress)[-1]
        if last.block in blocks and blocks[last.block]["status"] == "succeeded":
            return "delivered", last.block
    else:  # T3
        outgoing = [record for record in deciding if record["stage"] == "egress"]
        if outgoing:
            record = max(outgoing, key=key)
            undone = [
                other
                for other in deciding
                if other["status"] in ("failed", "filtered")
                and other["occurred_at"] > record["occurred_at"]
            ]
            if record["status"] == "succeeded" and not undone:
                return "delivered", record["block"]

    filtered = [record for record in deciding if record["status"] == "filtered"]
    if filtered:  # T4
        return "filtered", max(filtered, key=key)["block"]

    step_of = {step.block: number for number, step in enumerate(steps)}
    standing = [
        record
        for record in deciding
        if record["status"] == "failed"
        and not any(beyond(other, record, step_of) for other in deciding)
    ]
    if standing:  # T5
        return "failed", max(standing, key=key)["block"]
    return "in_transit", max(deciding, key=key)["block"]  # T6, F4


def beyond(success: Document, failure: Document, step_of: dict[str, int]) -> bool:
    """T5."""
    if success["status"] != "succeeded" or success["occurred_at"] <= failure["occurred_at"]:
        return False
    if success["block"] in step_of and failure["block"] in step_of:
        return step_of[success["block"]] > step_of[failure["block"]]
    return True


def error_of(blocks: dict[str, Document], status: str, current: str) -> str | None:
    """F5."""
    failed = [name for name in blocks if blocks[name]["status"] == "failed"]
    if status == "failed":
        return current
    return max(failed, key=lambda name: key(blocks[name]["deciding"])) if failed else None


def error_fields(block: Document | None) -> Document:
    """F5: what the list shows of the error."""
    if block is None:
        return dict.fromkeys(("error_block", "error_type", "error_message", "error_record"))
    return {
        "error_block": block["block"],
        "error_type": block["error_type"],
        "error_message": cut(block["error_message"] or block["reason"], 500),
        "error_record": block["error_record"] or own_id(block["deciding"]),
    }


def out_of_order(steps: list[Any], blocks: dict[str, Document]) -> bool:
    """F7."""
    times = [
        blocks[step.block]["deciding"]["occurred_at"] for step in steps if step.block in blocks
    ]
    return any(later < earlier for i, earlier in enumerate(times) for later in times[i + 1 :])


def stage_state(stage: str, blocks: dict[str, Document], definition: Any, status: str) -> str:
    """P1."""
    stage_of = {name: block["stage"] for name, block in blocks.items()}
    for step in definition.steps if definition else ():
        stage_of[step.block] = step.stage
    here = [block for name, block in blocks.items() if stage_of[name] == stage]
    if status == "failed" and any(block["status"] == "failed" for block in here):
        return "failed"
    if status == "delivered":
        return "done"
    if not here:
        return "pending"
    if any(block["status"] in ("queued", "started", "failed") for block in here):
        return "active"
    if definition:
        expected = [s.block for s in definition.steps if s.stage == stage and not s.optional]
        complete = all(n in blocks and blocks[n]["status"] in PAST for n in expected)
        return "done" if complete else "active"
    later = STAGES[STAGES.index(stage) + 1 :]
    begun = any(block["stage"] in later for block in blocks.values())
    return "done" if status != "in_transit" or begun else "active"


def percent_of(status: str, done: int, expected: int, definition: Any) -> int | None:
    """P4."""
    if status == "delivered":
        return 100
    if not definition or not expected:
        return None
    return min(99, done * 100 // expected)


def milliseconds(span: timedelta) -> int:
    return span // timedelta(milliseconds=1)


def cut(text: str | None, most: int) -> str | None:
    return text if text is None else text[:most]
