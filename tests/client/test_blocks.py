"""What `with` statements post, read back from the journal of the real server."""

from __future__ import annotations

import asyncio
import threading
import traceback
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.client.wires import journal, make_key, quick
from tracking import client as tracking_client
from tracking.client import Client
from tracking.core.record import default_transaction

pytestmark = pytest.mark.django_db(transaction=True)


class NoStock(Exception):
    """An exception of the program, with a code of its own."""

    code = "E-17"


@pytest.fixture
def client(live_server: Any) -> Any:
    with quick(live_server.url, make_key()) as made:
        yield made


def stored(client: Client) -> list[dict[str, Any]]:
    assert client.flush(10)
    return sorted(journal(), key=lambda one: (one["occurred_at"], one["index"]))


def pairs(part: list[dict[str, Any]], value: str = "value") -> dict[str, Any]:
    return {pair["name"]: pair[value] for pair in part}


def test_a_block_posts_that_it_started_and_succeeded(client: Client) -> None:
    with (
        client.track("o-1", "order", "orders", references={"customer": "c-9"}) as order,
        order.block("check", stage="ingress", attempt=2) as check,
    ):
        check.attribute("lines", 3)
        check.reference("invoice", ["i-1", "i-2"])
        check.usage("cpu", 1.5, "s")
        check.cost("0.10", "EUR")
        check.cost(0.2, "EUR")
    started, ended = stored(client)
    for one in (started, ended):
        assert (one["object_id"], one["object_type"], one["flow"]) == ("o-1", "order", "orders")
        assert (one["block"], one["stage"], one["attempt"]) == ("check", "ingress", 2)
        assert one["started_at"] == started["occurred_at"]
    assert (started["status"], ended["status"]) == ("started", "succeeded")
    assert ended["ended_at"] == ended["occurred_at"] >= ended["started_at"]
    part = ended["part"]
    assert pairs(part["attributes"]) == {"lines": 3}
    assert pairs(part["references"], "values") == {"customer": ["c-9"], "invoice": ["i-1", "i-2"]}
    assert part["usage"] == [{"resource": "cpu", "quantity": "1.5", "unit": "s"}]
    assert part["cost"] == {"amount": "0.30", "currency": "EUR"}
    assert client.stats()["delivered"] == 2


def test_an_exception_is_recorded_and_passes_through_unchanged(client: Client) -> None:
    raised = NoStock("none left")
    with (
        pytest.raises(NoStock) as caught,
        client.track("o-1", "order", "orders") as order,
        order.block("check"),
    ):
        raise raised
    assert caught.value is raised
    assert raised.__cause__ is raised.__context__ is None
    frames = [frame.name for frame in traceback.extract_tb(raised.__traceback__)]
    assert frames == ["test_an_exception_is_recorded_and_passes_through_unchanged"]
    _started, failed = stored(client)
    assert failed["status"] == "failed"
    exception = failed["part"]["exception"]
    assert exception["type"] == f"{__name__}.NoStock"
    assert (exception["message"], exception["code"]) == ("none left", "E-17")
    assert "test_blocks.py:" in exception["location"]
    assert "raise raised" in exception["stacktrace"]


def test_an_interrupt_is_recorded_and_passes_through_too(client: Client) -> None:
    with pytest.raises(KeyboardInterrupt), client.track("o-1", "order", "orders").block("check"):
        raise KeyboardInterrupt
    assert stored(client)[-1]["part"]["exception"]["type"] == "KeyboardInterrupt"


