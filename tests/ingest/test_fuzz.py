"""Whatever JSON is posted: an answer of ours, never a fault of ours."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.api.http import JSON, NDJSON, assert_problem, make_key, post_body
from tests.tools import record
from tracking.clock import now
from tracking.core.record import Record, read_record

pytestmark = pytest.mark.django_db(transaction=True)

FIELDS = (
    sorted(record(attempt=1))
    + """
    flow_version transaction queued_at started_at ended_at reason exception attributes references
    parents usage cost payload subject corrects final
""".split()
)
NAMES = st.sampled_from([*FIELDS, "type", "message", "amount", "resource", "content", "$ne", "a.b"])
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(min_value=-(10**30), max_value=10**30)
    | st.floats()
    | st.text(max_size=20)
    | st.text(alphabet="\0\ud800\udfff\x1b\u202e\ufffeé{}$./~", max_size=5)
    | st.sampled_from(["succeeded", "ingress", "2026-01-31T10:00:00Z", "EUR", "1.5"])
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(NAMES | st.text(max_size=5), inner, max_size=5)
    ),
    max_leaves=15,
)
RECORDS = st.dictionaries(st.sampled_from(FIELDS), VALUES, max_size=6).map(
    lambda fields: {**record(), **fields}
)


def assert_answered(response: object) -> None:
    status = response.status_code  # type: ignore[attr-defined]
    if status in (200, 201, 207, 422):
        json.loads(response.content)  # type: ignore[attr-defined]
    else:
        assert status in (400, 413, 415)
        code = json.loads(response.content)["code"]  # type: ignore[attr-defined]
        assert_problem(response, status, code)  # type: ignore[arg-type]


SETTINGS = settings(
    deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def test_random_values_never_fail_the_server() -> None:
    key = make_key()

    @SETTINGS
    @given(
        st.one_of(VALUES, st.lists(RECORDS | VALUES, max_size=4)), st.sampled_from([JSON, NDJSON])
    )
    def run(value: object, content_type: str) -> None:
        assert_answered(post_body(json.dumps(value), key, content_type=content_type))

    run()


def test_random_bytes_never_fail_the_server() -> None:
    key = make_key()

    @SETTINGS
    @given(st.binary(max_size=60), st.sampled_from([JSON, NDJSON]))
    def run(body: bytes, content_type: str) -> None:
        assert_answered(post_body(body, key, content_type=content_type))

    run()


@settings(deadline=None, max_examples=400, derandomize=True)
@given(RECORDS)
def test_reading_a_record_never_raises(wire: object) -> None:
    found = read_record(wire, now=now())
    assert isinstance(found, Record) or found
