"""The first fence: models whose documents nobody changes through Django.

The refused verbs are read off Django itself: every method of QuerySet and Model that Django
marks with `alters_data`, and a list of those it leaves unmarked. A verb which a new release
brings fails a test until it stands on one side or the other (tests/models/test_immutable.py).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from django.db import models
from django.db.models.signals import class_prepared, pre_delete
from django_mongodb_backend.queryset import MongoQuerySet

from tracking.errors import ImmutableRecord

# Verbs that Django does not mark: the async twins and the ones built on the marked ones.
_UNMARKED_QUERYSET_VERBS = frozenset(
    """
    create acreate bulk_create abulk_create bulk_update abulk_update get_or_create
    aget_or_create update_or_create aupdate_or_create delete adelete update aupdate
    _update _raw_delete _insert _batched_insert
    """.split()
)
# The last ones are where loaddata arrives, which calls Model.save_base past our own.
_UNMARKED_MODEL_VERBS = frozenset(
    """
    save asave save_base delete adelete _do_insert _do_update _save_table _save_parents
    """.split()
)
_WRITING_STAGES = frozenset(("$out", "$merge"))


def writing_verbs(owner: type, unmarked: frozenset[str]) -> frozenset[str]:
    """The names of all methods of `owner` that write."""
    marked = {name for name in dir(owner) if getattr(getattr(owner, name), "alters_data", False)}
    return frozenset(marked | {name for name in unmarked if hasattr(owner, name)})


QUERYSET_VERBS = writing_verbs(MongoQuerySet, _UNMARKED_QUERYSET_VERBS)
MODEL_VERBS = writing_verbs(models.Model, _UNMARKED_MODEL_VERBS)


def _refusal(name: str, sentence: str) -> Callable[..., NoReturn]:
    def refuse(self: object, *args: Any, **kwargs: Any) -> NoReturn:
        raise ImmutableRecord(sentence)

    refuse.__name__ = name
    refuse.alters_data = True  # type: ignore[attr-defined]
    return refuse


def read_only(sentence: str) -> tuple[type[models.Model], type[models.Manager]]:
    """An abstract model and its manager whose every writing verb raises with `sentence`."""

    class ReadOnlyQuerySet(MongoQuerySet):
        def raw_aggregate(
            self, pipeline: Sequence[dict[str, Any]], *args: Any, **kwargs: Any
        ) -> Any:
            if any(stage.keys() & _WRITING_STAGES for stage in pipeline):
                raise ImmutableRecord(sentence)
            return super().raw_aggregate(pipeline, *args, **kwargs)

    for name in QUERYSET_VERBS:
        setattr(ReadOnlyQuerySet, name, _refusal(name, sentence))
    manager_class = models.Manager.from_queryset(ReadOnlyQuerySet, class_name="ReadOnlyManager")

    class ReadOnly(models.Model):
        objects = manager_class()

        class Meta:
            abstract = True
            base_manager_name = "objects"

    for name in MODEL_VERBS:
        setattr(ReadOnly, name, _refusal(name, sentence))

    def refuse_delete(**_: Any) -> NoReturn:
        raise ImmutableRecord(sentence)

    def watch(sender: type[models.Model], **_: Any) -> None:
        # Cascades delete through Django's Collector, which asks neither model nor manager;
        # with somebody listening it must announce each model first.
        if issubclass(sender, ReadOnly):
            pre_delete.connect(refuse_delete, sender=sender, weak=False)

    class_prepared.connect(watch, weak=False)
    return ReadOnly, manager_class


Fact, FactManager = read_only(
    "A recorded block cannot change or be removed; post a correction instead."
)
Derived, DerivedManager = read_only(
    "Derived documents are written by the follower from the journal; post a record, or run"
    " `manage.py rebuild`."
)
