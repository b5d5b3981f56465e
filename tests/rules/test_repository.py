"""What may stand in the repository at all."""

from __future__ import annotations

import re
import subprocess

import pytest

from tests.rules.sources import ROOT

TOP = {
    *(".ci", ".dockerignore", ".gitignore", "Dockerfile", "LICENSE", "Makefile", "README.md"),
    *("compose.yaml", "constraints.txt", "dft_project", "docs", "manage.py", "pyproject.toml"),
    *("templates", "tests", "tracking"),
}
# Written so that this file does not hold what it forbids.
MACHINE = re.compile(
    r"(?<![\w.~/}-])/(?:w[o]rk|r[o]ot|h[o]me/\w+|U[s]ers/\w+)(?:/|\b)"
    r"|f[i]les\.pythonhosted|p[y]pi\.org/simple|--(?:extra-)?index-url|art[i]factory|registry\.\w+\.",
)
PICTURES = (".png", ".jpg", ".ico", ".woff2", ".ttf", ".gz", ".zip")


def files() -> list[str]:
    """What is in the repository, or would be with the next commit."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a clone")
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    names = listed.stdout.decode().split("\0")
    return [name for name in names if name and (ROOT / name).is_file()]


def test_no_path_of_a_machine_and_no_package_registry_is_named() -> None:
    wrong = []
    for name in files():
        if name.endswith(PICTURES):
            continue
        text = (ROOT / name).read_text(encoding="utf-8")
        for number, line in enumerate(text.splitlines(), 1):
            if found := MACHINE.search(line):
                wrong.append(f"{name}:{number} {found[0]}")
    assert not wrong


def test_the_rule_finds_what_it_forbids() -> None:
    for text in (
        "cd /w" + "ork/x",
        "'/ho" + "me/ann/x'",
        "/ro" + "ot/.cache",
        "--index" + "-url x",
    ):
        assert MACHINE.search(text), text
    for text in ("artwork/x", "homework", "/admin/home/", "the /roots", "a.com/home/ann"):
        assert not MACHINE.search(text), text


def test_the_top_level_holds_only_what_was_agreed() -> None:
    found = {name.split("/")[0] for name in files()}
    assert found <= TOP
    assert {"README.md", "LICENSE", "Makefile", ".ci"} <= found


def test_nothing_that_is_made_is_kept() -> None:
    made = re.compile(
        r"__pycache__|\.py[co]$|(^|/)(var|\.venv|node_modules)/|credentials\.json$|\.log$"
    )
    assert not [name for name in files() if made.search(name)]


def test_no_file_is_larger_than_it_should_be() -> None:
    large = {name: (ROOT / name).stat().st_size for name in files()}
    assert not {name: size for name, size in large.items() if size > 1 << 20}
