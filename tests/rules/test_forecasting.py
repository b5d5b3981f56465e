"""What forecasts takes seconds and much memory to load: only what forecasts loads it."""

from __future__ import annotations

import subprocess
import sys

from tests.rules.sources import ROOT, imports, modules

HEAVY = {"numpy", "scipy", "pandas", "statsmodels", "patsy"}
PACKAGE = "tracking.insights.forecasts."
# Modules that may load it; and where from, inside of a function, they may be asked for.
LOADERS = {
    "tracking/management/commands/forecast.py": "the command, once there is something to do",
    "tracking/bench/forecast.py": "the benchmark of forecasts",
}
COMPUTING = (
    "tracking/insights/forecasts/",
    "tracking/bench/forecasting.py",
    "tracking/bench/load_series.py",
)


def heavy() -> set[str]:
    """Modules of ours that load it, directly or by one another, at their own import."""
    found = {
        path
        for path, tree in modules().items()
        if any(name.split(".")[0] in HEAVY for name, _line in imports(path, tree))
    }
    while True:
        named = {path.removesuffix(".py").replace("/", ".") for path in found}
        more = {
            path
            for path, tree in modules().items()
            if path not in LOADERS
            and any(
                name.rpartition(".")[0] in named or name in named
                for name, _line in imports(path, tree)
            )
        }
        if more <= found:
            return found
        found |= more


def test_only_what_computes_forecasts_loads_it() -> None:
    found = heavy()
    assert "tracking/insights/forecasts/methods.py" in found
    assert "tracking/insights/forecasts/work.py" in found
    assert {path for path in found if not path.startswith(COMPUTING)} == set()


def test_what_answers_requests_or_follows_never_has_it_loaded() -> None:
    """In a process of its own, with all that Django, the pages, the API and the follower load."""
    program = """
import sys
import django
django.setup()
import dft_project.urls, dft_project.wsgi, tracking.api.urls
from tracking.admin import site
from tracking.management.commands import bench, follow, forecast, up
from django.urls import get_resolver
assert len(get_resolver().reverse_dict) or get_resolver().url_patterns
from django.contrib import admin
admin.site.urls
loaded = sorted(name for name in {names} if name in sys.modules)
assert "tracking.insights.forecasts.reading" in sys.modules
print(loaded)
""".replace("{names}", repr(sorted(HEAVY)))
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env={"DJANGO_SETTINGS_MODULE": "dft_project.settings", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"
