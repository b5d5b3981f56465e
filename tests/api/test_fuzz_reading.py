"""Whatever is asked for: an answer or a refusal, never a fault of ours."""

from __future__ import annotations

import json
from urllib.parse import quote, urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.api.http import assert_problem, get, make_key
from tests.tools import drain, post, record
from tracking.api.filters import PARAMETERS

pytestmark = pytest.mark.django_db(transaction=True)

LIST = "/api/v1/transactions"
VALUES = (
    st.text(max_size=30)
    | st.text(alphabet="\0\x1b\u202e\uffff\U0010ffff$.{}[]*^:/%\\\"'é", max_size=8)
    | st.integers().map(str)
    | st.datetimes().map(str)
    | st.sampled_from(
        ['{"$ne":1}', "null", "true", "NaN", "1e400", "2026-01-31T10:00:00Z", "failed", "started"]
    )
)
NAMES = st.sampled_from([*PARAMETERS, "cursor", "page_size"])


def assert_answered(response: object) -> None:
    body = json.loads(response.content)  # type: ignore[attr-defined]
    if response.status_code != 200:  # type: ignore[attr-defined]
        assert response.status_code in (400, 404)  # type: ignore[attr-defined]
        assert_problem(response, response.status_code, body["code"])  # type: ignore[arg-type,attr-defined]


def test_random_parameters_never_fail_the_server() -> None:
    key = make_key()
    post([record(), record(status="failed", reason="no")])
    drain()

    @settings(deadline=None, derandomize=True, max_examples=200)
    @given(st.dictionaries(NAMES, VALUES, max_size=3))
    def run(query: dict[str, str]) -> None:
        assert_answered(get(f"{LIST}?{urlencode(query)}", key))

    run()


def test_random_paths_never_fail_the_server() -> None:
    key = make_key()

    @settings(deadline=None, derandomize=True, max_examples=100)
    @given(st.binary(max_size=12), st.sampled_from(["", "/lifetime", "/blocks", "/lineage"]))
    def run(name: bytes, page: str) -> None:
        assert_answered(get(f"{LIST}/{quote(name, safe='')}{page}", key))
        assert_answered(get(f"/api/v1/blocks/{quote(b'x' + name, safe='')}", key))

    run()
