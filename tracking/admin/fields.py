"""Form fields that several pages share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django import forms
from unfold.widgets import UnfoldAdminTextareaWidget


class LinesField(forms.CharField):
    """A list kept as JSON, edited one to a line; `read` says with ValueError what is wrong."""

    def __init__(
        self, read: Callable[[list[str]], list[str]], *, rows: int = 3, **options: Any
    ) -> None:
        super().__init__(
            required=False,
            max_length=20_000,
            widget=UnfoldAdminTextareaWidget(attrs={"rows": rows}),
            **options,
        )
        self._read = read

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(value) if isinstance(value, list) else value

    def to_python(self, value: Any) -> list[str]:
        try:
            return self._read((super().to_python(value) or "").splitlines())
        except ValueError as error:
            raise forms.ValidationError(f"{error}") from None

    def has_changed(self, initial: Any, data: Any) -> bool:
        return super().has_changed(self.prepare_value(initial), data)
