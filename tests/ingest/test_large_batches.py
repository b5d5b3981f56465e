"""Batches whose documents outgrow one command of MongoDB, though the post is within its limits."""

from __future__ import annotations

import bson
import pytest

from tests.tools import make_tenant, post, record
from tracking import clock
from tracking.errors import BadRequest
from tracking.ingest.accept import Producer, accept
from tracking.models import TransactionBlock
from tracking.mongo.connection import collection

pytestmark = pytest.mark.django_db(transaction=True)


def test_lists_of_digits_grow_beyond_a_command_and_are_stored() -> None:
    tenant = make_tenant("acme")
    digits = {f"n{place}": [place % 10] * 100 for place in range(100)}
    wires = [record(attributes=digits) for _ in range(300)]
    answer = post(wires, tenant)
    assert answer.count("stored") == 300
    assert len(answer.batches) > 1
    assert TransactionBlock.objects.count() == 300
    stored = collection("journal").find_one({})
    assert stored is not None
    assert 300 * len(bson.encode(stored)) > 16 * 1024 * 1024
    assert post(wires, tenant).count("duplicate") == 300


def test_an_atomic_post_beyond_what_mongodb_can_take_at_once_is_refused_whole() -> None:
    tenant = make_tenant("acme")
    digits = {f"n{place}": [place % 10] * 100 for place in range(100)}
    wires = [record(attributes=digits) for _ in range(300)]
    try:
        answer = accept(
            producer=Producer(tenant, "test"), values=wires, moment=clock.now(), atomic=True
        )
    except BadRequest as error:  # how much is too much depends on MongoDB's memory
        assert (error.status, error.code) == (413, "transaction_too_large")
        assert TransactionBlock.objects.count() == 0
    else:
        assert answer.count("stored") == TransactionBlock.objects.count() == 300


def test_a_large_batch_with_a_known_id_is_settled_like_a_small_one() -> None:
    tenant = make_tenant("acme")
    known = record()
    post([known], tenant)
    digits = {f"n{place}": [place % 10] * 100 for place in range(100)}
    wires = [record(attributes=digits) for _ in range(200)]
    answer = post([*wires[:100], known, *wires[100:]], tenant)
    assert (answer.count("stored"), answer.count("duplicate")) == (200, 1)
    assert TransactionBlock.objects.count() == 201