def test_an_exception_whose_text_cannot_be_had_is_recorded_all_the_same(client: Client) -> None:
    class Mute(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no text")

    with pytest.raises(Mute), client.track("o-1", "order", "orders").block("check"):
        raise Mute
    assert stored(client)[-1]["part"]["exception"]["type"].endswith("Mute")


def test_exception_texts_are_cut_to_their_limits(client: Client) -> None:
    def deep(number: int) -> None:
        if number == 0:
            raise ValueError("x\x1b[31m" + "é" * 50_000)
        deep(number - 1)

    with pytest.raises(ValueError), client.track("o-1", "order", "orders").block("check"):
        deep(300)
    exception = stored(client)[-1]["part"]["exception"]
    assert exception["message"].startswith("x\\x1b[31méé")
    assert len(exception["message"]) == 4_000
    assert len(exception["stacktrace"]) <= 32_000
    assert "ValueError" in exception["stacktrace"]


def test_skip_filter_and_fail_say_how_a_block_ended(client: Client) -> None:
    order = client.track("o-1", "order", "orders")
    with order.block("a", started=False) as block:
        block.skip("nothing to do")
    with order.block("b", started=False) as block:
        block.filter("a test order")
    with order.block("c", started=False) as block:
        block.filter()
    with order.block("d", started=False) as block:
        block.fail("the bank said no")
    found = {one["block"]: (one["status"], one["part"]["reason"]) for one in stored(client)}
    assert found == {
        "a": ("skipped", "nothing to do"),
        "b": ("filtered", "a test order"),
        "c": ("filtered", "filtered"),
        "d": ("failed", "the bank said no"),
    }


def test_a_final_block_is_final_when_it_ends(client: Client) -> None:
    with client.track("o-1", "order", "orders").block("send", stage="egress", final=True):
        pass
    assert [one.get("final") for one in stored(client)] == [None, True]


def test_a_queue_whose_clock_runs_ahead_costs_no_record(client: Client) -> None:
    ahead = datetime.now(UTC) + timedelta(hours=1)
    past = datetime.now(UTC) - timedelta(hours=1)
    order = client.track("o-1", "order", "orders")
    with order.block("a", queued_at=ahead, started=False), order.block("b", queued_at=past):
        pass
    found = {one["block"]: one for one in stored(client)}
    assert found["a"]["queued_at"] == found["a"]["started_at"]
    assert found["b"]["started_at"] - found["b"]["queued_at"] >= timedelta(minutes=59)


def test_the_transaction_is_the_one_that_the_server_derives(client: Client) -> None:
    order = client.track(4711, "order", "orders")
    with order.block("check") as check:
        assert check.transaction == order.transaction
    assert order.transaction == default_transaction("orders", "order", "4711")
    with client.track("p-1", "parcel", "parcels", parents=[order.transaction]).block("pack"):
        pass
    found = stored(client)
    assert found[0]["transaction"] == order.transaction
    assert found[-1]["parents"] == [order.transaction]


def test_nested_blocks_fail_from_the_inside_out(client: Client) -> None:
    order = client.track("o-1", "order", "orders")
    with pytest.raises(NoStock), order.block("outer"), order.block("inner"):
        raise NoStock("none")
    assert [(one["block"], one["status"]) for one in stored(client)][-2:] == [
        ("inner", "failed"),
        ("outer", "failed"),
    ]


def test_the_current_block_is_that_of_the_thread_and_of_the_task(client: Client) -> None:
    async def step(name: str) -> None:
        with client.track(name, "order", "orders").block("check", started=False):
            await asyncio.sleep(0.01)
            tracking_client.current().attribute("me", name)
            await asyncio.sleep(0.01)

    async def both() -> None:
        await asyncio.gather(*(step(f"task-{number}") for number in range(5)))

    def in_thread(name: str) -> None:
        with client.track(name, "order", "orders").block("check", started=False):
            tracking_client.current().attribute("me", name)

    threads = [threading.Thread(target=in_thread, args=(f"thread-{n}",)) for n in range(5)]
    with client.track("main", "order", "orders").block("check", started=False):
        for thread in threads:
            thread.start()
        asyncio.run(both())
        for thread in threads:
            thread.join()
        tracking_client.current().attribute("me", "main")
    tracking_client.current().attribute("nobody", 1)
    found = stored(client)
    assert len(found) == 11
    for one in found:
        assert pairs(one["part"]["attributes"]) == {"me": one["object_id"]}


def test_what_is_recorded_is_fixed_when_it_is_recorded(client: Client) -> None:
    lines = ["a"]
    attributes: dict[str, Any] = {"lines": lines}
    client.record(
        object_id="o-1",
        object_type="order",
        flow="orders",
        block="check",
        stage="ingress",
        status="succeeded",
        attributes=attributes,
    )
    lines.append("b")
    attributes["more"] = 1
    assert pairs(stored(client)[0]["part"]["attributes"]) == {"lines": ["a"]}


def test_a_track_is_fixed_when_it_is_made_and_a_block_with_each_of_its_records(
    client: Client,
) -> None:
    customers, lines = ["c-1"], ["a"]
    given = {"customer": customers}
    payload = {"content": "in"}
    order = client.track("o-1", "order", "orders", references=given)
    customers.append("c-2")
    given["more"] = ["x"]
    with order.block("check", payload=payload) as check:
        check.attribute("lines", lines)
        lines.append("b")
        payload["content"] = "out"
    lines.append("c")
    check.attribute("late", 1)
    payload["content"] = "late"
    started, ended = (one["part"] for one in stored(client))
    for part in (started, ended):
        assert pairs(part["references"], "values") == {"customer": ["c-1"]}
    assert (started["payload"]["content"], ended["payload"]["content"]) == ("in", "out")
    assert pairs(ended["attributes"]) == {"lines": ["a", "b"]}


def test_attributes_and_references_of_track_and_block_are_joined(client: Client) -> None:
    order = client.track("o-1", "order", "orders", attributes={"a": 1, "b": 1})
    with order.block("check", attributes={"b": 2, "c": 2}) as check:
        check.attribute("c", 3)
        check.reference("invoice", "i-1")
    with order.block("pack", started=False):
        pass
    started, ended, other = (one["part"] for one in stored(client))
    assert pairs(started["attributes"]) == {"a": 1, "b": 2, "c": 2}
    assert pairs(ended["attributes"]) == {"a": 1, "b": 2, "c": 3}
    assert pairs(ended["references"], "values") == {"invoice": ["i-1"]}
    assert pairs(other["attributes"]) == {"a": 1, "b": 1}


def test_a_block_entered_again_leaves_what_it_recorded_alone(client: Client) -> None:
    check = client.track("o-1", "order", "orders").block("check")
    with check:
        check.attribute("lines", 1)
    asyncio.run(asyncio.sleep(0.005))
    with check:
        check.attribute("lines", 2)
        check.skip()
    found = stored(client)
    assert [one["status"] for one in found] == ["started", "succeeded", "started", "skipped"]
    assert found[0]["started_at"] == found[1]["started_at"] < found[2]["started_at"]
    lines = [pairs(one.get("part", {}).get("attributes", [])).get("lines") for one in found]
    assert lines == [None, 1, 1, 2]
