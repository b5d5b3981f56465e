from __future__ import annotations

from types import SimpleNamespace

import pytest
from django.db import models

from tracking.mongo.checks import PROJECT_APP, check_primary_keys, check_replica_set

from .shelf import Shelf


class Numbered(models.Model):
    number = models.CharField(primary_key=True, max_length=10)

    class Meta:
        app_label = "shelf_tests"


def app_of(*models_: type[models.Model], label: str = PROJECT_APP) -> SimpleNamespace:
    return SimpleNamespace(label=label, get_models=lambda **_: models_)


def test_a_primary_key_outside_of_the_document_key_is_refused() -> None:
    (error,) = check_primary_keys([app_of(Shelf, Numbered)])
    assert error.id == "dft.E001"
    assert error.obj is Numbered


def test_models_of_other_apps_are_their_own_business() -> None:
    assert check_primary_keys([app_of(Numbered, label="sessions")]) == []


@pytest.mark.django_db
def test_the_test_server_can_do_transactions() -> None:
    assert check_replica_set(["default"]) == []
