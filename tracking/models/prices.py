"""The price list: what a unit of a resource costs, and when.

A change of price does not rewrite the past. Whatever is saved or deleted here passes the same
checks, in one database transaction, whoever calls: a price that has begun can only be ended at an
hour to come, and no moment has two prices of one resource and unit.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final, NoReturn

from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator
from django.db import models, transaction
from django.db.models import Q
from django_mongodb_backend.queryset import MongoQuerySet

from tracking import clock
from tracking import vocabulary as v
from tracking.models.access import Tenant
from tracking.models.base import UuidModel

HOUR: Final = timedelta(hours=1)
# What a price is, once it has begun; when it ends may still be said.
FIXED: Final = ("resource", "unit", "price", "currency", "valid_from")
_IN_BULK: Final = (
    "Prices are saved and deleted one by one, because each is held against the others: use the"
    " row's own save() or delete()."
)


def next_hour(moment: datetime) -> datetime:
    """The first full hour after `moment`."""
    return moment.replace(minute=0, second=0, microsecond=0) + HOUR


def hour_text(moment: datetime | None) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if moment else "further notice"


class RateQuerySet(MongoQuerySet):
    """Reads; what would write past the checks of a row is refused."""

    def _refuse(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise TypeError(_IN_BULK)

    update = bulk_create = bulk_update = delete = _refuse


class ResourceRate(UuidModel):
    """The price of one unit of a resource, from one full hour until another."""

    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="+")
    resource = models.CharField(max_length=v.RESOURCE_MAX)
    unit = models.CharField(max_length=v.UNIT_MAX)
    price = models.DecimalField(
        max_digits=sum(v.PRICE_DIGITS),
        decimal_places=v.PRICE_DIGITS[1],
        validators=[MinValueValidator(0)],
    )
    currency = models.CharField(max_length=3)
    valid_from = models.DateTimeField()
    valid_to = models.DateTimeField(null=True, blank=True)
    note = models.CharField(max_length=500, blank=True)
    created_at = models.DateTimeField(default=clock.now, editable=False)
    # Counts the changes to prices of this resource and unit. Unique, so that of two people who
    # change them at once, each of whom saw no overlap, only one is heard.
    revision = models.PositiveIntegerField(default=1, editable=False)

    objects = models.Manager.from_queryset(RateQuerySet, class_name="RateManager")()

    class Meta:
        db_table = "resource_rate"
        ordering = ("resource", "unit", "valid_from")
        verbose_name = "price"
        constraints = (
            models.UniqueConstraint(
                fields=("tenant", "resource", "unit", "valid_from"), name="resource_rate_begin"
            ),
            models.UniqueConstraint(
                fields=("tenant", "resource", "unit", "revision"), name="resource_rate_revision"
            ),
        )

    def __str__(self) -> str:
        return f"{self.text} of {self.resource} from {hour_text(self.valid_from)}"

    @property
    def text(self) -> str:
        """`0.05 EUR per s`."""
        return f"{self.price.normalize():f} {self.currency} per {self.unit}"

    def has_begun(self, moment: datetime) -> bool:
        return self.valid_from <= moment

    def has_ended(self, moment: datetime) -> bool:
        return self.valid_to is not None and self.valid_to <= moment

    # --- The only ways to change it --------------------------------------------------------

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Save what passes the checks; ValidationError says what does not, and the way out."""
        if kwargs.get("update_fields") is not None:
            kwargs["update_fields"] = {*kwargs["update_fields"], "revision"}
        with transaction.atomic():
            self.full_clean(validate_unique=False, validate_constraints=False)
            changes = self._line().order_by("-revision").values_list("revision", flat=True)
            self.revision = (changes.first() or 0) + 1
            super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        with transaction.atomic():
            stored = ResourceRate.objects.filter(pk=self.pk).first()
            if stored is not None and stored.has_begun(clock.now()):
                raise ValidationError(
                    f"This price has been in force since {hour_text(stored.valid_from)}, and the"
                    " past is not rewritten: end it at an hour to come instead. Only a price that"
                    " has not begun can be deleted."
                )
            return super().delete(*args, **kwargs)

    def follow(
        self, *, price: Decimal, currency: str, valid_from: datetime, note: str = ""
    ) -> ResourceRate:
        """End this price at `valid_from` and begin another there: both, or neither."""
        if valid_from <= self.valid_from:
            raise ValidationError(
                f"The price that it follows begins at {hour_text(self.valid_from)} itself: choose"
                " a later hour."
            )
        if self.valid_to is not None and valid_from >= self.valid_to:
            raise ValidationError(
                f"This price ends at {hour_text(self.valid_to)} already: add a price of its own"
                " from then on."
            )
        with transaction.atomic():
            ended = ResourceRate.objects.get(pk=self.pk)
            new = ResourceRate(
                tenant_id=ended.tenant_id,
                resource=ended.resource,
                unit=ended.unit,
                price=price,
                currency=currency,
                valid_from=valid_from,
                valid_to=ended.valid_to,
                note=note,
            )
            ended.valid_to = valid_from
            ended.save()
            new.save()
        return new

    # --- The checks ------------------------------------------------------------------------

    def clean(self) -> None:
        super().clean()
        if None in (self.tenant_id, self.price, self.valid_from):
            return  # said already of the field
        moment = clock.now()
        stored = None if self._state.adding else ResourceRate.objects.filter(pk=self.pk).first()
        if stored is not None and stored.tenant_id != self.tenant_id:
            raise ValidationError("A price belongs to its tenant for good: add one to the other.")
        if stored is not None and stored.has_begun(moment):
            self._check_begun(stored, moment)
            if stored.valid_to == self.valid_to:
                return
        self._check_words()
        self._check_period()
        self._check_neighbours()

    def validate_constraints(self, exclude: Any = None) -> None:
        """Nothing: `clean` says it in a sentence, and the database holds it up."""

    def _check_begun(self, stored: ResourceRate, moment: datetime) -> None:
        if any(getattr(stored, name) != getattr(self, name) for name in FIXED):
            raise ValidationError(begun_sentence(stored))
        if stored.valid_to == self.valid_to:
            return
        if stored.has_ended(moment):
            raise ValidationError(ended_sentence(stored))
        if self.valid_to is not None and self.valid_to <= moment:
            raise ValidationError(
                {
                    "valid_to": "A price that is in force ends at an hour to come:"
                    f" {hour_text(next_hour(moment))} is the next."
                }
            )

    def _check_words(self) -> None:
        for name in ("resource", "unit"):
            text = getattr(self, name)
            if text and not text.isprintable():
                raise ValidationError({name: "Only printable characters, as in records."})
        if self.currency not in v.CURRENCIES:
            raise ValidationError({"currency": "Must be a currency code of ISO 4217."})

    def _check_period(self) -> None:
        for name in ("valid_from", "valid_to"):
            moment = getattr(self, name)
            if moment is None:
                continue
            if moment.tzinfo is None:
                raise ValidationError({name: "The time needs a time zone."})
            if moment.astimezone(UTC) != moment.astimezone(UTC).replace(
                minute=0, second=0, microsecond=0
            ):
                raise ValidationError(
                    {
                        name: "Prices begin and end on the full hour, in UTC, because sums are kept"
                        " by the hour and must stay exact: 14:00 or 15:00, not 14:30."
                    }
                )
            if not v.TIME_MIN <= moment < v.TIME_END:
                raise ValidationError({name: f"Years {v.YEAR_MIN} to {v.YEAR_MAX}, as in records."})
        if self.valid_to is not None and self.valid_to <= self.valid_from:
            raise ValidationError(
                {"valid_to": f"It ends before it begins, at {hour_text(self.valid_from)}."}
            )

    def _check_neighbours(self) -> None:
        others = self._line().exclude(pk=self.pk)
        others = others.filter(Q(valid_to__isnull=True) | Q(valid_to__gt=self.valid_from))
        if self.valid_to is not None:
            others = others.filter(valid_from__lt=self.valid_to)
        other = others.order_by("valid_from").first()
        if other is not None:
            raise ValidationError(
                f"There is a price of {other.resource} per {other.unit} in that time already:"
                f" {other.text}, from {hour_text(other.valid_from)} until"
                f" {hour_text(other.valid_to)}. End that one where this one begins, or choose"
                " another time for this one."
            )

    def _line(self) -> Any:
        """All prices of this resource and unit."""
        return ResourceRate.objects.filter(
            tenant_id=self.tenant_id, resource=self.resource, unit=self.unit
        )


def ended_sentence(rate: ResourceRate) -> str:
    return (
        f"This price ended at {hour_text(rate.valid_to)}, and the past is not rewritten: add a new"
        " price instead."
    )


def begun_sentence(rate: ResourceRate) -> str:
    return (
        f"This price has been in force since {hour_text(rate.valid_from)}, and the past is not"
        " rewritten: it can only be ended at an hour to come. For another price use “New price from"
        " this”, which ends it and begins the new one there."
    )
