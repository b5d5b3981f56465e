"""The yardstick of ingest: the same documents by concurrent `insert_many`, and nothing else.

What was posted a moment ago is read back from the journal and inserted into a collection with
the journal's indexes, by four threads of one process or by four processes: whichever is the
faster is the yardstick. `python -m tracking.bench.raw` is one of these processes.
"""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from typing import Any

from pymongo import MongoClient
from pymongo.write_concern import WriteConcern

from tracking.bench.stage import Stage


@dataclass(frozen=True, slots=True)
class Raw:
    """Records a second, and the CPU seconds a record of the inserting processes and of MongoDB."""

    rate: float
    load_cpu: float
    mongo_cpu: float


def insert_again(
    stage: Stage, prefix: str, count: int, *, size: int, processes: int, threads: int
) -> Raw:
    """Insert the `count` documents posted as `prefix`-00000000 … into a collection of their own."""
    database = MongoClient[dict[str, Any]](stage.uri)["dft"]
    name = f"raw_{prefix}_{processes}"
    for index in database["journal"].list_indexes():
        if index["name"] != "_id_":
            database[name].create_index(list(index["key"].items()), name=index["name"])
    share = count // processes
    started = [
        _start(stage, name, prefix, number * share, share, size, threads)
        for number in range(processes)
    ]
    for process in started:
        _hear(process, "ready")
    mongo, began = stage.cpu()["MongoDB"], time.perf_counter()
    for process in started:
        process.stdin.write("go\n")
        process.stdin.flush()
    load_cpu = sum(float(_hear(process, "done")) for process in started)
    seconds = time.perf_counter() - began
    mongo = stage.cpu()["MongoDB"] - mongo
    for process in started:
        process.communicate()
    inserted = database[name].count_documents({})
    database[name].drop()
    if inserted != (wanted := share * processes):
        raise AssertionError(f"{inserted:,} of {wanted:,} documents were inserted")
    return Raw(wanted / seconds, load_cpu / wanted, mongo / wanted)


def _start(stage: Stage, *arguments: object) -> subprocess.Popen[str]:
    return stage.popen(
        *(sys.executable, "-m", "tracking.bench.raw", stage.uri, *map(str, arguments)),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def _hear(process: subprocess.Popen[str], word: str) -> str:
    said, _, rest = process.stdout.readline().strip().partition(" ")
    if said != word:
        raise RuntimeError(f"a process that inserts said {said!r} and not {word!r}")
    return rest


def main(arguments: list[str]) -> None:
    uri, name, prefix = arguments[:3]
    first, count, size, threads = map(int, arguments[3:])
    database = MongoClient[dict[str, Any]](uri)["dft"]
    keys = {"$gte": f"default/{prefix}-{first:08d}", "$lt": f"default/{prefix}-{first + count:08d}"}
    documents = list(database["journal"].find({"_id": keys}, sort=[("_id", 1)]))
    if len(documents) != count:
        raise AssertionError(f"{len(documents):,} documents of {count:,} were found")
    batches = iter([documents[at : at + size] for at in range(0, count, size)])
    raw = database.get_collection(name, write_concern=WriteConcern("majority", j=True))
    lock = threading.Lock()

    def insert() -> None:
        while True:
            with lock:
                batch = next(batches, None)
            if batch is None:
                return
            raw.insert_many(batch, ordered=False)

    workers = [threading.Thread(target=insert) for _thread in range(threads)]
    _say("ready")
    sys.stdin.readline()
    before = time.process_time()
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    _say(f"done {time.process_time() - before}")


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1:])
