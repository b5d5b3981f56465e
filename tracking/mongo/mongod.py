"""The mongod program: where it is, whether this machine can run it, and why it ended."""

from __future__ import annotations

import ctypes
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path

from tracking.errors import DftError

PR_SET_PDEATHSIG = 1
ELSEWHERE = "run MongoDB elsewhere (compose.yaml starts one) and set DFT_MONGODB_URI to its address"

# the Debian package of each library that mongod links and a slim system may lack
DEBIAN_PACKAGES = {
    "libcurl.so.4": "libcurl4",
    "libssl.so.3": "libssl3",
    "libcrypto.so.3": "libssl3",
    "liblzma.so.5": "liblzma5",
    "libgcc_s.so.1": "libgcc-s1",
    "libresolv.so.2": "libc6",
    "libm.so.6": "libc6",
}

_PARAMETERS = {
    "diagnosticDataCollectionEnabled": "false",
    # nothing reads as of a moment past; what a transaction reads is kept for as long as it runs
    "minSnapshotHistoryWindowInSeconds": "10",
}
# What records change lies all over the indexes. By default each page would be written again and
# again from a twentieth of the cache on, at the cost of a core at 3,000 records/s; so written at
# checkpoints, once a minute, for the most part (docs/performance.md). The journal keeps it safe.
_EVICTION = (
    "eviction_dirty_target=20,eviction_dirty_trigger=40,"
    "eviction_updates_target=15,eviction_updates_trigger=30"
)


class EmbeddedMongoError(DftError):
    """The embedded MongoDB cannot run; the one sentence says what to do about it."""


def tuning(parameters: Mapping[str, object]) -> list[str]:
    """Arguments that fit mongod to what is stored here; `parameters`: mongod's, beside ours."""
    found = ["--wiredTigerEngineConfigString", _EVICTION]
    for name, setting in {**_PARAMETERS, **parameters}.items():
        found += ["--setParameter", f"{name}={setting}"]
    return found


def find_mongod() -> Path:
    """The newest mongod of the PATH and the `embedded` extra that runs on this machine."""
    found = [path for path in (_on_path(), _in_wheel()) if path is not None]
    if not found:
        raise EmbeddedMongoError(
            "No mongod was found for this platform: install the 'embedded' extra "
            f"(Linux on x86-64 only), or {ELSEWHERE}."
        )
    versions: list[tuple[tuple[int, ...], Path]] = []
    complaints = []
    for path in found:
        try:
            versions.append((_version(path), path))
        except EmbeddedMongoError as error:
            complaints.append(error)
    if not versions:
        raise complaints[0]
    # max() keeps the first of equals: the operator's own
    return max(versions, key=lambda each: each[0])[1]


def _on_path() -> Path | None:
    found = shutil.which("mongod")
    return Path(found) if found else None


def _in_wheel() -> Path | None:
    # only looked up: importing the package would load far more than its one file
    spec = find_spec("fiftyone")
    for place in (spec and spec.submodule_search_locations) or ():
        binary = Path(place) / "db" / "bin" / "mongod"
        if binary.is_file():
            return binary
    return None


def _version(binary: Path) -> tuple[int, ...]:
    try:
        run = subprocess.run(  # noqa: S603 - the program that is to be started anyway
            [binary, "--version"], capture_output=True, text=True, timeout=30, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise EmbeddedMongoError(explain_exit(binary, None, str(error))) from error
    match = re.search(r"db version v(\d+)\.(\d+)\.(\d+)", run.stdout)
    if run.returncode or not match:
        raise EmbeddedMongoError(explain_exit(binary, run.returncode, run.stderr))
    return tuple(int(part) for part in match.groups())


def explain_exit(binary: Path, code: int | None, text: str, log: Path | None = None) -> str:
    """The sentence for a mongod that could not be run or ended by itself.

    `text` is what it said (its log or its error output); no `code` means it never ran.
    """
    if "error while loading shared libraries" in text:
        return _libraries_sentence(binary, text)
    if code == -signal.SIGILL:
        return f"The processor lacks AVX, which MongoDB needs: {ELSEWHERE}."
    if "No space left on device" in text:
        return "The disk is full: free at least 1 GB, then start again."
    if "unsupported" in text.lower() and "featureCompatibilityVersion" in text:
        return (
            "The data were written by a newer MongoDB than the one found "
            f"({binary}): install that version, or choose another directory with DFT_DATA_DIR."
        )
    if code is None:
        return f"{binary} does not run on this machine ({text}): {ELSEWHERE}."
    where = f": see {log}" if log else ""
    return f"mongod ended with code {code} ({_last_words(text)}){where}."


def _libraries_sentence(binary: Path, text: str) -> str:
    missing = _missing_libraries(binary) or re.findall(r"libraries: ([^:\s]+):", text)
    packages = sorted({DEBIAN_PACKAGES[name] for name in missing if name in DEBIAN_PACKAGES})
    names = ", ".join(sorted(missing))
    if not packages:
        return f"mongod needs {names}: install the packages of your system that provide them."
    return f"mongod needs {names}: run 'apt-get install {' '.join(packages)}' as root."


def _missing_libraries(binary: Path) -> list[str]:
    # the loader names the first one only, ldd all of them
    try:
        listing = subprocess.run(  # noqa: S603
            ["ldd", binary],  # noqa: S607
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        return []
    return re.findall(r"^\s*(\S+) => not found", listing, re.MULTILINE)


def _last_words(text: str) -> str:
    """The last error of a mongod log (one JSON document per line), or of any output."""
    lines = [line for line in text.splitlines() if line.strip()]
    for line in reversed(lines):
        try:
            entry = json.loads(line)
        except ValueError:
            return line[:200]
        if entry.get("s") in ("E", "F"):
            error = entry.get("attr", {}).get("error", "")
            return f"{entry.get('msg', '')} {error}".strip()[:200]
    return "it left no error in its log"


def die_with_parent() -> Callable[[], None] | None:
    """What a child calls before it becomes mongod, so that it gets SIGTERM when we die."""
    if not sys.platform.startswith("linux"):
        return None
    # loaded before the fork: between fork and exec only plain system calls are safe
    prctl = ctypes.CDLL(None).prctl
    parent = os.getpid()

    def ask_kernel() -> None:
        prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:
            # the parent died before the kernel knew
            os._exit(1)

    return ask_kernel
