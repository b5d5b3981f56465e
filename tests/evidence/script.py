"""The outsider's script, run as an outsider runs it: without Django and without this project."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import tracking.evidence

SCRIPT = Path(tracking.evidence.__file__).parent / "verify.py"


def load() -> ModuleType:
    """The script as a module, to hold its functions against forgeries."""
    spec = importlib.util.spec_from_file_location("outsider", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def bare_python(directory: Path) -> list[str]:
    """A Python that can import the standard library and `cryptography`, and nothing else of
    what is installed here: an isolated one, with a folder of links in place of site-packages.
    """
    links = directory / "packages"
    links.mkdir()
    site = Path(importlib.util.find_spec("cryptography").origin).parents[1]  # type: ignore
    for name in ("cryptography", "cffi", "_cffi_backend", "pycparser"):
        for found in site.glob(f"{name}*"):
            if not found.name.endswith(".dist-info"):
                (links / found.name).symlink_to(found)
    start = f"import sys; sys.path.insert(0, {str(links)!r}); sys.argv = sys.argv[1:]"
    run = "import runpy; runpy.run_path(sys.argv[0], run_name='__main__')"
    # -I: neither the environment nor this folder; -S: no site-packages; -O: no asserts
    return [sys.executable, "-I", "-S", "-O", "-c", f"{start}; {run}"]


def run(python: list[str], *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*python, str(SCRIPT), *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONIOENCODING": "ascii"},
    )
