"""Reading `DFT_*` environment variables; a value that makes no sense stops the start."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured

from tracking.access.origin import Network, networks_of


def env_flag(name: str, default: bool) -> bool:
    text = os.environ.get(name, "").strip().lower()
    if not text:
        return default
    if text in ("1", "true", "yes", "on"):
        return True
    if text in ("0", "false", "no", "off"):
        return False
    raise ImproperlyConfigured(f"{name} must be 1 or 0, not {text!r}.")


def env_int(name: str, default: int, *, least: int, most: int) -> int:
    text = os.environ.get(name, "").strip()
    if not text:
        return default
    if not text.isascii() or not text.isdigit() or not least <= int(text) <= most:
        raise ImproperlyConfigured(f"{name} must be an integer from {least} to {most}.")
    return int(text)


def env_list(name: str, default: list[str]) -> list[str]:
    text = os.environ.get(name, "").strip()
    return [item.strip() for item in text.split(",") if item.strip()] if text else default


def env_networks(name: str) -> list[Network]:
    try:
        return networks_of(env_list(name, []))
    except ValueError as error:
        raise ImproperlyConfigured(f"{name}: {error}") from None


def env_words(name: str, known: Iterable[str]) -> frozenset[str]:
    """Some of the words that are known, in whatever case."""
    spelt = {word.lower(): word for word in known}
    given = {word.lower() for word in env_list(name, [])}
    if unknown := sorted(given - spelt.keys()):
        raise ImproperlyConfigured(
            f"{name} may hold {', '.join(spelt.values())}, not {', '.join(unknown)}."
        )
    return frozenset(spelt[word] for word in given)


def env_url(name: str) -> str:
    """An address that something is posted to, or nothing; the path may hold a secret."""
    text = os.environ.get(name, "").strip()
    if not text:
        return ""
    try:
        parts = urlsplit(text)
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        usable = False
    if not usable or "@" in parts.netloc:
        raise ImproperlyConfigured(
            f"{name} must be an address such as https://host/path, without a user or password."
        )
    return text


def secret_key(directory: Path) -> str:
    """From DFT_SECRET_KEY, else made once and kept beside the data."""
    if given := os.environ.get("DFT_SECRET_KEY"):
        return given
    path = directory / "secret_key"
    try:
        if path.exists():
            return path.read_text(encoding="ascii").strip()
        directory.mkdir(parents=True, exist_ok=True)
        made = secrets.token_urlsafe(64)
        try:
            descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        except FileExistsError:  # another process made it at the same moment
            return path.read_text(encoding="ascii").strip()
        with os.fdopen(descriptor, "w") as file:
            file.write(made)
    except OSError as error:
        raise ImproperlyConfigured(
            f"The data directory {directory} cannot be used ({error.strerror}): make it a"
            " directory that can be written, or name another with DFT_DATA_DIR."
        ) from error
    return made
