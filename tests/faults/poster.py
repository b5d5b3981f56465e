"""A producer of its own process: posts random histories, and repeats what was not acknowledged.

Prints one JSON list of ids for each post that was acknowledged, and ends after `count` posts.
"""

from __future__ import annotations

import json
import os
import sys
import time
from random import Random

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "dft_project.settings")
django.setup()

from tests.projection.world import cut, histories  # noqa: E402
from tracking import clock  # noqa: E402
from tracking.errors import DatabaseUnavailable  # noqa: E402
from tracking.ingest.accept import Producer, accept  # noqa: E402


def main(seed: int, count: int) -> None:
    random = Random(seed)
    records, _definitions = histories(random, 400)
    for batch in cut(random, records)[:count]:
        while True:
            try:
                answer = accept(producer=Producer("acme", "k"), values=batch, moment=clock.now())
            except DatabaseUnavailable:
                print(json.dumps("unavailable"), flush=True)
                time.sleep(0.05)
            else:
                break
        outcomes = {result.outcome for result in answer.results}
        if not outcomes <= {"stored", "duplicate"}:
            raise SystemExit(f"not accepted: {outcomes}")
        print(json.dumps([result.id for result in answer.results]), flush=True)
        time.sleep(0.01)


main(int(sys.argv[1]), int(sys.argv[2]))
