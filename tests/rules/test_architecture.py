"""The rooms of the house: who may import whom, who reads the clock, who changes documents."""

from __future__ import annotations

import ast
import functools
import re
import sys
from collections.abc import Iterator

import pytest
from django.apps import apps
from django.core.management import call_command

from tests.rules.sources import ROOT, imports, modules, room_of, rooms_imported
from tracking.models.immutable import MODEL_VERBS, QUERYSET_VERBS, Fact

# Imports point strictly down: from a room to one of a lower number.
LEVELS = {
    "vocabulary": 0,
    "clock": 0,
    "errors": 0,
    "core": 10,
    "mongo": 20,
    "models": 30,
    "metering": 30,
    "access": 35,
    "signing": 35,
    "ingest": 40,
    "projection": 40,
    "ledger": 40,
    "anchoring": 40,
    "verification": 40,
    "insights": 40,
    "search": 40,
    "importing": 40,
    "simulation": 40,
    "sso": 40,
    "evidence": 45,
    "audit": 45,
    "sign_in": 45,
    "api": 50,
    "admin": 50,
    "running": 50,
    "management": 50,
    "apps": 60,  # Django's entry point, which wires what lies below it
    "dft_project": 70,
    "bench": 80,  # measures the product as a whole, its settings included
}
# Rooms that import nothing of ours and that nothing that runs of ours imports.
APART = {"client": "copied into services, which have neither Django nor the rest of this project"}
# Of a level, and still allowed to import one another: the reason why.
NEIGHBOURS = {
    ("management", "running"): "the commands `up` and `prepare` are how it is used",
    ("bench", "client"): "it measures what recording costs a service",
}

CLOCKS = {
    "datetime": {"now", "utcnow", "today"},
    "date": {"today"},
    "time": {"time", "time_ns", "localtime", "gmtime", "ctime"},
    "timezone": {"now", "localtime", "localdate"},
}
CLOCK_READERS = {
    "tracking/clock.py": "is the clock",
    "tracking/client/": "stands alone, without our clock",
}

# PyMongo's verbs that change or remove what is there, and where they may stand.
CHANGING = frozenset(
    """
    update_one update_many replace_one delete_one delete_many find_one_and_update
    find_one_and_replace find_one_and_delete bulk_write drop_collection drop_database
    UpdateOne UpdateMany ReplaceOne DeleteOne DeleteMany
    """.split()
)
CHANGERS = {
    "tracking/access/second_factor.py": "uses up each code once",
    "tracking/sign_in/lockout.py": "counts failed tries",
    "tracking/ledger/sealer.py": "takes sealed batches out of the seal queue",
    "tracking/projection/follower.py": "moves its cursor",
    "tracking/projection/store.py": "writes what is derived",
    "tracking/insights/forecasts/store.py": "replaces forecasts, and drops what is too old",
    "tracking/projection/rollups.py": "adds to cells, and removes the empty",
    "tracking/mongo/engine/operations.py": "empties a test database between tests",
}


# Of a record and of a transaction, what only some may read; and the modules of the surfaces that
# have it in hand: what keeps it from being shown.
MASKABLE = frozenset(("part", "salt", "attributes", "references", "payload", "subject"))
READERS = {
    "tracking/api/shapes.py": "shapes what a Masking has passed",
    "tracking/api/lifetime.py": "takes reason and exception, which everybody reads",
    "tracking/admin/raw.py": "passes each document through a Masking first",
    "tracking/admin/accesses.py": "for who reads what is masked alone; leaves the salt out",
    "tracking/admin/lifetime_parts.py": "passes what it reads through a Masking first",
    "tracking/admin/journal.py": "leaves them out of the list",
    "tracking/admin/transactions.py": "leaves them out of the lists",
    "tracking/api/schema_record.py": "describes them",
    "tracking/api/schema_answers.py": "describes them",
    "tracking/api/schema_otlp.py": "describes an event, whose subject is something else",
}


