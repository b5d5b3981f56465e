"""The project's own source files, read once, for the rules about them."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
NOT_WRITTEN_BY_HAND = ("migrations", "mongo_migrations")


@functools.cache
def modules() -> dict[str, ast.Module]:
    """Every module of ours by its path, such as `tracking/core/record.py`."""
    return {
        path.relative_to(ROOT).as_posix(): ast.parse(path.read_text(encoding="utf-8"))
        for top in ("tracking", "dft_project")
        for path in sorted((ROOT / top).rglob("*.py"))
        if not set(NOT_WRITTEN_BY_HAND) & set(path.parts)
    }


def room_of(path: str) -> str:
    """`core` for tracking/core/record.py, `clock` for tracking/clock.py."""
    parts = Path(path).with_suffix("").parts
    return parts[0] if parts[0] == "dft_project" else parts[1]


def imports(path: str, tree: ast.Module) -> Iterator[tuple[str, int]]:
    """Dotted names that the module imports, relative ones made whole, with their line."""
    package = list(Path(path).parent.parts)
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node.lineno
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            whole = [*base, *([node.module] if node.module else [])]
            for alias in node.names:
                yield ".".join([*whole, alias.name]), node.lineno


def rooms_imported(path: str, tree: ast.Module) -> Iterator[tuple[str, int]]:
    """Other rooms of ours that the module imports."""
    for name, line in imports(path, tree):
        first, *rest = name.split(".")
        if first not in ("tracking", "dft_project"):
            continue
        room = "dft_project" if first == "dft_project" else (rest or ["__init__"])[0]
        if room != room_of(path):
            yield room, line
