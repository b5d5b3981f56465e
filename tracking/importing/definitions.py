"""Flow definitions that a mapping brings along: read, and created where they are missing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from django.db import IntegrityError, transaction

from tracking import vocabulary as v
from tracking.importing import checks
from tracking.importing.checks import Raw
from tracking.importing.problems import MappingError
from tracking.models import FlowDefinition, FlowStep

_DEFINITION: Final = ("flow", "version", "patience", "deadline", "note", "steps")
_STEP: Final = ("block", "stage", "optional", "due")
_MINUTE: Final = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class StepRules:
    block: str
    stage: str
    optional: bool = False
    due: timedelta | None = None


@dataclass(frozen=True, slots=True)
class DefinitionRules:
    """One version of a flow, with its expected steps in order."""

    flow: str
    steps: tuple[StepRules, ...]
    version: str = "1"
    patience: timedelta = v.PATIENCE_DEFAULT
    deadline: timedelta | None = None
    note: str = ""


def definition_rules(raw: Raw, key: str) -> DefinitionRules:
    checks.check_keys(raw, _DEFINITION, key)
    given = raw.get("steps")
    if not isinstance(given, list) or not given:
        raise MappingError(f"{key}.steps", "is required: a list of { block, stage }.")
    steps = tuple(_step(step, f"{key}.steps[{i}]") for i, step in enumerate(given))
    blocks = [step.block for step in steps]
    for block in blocks:
        if blocks.count(block) > 1:
            raise MappingError(f"{key}.steps", f"names the block {block!r} twice.")
    return DefinitionRules(
        flow=checks.text(raw, "flow", key, None, v.NAME_MAX),
        steps=steps,
        version=checks.text(raw, "version", key, "1", v.NAME_MAX),
        patience=checks.minutes(raw, "patience", key) or v.PATIENCE_DEFAULT,
        deadline=checks.minutes(raw, "deadline", key),
        note=checks.text(raw, "note", key, "", 500),
    )


def _step(raw: Any, key: str) -> StepRules:
    if not isinstance(raw, dict):
        raise MappingError(key, 'must be a table such as { block = "pay", stage = "processing" }.')
    checks.check_keys(raw, _STEP, key)
    return StepRules(
        checks.text(raw, "block", key, None, v.NAME_MAX),
        checks.word(raw, "stage", key, v.STAGES, None),
        checks.flag(raw, "optional", key, False),
        checks.minutes(raw, "due", key),
    )


def create_missing(tenant: str, wanted: Sequence[DefinitionRules]) -> list[FlowDefinition]:
    """Create those whose flow the tenant has no definition of at all; what is there stays.

    Somebody who edited or replaced a definition meant it: a second import must not bring
    the first one back.
    """
    created = []
    for rules in wanted:
        if FlowDefinition.objects.filter(tenant_id=tenant, flow=rules.flow).exists():
            continue
        try:
            created.append(_create(tenant, rules))
        except IntegrityError:
            continue  # another import was faster by a moment
    return created


def _create(tenant: str, rules: DefinitionRules) -> FlowDefinition:
    with transaction.atomic():
        definition = FlowDefinition.objects.create(
            tenant_id=tenant,
            flow=rules.flow,
            version=rules.version,
            patience_minutes=rules.patience // _MINUTE,
            deadline_minutes=rules.deadline // _MINUTE if rules.deadline else None,
            note=rules.note,
        )
        FlowStep.objects.bulk_create(
            FlowStep(
                definition=definition,
                position=position,
                block=step.block,
                stage=step.stage,
                optional=step.optional,
                due_minutes=step.due // _MINUTE if step.due else None,
            )
            for position, step in enumerate(rules.steps)
        )
    return definition
