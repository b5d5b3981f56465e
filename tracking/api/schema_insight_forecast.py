"""The forecast in OpenAPI terms."""

from __future__ import annotations

from typing import Final

from tracking.api.schema_insights import AS_OF, COUNT, SHARE, TEXT, TIME, array, every, or_null
from tracking.api.schema_record import Schema
from tracking.insights.forecasts.reading import BOUNDS, WAITING
from tracking.insights.forecasts.series import MEASURES
from tracking.insights.forecasts.verdicts import VERDICTS

_DECIMAL: Final[Schema] = {"type": "string", "pattern": r"^-?\d+(\.\d+)?$"}
_NUMBER: Final[Schema] = {"type": "number", "nullable": True}
_AMOUNTS: Final[Schema] = dict.fromkeys(("expected", *BOUNDS), _DECIMAL)
_SPAN: Final[Schema] = {
    "span": {"type": "string", "enum": ["day", "week", "month"]},
    "from": TIME,
    "to": TIME,
    **_AMOUNTS,
}
_COVERAGE: Final[Schema] = every(
    {"80": SHARE, "95": SHARE}, description="The share of what came that the intervals held."
)

FORECAST: Final[Schema] = every(
    {
        "tenant": TEXT,
        "flow": or_null(TEXT),
        "measure": {"type": "string", "enum": list(MEASURES)},
        "step": {"type": "string", "enum": ["1h", "1d"]},
        "verdict": {"type": "string", "enum": [*VERDICTS, WAITING]},
        "reason": {**TEXT, "description": "The verdict in a sentence."},
        "made_at": or_null(TIME),
        "method": or_null(TEXT),
        "mase": {**_NUMBER, "description": "In the back-test, of the week ahead."},
        "coverage": _COVERAGE,
        "origins": {**COUNT, "description": "Moments of the past that it was tested at."},
        "fit_seconds": _NUMBER,
        "yardsticks": array(
            every(
                {
                    "name": TEXT,
                    "ratio": {**_NUMBER, "description": "Its errors in those of the yardstick."},
                    "chance": {**_NUMBER, "description": "How likely by chance."},
                }
            )
        ),
        "track_record": or_null(
            every(
                {
                    "forecasts": COUNT,
                    "steps": COUNT,
                    "mase": _NUMBER,
                    "coverage": _COVERAGE,
                },
                description="Of forecasts that were made, as far as their week is over.",
            )
        ),
        "steps": array(
            every(
                {
                    "from": TIME,
                    "to": TIME,
                    "expected": {"type": "number"},
                    **dict.fromkeys(BOUNDS, _NUMBER),
                    "actual": or_null(COUNT),
                }
            )
        ),
        "seen": array(
            every(
                {
                    "from": TIME,
                    "to": TIME,
                    "actual": or_null(COUNT),
                    "expected": {**_NUMBER, "description": "As last told before the step."},
                    **dict.fromkeys(BOUNDS, _NUMBER),
                }
            )
        ),
        "needs_reason": TEXT,
        "needs": array(
            every(
                {
                    "what": {
                        "type": "string",
                        "enum": ["records", "storage", "resource", "posted"],
                    },
                    "resource_name": or_null(TEXT),
                    "consumed_unit": or_null(TEXT),
                    "billing_currency": or_null(TEXT),
                    "list_unit_price": or_null(_DECIMAL),
                    "lately": {**_DECIMAL, "description": "In the last four weeks."},
                    "by_span": array(every({**_SPAN, "billed_cost": or_null(every(_AMOUNTS))})),
                }
            )
        ),
        "costs": array(every({"billing_currency": TEXT, "by_span": array(every(_SPAN))})),
        "as_of": AS_OF,
    }
)
