"""No verb of Django changes a fact or a derived document."""

from __future__ import annotations

import asyncio
import copy
import inspect
from typing import Any

import pytest
from django.core import serializers
from django.db import models
from django.db.models.deletion import Collector, ProtectedError
from django_mongodb_backend.queryset import MongoQuerySet

from tests.tools import drain, make_tenant, post, record
from tracking import clock
from tracking import models as m
from tracking.errors import ImmutableRecord
from tracking.models.immutable import MODEL_VERBS, QUERYSET_VERBS, Derived, Fact
from tracking.mongo.connection import collection
from tracking.verification.report import FULL, Report
from tracking.verification.runs import keep

pytestmark = pytest.mark.django_db(transaction=True)

FACTS = [
    m.AccessRecord,
    m.TransactionBlock,
    m.SealQueueEntry,
    m.LogSegment,
    m.LogCheckpoint,
    m.LogAnchor,
    m.AnchorAlert,
    m.VerificationRun,
]
DERIVED = [
    m.Transaction,
    m.TransactionProgress,
    m.TransactionBlockProgress,
    m.FlowBlock,
    m.Cursor,
    m.RefoldRequest,
    m.Rollup,
    m.RollupPart,
    m.Forecast,
]
MODELS = [*FACTS, *DERIVED]

# Looked at one by one: none of these writes to the database. A name that Django adds stands
# in neither list and fails a test, until somebody has looked at it too.
READING_QUERYSET = frozenset(
    """
    _add_hints _annotate _chain _check_bulk_create_options _check_operator_queryset
    _check_ordering_first_last_queryset_aggregation _clone _combinator_query _earliest
    _extract_model_params _fetch_all _filter_or_exclude _filter_or_exclude_inplace _has_filters
    _iterator _merge_known_related_objects _merge_sanity_check _next_is_sticky
    _not_support_combined_queries _prefetch_related_objects _prepare_for_bulk_create
    _validate_values_are_expressions _values aaggregate acontains acount aearliest aexists
    aexplain afirst aget aggregate ain_bulk aiterator alast alatest alias all annotate as_manager
    complex_filter contains count dates datetimes defer difference distinct earliest exclude
    exists explain extra filter first get in_bulk intersection iterator last latest none only
    order_by prefetch_related raw raw_aggregate resolve_expression reverse select_for_update
    select_related union using values values_list
    """.split()
)
READING_MODEL = frozenset(
    """
    _check_column_name_clashes _check_composite_pk _check_constraints _check_db_table_comment
    _check_default_pk _check_field_name_clashes _check_fields _check_id_field _check_indexes
    _check_local_fields _check_long_column_names _check_m2m_through_same_relationship
    _check_managers _check_model _check_model_name_db_lookup_clashes _check_ordering
    _check_property_name_related_field_accessor_clashes _check_single_primary_key
    _check_swappable _check_unique_together _get_FIELD_display _get_expr_references
    _get_field_expression_map _get_next_or_previous_by_FIELD _get_next_or_previous_in_order
    _get_pk_val _get_unique_checks _is_pk_set _parse_save_params _perform_date_checks
    _perform_unique_checks _prepare_related_fields_for_save _set_pk_val _validate_force_insert
    arefresh_from_db check clean clean_fields date_error_message from_db full_clean
    get_constraints get_deferred_fields prepare_database_save refresh_from_db
    serializable_value unique_error_message validate_constraints validate_unique
    """.split()
)
READING_MANAGER = frozenset(
    """
    _get_queryset_methods _queryset_class _set_creation_counter check contribute_to_class
    db_manager deconstruct from_queryset get_queryset
    """.split()
)
# Arguments for the verbs whose signature asks for some; None stands for "anything".
ARGUMENTS: dict[str, tuple[Any, ...]] = {
    "bulk_create": ([],),
    "abulk_create": ([],),
    "bulk_update": ([], ["lane"]),
    "abulk_update": ([], ["lane"]),
    "_batched_insert": ([], [], 1),
    "_insert": ([], []),
    "_update": ({},),
    "_raw_delete": ("default",),
    "_do_insert": (None, None, [], [], False),
    "_do_update": (None, None, None, [], [], False),
}


def methods(owner: type) -> set[str]:
    return {
        name
        for name in dir(owner)
        if callable(getattr(owner, name)) and not (name.startswith("__") and name.endswith("__"))
    }


