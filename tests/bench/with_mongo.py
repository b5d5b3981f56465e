"""`python -m tests.bench.with_mongo COMMAND …`: run a command with a fresh MongoDB."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tracking.mongo.embedded import EmbeddedMongo


def main() -> int:
    with (
        tempfile.TemporaryDirectory(prefix="dft-") as directory,
        EmbeddedMongo(Path(directory), for_tests=True) as mongo,
    ):
        environment = {**os.environ, "DFT_MONGODB_URI": mongo.uris["web"]}
        return subprocess.run(sys.argv[1:], env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
