"""Each test begins with what migrating left, and with nothing else."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection

from tests.tools import make_tenant, post, record

CAPPED = "capped_of_flush"


def everything() -> dict[str, list[dict[str, Any]]]:
    names = connection.introspection.django_table_names(only_existing=True)
    return {name: list(connection.database[name].find()) for name in names}


def flush() -> None:
    call_command("flush", verbosity=0, interactive=False)


@pytest.mark.django_db(transaction=True)
def test_what_a_test_wrote_goes_and_what_it_changed_comes_back() -> None:
    before = everything()
    assert before["auth_permission"]
    make_tenant()
    assert post([record()]).count("stored") == 1
    permissions = connection.database["auth_permission"]
    permissions.delete_one({})
    permissions.insert_one({"_id": "new", "codename": "new"})
    permissions.update_one({"_id": {"$ne": "new"}}, {"$set": {"name": "Other"}})
    assert everything() != before
    flush()
    assert everything() == before


@pytest.mark.django_db(transaction=True)
def test_a_capped_collection_cannot_be_emptied_and_is_left() -> None:
    database = connection.database
    capped = database.create_collection(CAPPED, capped=True, size=4096)
    try:
        capped.insert_one({})
        connection.ops.execute_sql_flush([CAPPED, "system.views"])
        assert capped.count_documents({}) == 1
        connection.ops.execute_sql_flush([])
    finally:
        capped.drop()