def stored() -> dict[str, list[Any]]:
    """Every document of every fenced collection, as it lies in the database."""
    names = {model._meta.db_table for model in MODELS}
    return {name: list(collection(name).find().sort("_id", 1)) for name in sorted(names)}


@pytest.fixture
def world() -> dict[str, list[Any]]:
    """At least one document in each collection."""
    make_tenant()
    post([record(id="a-1", transaction="tx-1", stage="egress")])
    drain()
    post([record(id="a-2", transaction="tx-2")])
    collection("refold_request").insert_one(
        {"_id": "r", "tenant": "acme", "not_before": clock.now()}
    )
    collection("forecast").insert_one({"_id": "f", "tenant": "acme", "kind": "now"})
    collection("rollup_part").insert_one({"_id": "x/0", "transaction": "x", "text": "x"})
    place = {"kind": "file", "target": "file:x", "size": 1}
    collection("log_anchor").insert_one(
        {"_id": "file:x@1", "root": b"r", "anchored_at": clock.now(), **place}
    )
    collection("anchor_alert").insert_one({"_id": "file:x/late/1", "at": clock.now(), **place})
    keep(Report(FULL, clock.now()), "test")
    before = stored()
    assert all(before.values()), {name: len(rows) for name, rows in before.items()}
    return before


def refused(call: Any) -> None:
    """Calls it, and awaits it where it is a coroutine."""
    with pytest.raises(ImmutableRecord):
        result = call()
        if inspect.isawaitable(result):
            asyncio.run(_wait(result))


async def _wait(awaitable: Any) -> None:
    await awaitable


def test_every_method_of_a_queryset_either_reads_or_is_refused() -> None:
    assert methods(MongoQuerySet) - QUERYSET_VERBS == READING_QUERYSET


def test_every_method_of_a_model_either_reads_or_is_refused() -> None:
    assert methods(models.Model) - MODEL_VERBS == READING_MODEL


def test_a_manager_adds_no_verb_of_its_own() -> None:
    assert methods(models.Manager) - methods(MongoQuerySet) - {"_insert", "_update"} == (
        READING_MANAGER
    )


def test_what_django_marks_as_writing_is_refused() -> None:
    marked = {
        name
        for owner in (MongoQuerySet, models.QuerySet, models.Model)
        for name in dir(owner)
        if getattr(getattr(owner, name), "alters_data", False)
    }
    assert marked
    assert marked <= QUERYSET_VERBS | MODEL_VERBS


def test_every_model_of_a_fenced_collection_is_in_this_test() -> None:
    fenced = {model for model in _all_models() if issubclass(model, Fact | Derived)}
    assert fenced == set(MODELS)


def _all_models() -> list[type[models.Model]]:
    from django.apps import apps

    return list(apps.get_app_config("tracking").get_models())


def test_no_verb_of_a_queryset_or_manager_writes(world: dict[str, list[Any]]) -> None:
    for model in MODELS:
        owners = [
            model.objects,
            model._base_manager,
            model._default_manager,
            model.objects.all(),
            model.objects.filter(pk__isnull=False),
            model.objects.using("default"),
            model.objects.order_by(),
        ]
        for owner in owners:
            for verb in sorted(QUERYSET_VERBS):
                if verb.startswith("_") and not hasattr(owner, verb):
                    continue  # managers do not carry the private ones
                if not hasattr(owner, verb):
                    assert isinstance(owner, models.Manager)
                    continue  # nor delete(), which Django keeps off managers
                refused(lambda o=owner, v=verb: getattr(o, v)(*ARGUMENTS.get(v, ())))
    assert stored() == world


def test_update_and_delete_with_values_are_refused(world: dict[str, list[Any]]) -> None:
    for model in MODELS:
        field = next(f for f in model._meta.concrete_fields if not f.primary_key)
        refused(lambda m=model, f=field: m.objects.update(**{f.attname: None}))
        refused(lambda m=model: m.objects.filter(pk__isnull=False).delete())
        refused(lambda m=model: m.objects.create())
        refused(lambda m=model: m.objects.get_or_create(pk="new"))
        refused(lambda m=model: m.objects.update_or_create(pk="new"))
        refused(lambda m=model: m.objects.bulk_create([m()]))
    assert stored() == world