def places(wanted: set[str] | frozenset[str], tree: ast.Module) -> Iterator[tuple[str, int]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in wanted:
            yield node.attr, node.lineno
        elif isinstance(node, ast.Name) and node.id in wanted:
            yield node.id, node.lineno


def test_every_room_has_its_level() -> None:
    rooms = {room_of(path) for path in modules()} - {"__init__"}
    assert rooms <= LEVELS.keys() | APART.keys(), "a new room needs its place in the house"


def test_imports_point_strictly_down() -> None:
    wrong = []
    used = set()
    for path, tree in modules().items():
        room = room_of(path)
        for other, line in rooms_imported(path, tree):
            if other == "__init__":
                continue
            if (room, other) in NEIGHBOURS:
                used.add((room, other))
            elif room in APART or other in APART or LEVELS[other] >= LEVELS[room]:
                wrong.append(f"{path}:{line} {room} imports {other}")
    assert not wrong
    assert used == NEIGHBOURS.keys(), "an exemption that nobody needs any more"


def test_the_verifier_shares_nothing_with_what_it_judges() -> None:
    allowed = {
        "verification",
        "core",
        "mongo",
        "models",
        "signing",
        "vocabulary",
        "clock",
        "errors",
    }
    rooms = {
        other
        for path, tree in modules().items()
        if room_of(path) == "verification"
        for other, _line in rooms_imported(path, tree)
    }
    assert "core" in rooms
    assert rooms - {"__init__", "verification"} <= allowed


def test_the_rules_see_relative_imports() -> None:
    tree = ast.parse(
        "from .mongod import x\nfrom ..models import TransactionBlock\nfrom .. import api"
    )
    found = {room for room, _line in rooms_imported("tracking/mongo/embedded.py", tree)}
    assert found == {"models", "api"}


def test_core_needs_neither_django_nor_a_database() -> None:
    wrong = [
        f"{path}:{line} {name}"
        for path, tree in modules().items()
        if room_of(path) in ("core", "vocabulary", "clock", "errors")
        for name, line in imports(path, tree)
        if name.split(".")[0] in ("django", "pymongo", "bson", "rest_framework")
    ]
    assert not wrong


def test_the_client_needs_the_standard_library_alone() -> None:
    wrong = [
        f"{path}:{line} {name}"
        for path, tree in modules().items()
        if room_of(path) in APART
        for name, line in imports(path, tree)
        if name.split(".")[0] not in sys.stdlib_module_names
        and not name.startswith(f"tracking.{room_of(path)}")
    ]
    assert not wrong


def test_only_the_clock_reads_the_system_clock() -> None:
    wrong = []
    used = set()
    for path, tree in modules().items():
        for node in ast.walk(tree):
            if not isinstance(node, ast.Attribute) or not isinstance(node.value, ast.Name):
                continue
            if node.attr not in CLOCKS.get(node.value.id, ()):
                continue
            exempt = [prefix for prefix in CLOCK_READERS if path.startswith(prefix)]
            used.update(exempt)
            if not exempt:
                wrong.append(f"{path}:{node.lineno} {node.value.id}.{node.attr}")
        for name, line in imports(path, tree):
            if name in ("time.time", "time.time_ns", "django.utils.timezone.now"):
                wrong.append(f"{path}:{line} {name}")
    assert not wrong
    assert used == CLOCK_READERS.keys(), "an exemption that nobody needs any more"


def test_documents_are_changed_only_where_it_is_said() -> None:
    wrong = []
    used = set()
    for path, tree in modules().items():
        if room_of(path) == "bench":  # works on databases of its own
            continue
        for verb, line in places(CHANGING, tree):
            if path in CHANGERS:
                used.add(path)
            else:
                wrong.append(f"{path}:{line} {verb}")
    assert not wrong
    assert used == CHANGERS.keys(), "an exemption that nobody needs any more"


def test_what_may_be_masked_is_read_only_where_it_is_said() -> None:
    wrong = []
    used = set()
    for path, tree in modules().items():
        if room_of(path) not in ("api", "admin", "search"):
            continue
        for node in ast.walk(tree):
            name = (
                node.attr
                if isinstance(node, ast.Attribute)
                else node.value
                if isinstance(node, ast.Constant) and isinstance(node.value, str)
                else ""
            )
            if name not in MASKABLE and not name.startswith("part."):
                continue
            if path in READERS:
                used.add(path)
            else:
                wrong.append(f"{path}:{node.lineno} {name}")
    assert not wrong, "pass what is read through access/masking.py, and say so here"
    assert used == READERS.keys(), "an exemption that nobody needs any more"


def test_no_fact_is_written_through_its_model() -> None:
    facts = {model.__name__ for model in apps.get_models() if issubclass(model, Fact)}
    assert "TransactionBlock" in facts
    wrong = []
    for path, tree in modules().items():
        for node in ast.walk(tree):
            if not isinstance(node, ast.Attribute):
                continue
            if node.attr in QUERYSET_VERBS | MODEL_VERBS and facts & {
                part.id for part in ast.walk(node.value) if isinstance(part, ast.Name)
            }:
                wrong.append(f"{path}:{node.lineno} {node.attr}")
    assert not wrong


def test_every_package_says_who_lives_there() -> None:
    silent = [
        path
        for path, tree in modules().items()
        if path.endswith("__init__.py") and not ast.get_docstring(tree)
    ]
    assert not silent


def test_every_module_is_of_a_size_to_be_read() -> None:
    lines = {
        path: len((ROOT / path).read_text(encoding="utf-8").splitlines()) for path in modules()
    }
    assert not {path: count for path, count in lines.items() if count > 400}


# How a test runs a command, by whichever way.
RUNS = r"""(call_command|manage|ran)\("{0}"|"manage\.py", "{0}\""""
NOT_RUN_BY_NAME: dict[str, str] = {}  # and the reason


def commands() -> list[str]:
    folder = ROOT / "tracking/management/commands"
    return sorted(path.stem for path in folder.glob("*.py") if path.stem != "__init__")


@functools.cache
def calls_of_tests() -> str:
    """All calls in all tests: a docstring that names a command runs nothing."""
    found = []
    for path in (ROOT / "tests").rglob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                found.append(ast.unparse(node).replace("'", '"'))
    return "\n".join(found)


@pytest.mark.parametrize("name", commands())
def test_every_command_is_run_by_some_test(name: str) -> None:
    run = re.search(RUNS.format(name), calls_of_tests()) is not None
    if name in NOT_RUN_BY_NAME:
        assert not run, "an exemption that nobody needs any more"
    else:
        assert run, f"no test runs `manage.py {name}`"


def test_exemptions_of_commands_name_commands() -> None:
    assert NOT_RUN_BY_NAME.keys() <= set(commands())


@pytest.mark.django_db
def test_models_and_migrations_agree() -> None:
    call_command("makemigrations", check=True, dry_run=True, verbosity=0)


def test_no_two_migrations_share_a_number() -> None:
    contrib = (ROOT / "dft_project/mongo_migrations").iterdir()
    for folder in (ROOT / "tracking/migrations", *contrib):
        numbers = [path.name[:4] for path in folder.glob("[0-9]*.py")]
        assert len(numbers) == len(set(numbers)), folder
