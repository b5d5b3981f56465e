"""Real processes on a database, and what they leave behind."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from django.conf import settings
from pymongo import MongoClient
from pymongo.errors import PyMongoError

ROOT = Path(__file__).parents[2]


def uri_of(name: str) -> str:
    """The test server's URI with this database in its path."""
    parts = urlsplit(os.environ["DFT_MONGODB_URI"])
    return urlunsplit(parts._replace(path=f"/{name}"))


def python(*arguments: str, uri: str, data: Path, **more: str) -> subprocess.Popen[str]:
    """A Python process of the project, on this database; `more` goes into its environment."""
    environment = {
        **os.environ,
        **more,
        "DFT_MONGODB_URI": uri,
        "DFT_DATA_DIR": str(data),
        "DFT_KEY_DIR": str(settings.DFT_KEY_DIR),  # one log is signed by one installation
    }
    return subprocess.Popen(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def manage(*arguments: str, uri: str, data: Path, **more: str) -> subprocess.Popen[str]:
    return python("manage.py", *arguments, uri=uri, data=data, **more)


def ran(*arguments: str, uri: str, data: Path, **more: str) -> tuple[int, str]:
    """Exit code and output of a command that ends by itself."""
    process = manage(*arguments, uri=uri, data=data, **more)
    output, _nothing = process.communicate(timeout=120)
    return process.returncode, output


def kill(process: subprocess.Popen[Any]) -> None:
    process.kill()
    process.wait()


def wait_for(done: Callable[[], Any], what: str, seconds: float = 60) -> Any:
    """What `done` gives, once it gives something; a database that is away is waited for."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if found := done():
                return found
        except PyMongoError:
            pass
        time.sleep(0.02)
    raise AssertionError(f"after {seconds} seconds still not: {what}")


class Outside:
    """The database as seen past the product: PyMongo alone."""

    def __init__(self, uri: str) -> None:
        self.client: MongoClient[dict[str, Any]] = MongoClient(uri, timeoutMS=20_000)
        self.database = self.client[urlsplit(uri).path.strip("/")]

    def recorded(self) -> list[str]:
        return [
            row["_id"].partition("/")[2] for row in self.database["journal"].find({}, {"_id": 1})
        ]

    def leaf(self) -> int:
        cursor = self.database["cursor"].find_one({})
        return int(cursor["leaf"]) if cursor else 0

    def settled(self) -> bool:
        """Everything recorded is sealed and derived."""
        if self.database["seal_queue"].find_one({}) or self.database["refold_request"].find_one({}):
            return False
        return self.leaf() == self.database["journal"].count_documents({})

    def derived(self) -> dict[str, list[dict[str, Any]]]:
        names = ("transaction", "block_progress", "flow_block")
        return {name: list(self.database[name].find().sort("_id", 1)) for name in names}

    def close(self) -> None:
        self.client.close()