def rows(model: type[models.Model]) -> list[models.Model]:
    names = [f.attname for f in model._meta.concrete_fields]
    return [model(**row) for row in model.objects.values(*names)]


def test_no_verb_of_an_instance_writes(world: dict[str, list[Any]]) -> None:
    for model in MODELS:
        existing = rows(model)[0]
        existing._state.adding = False
        changed = copy.copy(existing)
        for field in model._meta.concrete_fields:
            if not field.primary_key and isinstance(field, models.CharField):
                setattr(changed, field.attname, "changed")
        for instance in (existing, changed, model(), model(pk="new")):
            for verb in sorted(MODEL_VERBS):
                refused(lambda i=instance, v=verb: getattr(i, v)(*ARGUMENTS.get(v, ())))
            refused(lambda i=instance: i.save(force_insert=True))
            refused(lambda i=instance: i.save(force_update=True))
            refused(lambda i=instance: i.save(update_fields=["pk"]))
    assert stored() == world


def test_djangos_own_save_and_delete_called_past_ours_are_refused(
    world: dict[str, list[Any]],
) -> None:
    for model in MODELS:
        instance = rows(model)[0]
        refused(lambda i=instance: models.Model.save(i))
        refused(lambda i=instance: models.Model.save_base(i, raw=True))
        refused(lambda i=instance: models.Model.delete(i))
        refused(lambda m=model: models.QuerySet.delete(m.objects.all()))
    assert stored() == world


def test_loaddata_is_refused(world: dict[str, list[Any]]) -> None:
    text = serializers.serialize("json", rows(m.Transaction))
    objects = list(serializers.deserialize("json", text))
    assert objects
    for each in objects:
        refused(each.save)
    assert stored() == world


def test_a_related_manager_is_refused(world: dict[str, list[Any]]) -> None:
    transaction = rows(m.Transaction)[0]
    blocks = transaction.block_progress
    assert blocks.count() == 1
    block = m.TransactionBlockProgress.objects.get()
    for call in (
        lambda: blocks.create(block="x"),
        lambda: blocks.acreate(block="x"),
        lambda: blocks.get_or_create(block="x"),
        lambda: blocks.aget_or_create(block="x"),
        lambda: blocks.update_or_create(block="x"),
        lambda: blocks.aupdate_or_create(block="x"),
        lambda: blocks.bulk_create([block]),
        lambda: blocks.update(block="x"),
        lambda: blocks.add(block),
        lambda: blocks.aadd(block),
        lambda: blocks.add(block, bulk=False),
        lambda: blocks.all().delete(),
    ):
        refused(call)
    assert stored() == world


def test_a_cascade_is_refused(world: dict[str, list[Any]]) -> None:
    for model in MODELS:
        collector = Collector(using="default", origin=model)
        collector.collect(rows(model))
        refused(collector.delete)
        fast = Collector(using="default", origin=model)
        assert not fast.can_fast_delete(model.objects.all())
    assert stored() == world


def test_a_tenant_with_records_cannot_be_deleted(world: dict[str, list[Any]]) -> None:
    with pytest.raises(ProtectedError):
        m.Tenant.objects.get(pk="acme").delete()
    with pytest.raises(ProtectedError):
        m.Tenant.objects.filter(pk="acme").delete()
    assert m.Tenant.objects.filter(pk="acme").exists()
    assert stored() == world


@pytest.mark.parametrize("stage", [{"$out": "journal"}, {"$merge": {"into": "journal"}}])
def test_an_aggregation_that_writes_is_refused(
    world: dict[str, list[Any]], stage: dict[str, Any]
) -> None:
    for model in MODELS:
        refused(lambda m=model: m.objects.raw_aggregate([{"$match": {}}, stage]))
    assert stored() == world


def test_reading_still_works(world: dict[str, list[Any]]) -> None:
    assert m.TransactionBlock.objects.filter(pk="acme/a-1").count() == 1
    assert m.Transaction.objects.get(pk="acme/tx-1").status == "delivered"
    assert list(m.TransactionBlock.objects.raw_aggregate([{"$match": {"_id": "acme/a-1"}}]))


def test_the_refusal_says_what_to_do_instead() -> None:
    with pytest.raises(ImmutableRecord, match="post a correction instead"):
        m.TransactionBlock().save()
    with pytest.raises(ImmutableRecord, match="rebuild"):
        m.Transaction().save()
