"""A full hour in UTC, as a day and a choice of hours: what is chosen needs no minutes."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from typing import Any, Final

from django import forms
from unfold.widgets import UnfoldAdminDateWidget, UnfoldAdminSelectWidget

HOURS: Final = [(f"{hour:02}:00", f"{hour:02}:00 UTC") for hour in range(24)]


class HourWidget(forms.MultiWidget):
    template_name = "unfold/widgets/split_datetime.html"

    def __init__(self, attrs: dict[str, Any] | None = None) -> None:
        hours = UnfoldAdminSelectWidget(
            attrs={"aria-label": "Hour"}, choices=[("", "00:00 UTC"), *HOURS[1:]]
        )
        super().__init__([UnfoldAdminDateWidget(attrs={"placeholder": "Date"}), hours], attrs)

    def decompress(self, value: datetime | None) -> list[Any]:
        if value is None:
            return [None, ""]
        moment = value.astimezone(UTC)
        return [moment.date(), f"{moment:%H:%M}" if moment.hour else ""]


class HourField(forms.MultiValueField):
    """Without an hour the day's first one is meant."""

    widget = HourWidget

    def __init__(self, **kwargs: Any) -> None:
        fields = (forms.DateField(), forms.ChoiceField(choices=HOURS, required=False))
        super().__init__(fields, require_all_fields=False, **kwargs)

    def compress(self, data_list: list[Any]) -> datetime | None:
        if not data_list:
            return None
        day: date = data_list[0]
        return datetime.combine(day, time.fromisoformat(data_list[1] or "00:00"), tzinfo=UTC)
