"""`manage.py up`: one command, and everything runs; one signal, and nothing is left."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.faults.processes import ROOT, wait_for

CREDENTIALS = {"url", "admin_user", "admin_password", "tenant", "ingest_key", "read_key"}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Installation:
    """A data directory and a port, and the process that runs on them."""

    data: Path
    logs: Path
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None
    starts: int = 0

    @property
    def url(self) -> str:
        return f"http://localhost:{self.port}"

    @property
    def output(self) -> str:
        return self.log.read_text(encoding="utf-8")

    @property
    def log(self) -> Path:
        return self.logs / f"up-{self.port}-{self.starts}.log"

    def start(self, **environment: str) -> None:
        self.starts += 1
        inherited = {name: text for name, text in os.environ.items() if name[:4] != "DFT_"}
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "manage.py", "up"],
                cwd=ROOT,
                env={
                    **inherited,
                    "DFT_DATA_DIR": str(self.data),
                    "DFT_PORT": str(self.port),
                    "DFT_DEMO": "0",
                    **environment,
                },
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def ready(self) -> None:
        """Wait until it has said that it runs."""
        process = self.process
        assert process is not None
        wait_for(lambda: "curl -X POST" in self.output or process.poll() is not None, "ready", 100)
        assert process.poll() is None, self.output

    def refused(self, **environment: str) -> str:
        """Start what must not start; what it says, in one sentence, beside its usual steps."""
        self.start(**environment)
        assert self.process is not None
        assert self.process.wait(60) == 1, self.output
        lines = self.output.strip().splitlines()
        assert len(lines) == 1, self.output
        assert "Traceback" not in lines[0]
        return lines[0]

    def stop(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(60) == 0, self.output
        assert self.processes() == []

    def processes(self) -> list[str]:
        return list(self.running().values())

    def running(self) -> dict[int, str]:
        """Everything that runs on the data directory: every child inherits its name."""
        wanted = f"DFT_DATA_DIR={self.data}".encode()
        found = {}
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                if wanted in (entry / "environ").read_bytes().split(b"\0"):
                    command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                    if command:  # a zombie has none; its parent, which is no child, collects it
                        found[int(entry.name)] = command
            except OSError:
                continue
        return found

    def find(self, name: str) -> int:
        """The process id of the one process whose command line holds `name`."""
        found = [number for number, command in self.running().items() if name in command]
        assert len(found) == 1, found
        return found[0]

    def credentials(self) -> dict[str, Any]:
        return json.loads((self.data / "credentials.json").read_text(encoding="utf-8"))

    def get(self, path: str) -> tuple[int, Any]:
        key = self.credentials()["read_key"]
        return fetch(f"{self.url}{path}", {"Authorization": f"Bearer {key}"})


def fetch(url: str, headers: dict[str, str]) -> tuple[int, Any]:
    request = urllib.request.Request(url, headers=headers)  # noqa: S310 - our own address
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:  # noqa: S310
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, None


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    made = Installation(tmp_path / "data", tmp_path)
    yield made
    if made.process is not None and made.process.poll() is None:
        made.process.terminate()
        made.process.wait(60)


def printed_curl(output: str) -> str:
    found = re.search(r"^ +curl .*?'$(?!\n    -)", output, re.MULTILINE | re.DOTALL)
    assert found is not None, output
    return found[0]


def test_start_post_read_stop_and_start_again(installation: Installation) -> None:
    installation.start()
    installation.ready()
    status, answer = fetch(f"{installation.url}/readyz", {})
    assert (status, answer["status"]) == (200, "ready")

    path = installation.data / "credentials.json"
    assert path.stat().st_mode & 0o777 == 0o600
    credentials = installation.credentials()
    assert credentials.keys() == CREDENTIALS
    assert credentials["url"] == installation.url
    assert all(credentials.values())
    secrets = [credentials[name] for name in CREDENTIALS if "password" in name]
    assert not any(secret in installation.output for secret in secrets)

    line = printed_curl(installation.output)
    if shutil.which("curl") is None:
        pytest.skip("the printed line needs curl")
    posted = subprocess.run(
        ["sh", "-c", f"{line.strip()} --silent --show-error"], capture_output=True, check=True
    )
    told = json.loads(posted.stdout)
    assert (told["received"], told["stored"]) == (1, 1)
    record = told["results"][0]["id"]
    again = subprocess.run(["sh", "-c", f"{line.strip()} -s"], capture_output=True, check=True)
    assert json.loads(again.stdout)["duplicates"] == 1

    status, block = installation.get(f"/api/v1/blocks/{record}")
    assert (status, block["record"]["id"]) == (200, record)
    found = wait_for(
        lambda: installation.get("/api/v1/transactions?object_id=order-1001")[1]["results"],
        "the list shows it",
    )
    assert found[0]["object"]["id"] == "order-1001"
    assert fetch(f"{installation.url}/api/v1/transactions", {})[0] == 401

    other = Installation(installation.data, installation.logs)
    sentence = other.refused()
    assert "already runs" in sentence
    assert "DFT_DATA_DIR" in sentence
    assert installation.get(f"/api/v1/blocks/{record}")[0] == 200, "the first is not disturbed"

    running = " ".join(installation.processes())
    assert all(name in running for name in ("mongod", "gunicorn", "manage.py follow"))
    installation.stop()
    assert "Stopped." in installation.output

    installation.start()
    installation.ready()
    assert installation.credentials() == credentials
    assert installation.get(f"/api/v1/blocks/{record}")[0] == 200, "what was there is there"
    fresh = subprocess.run(
        ["sh", "-c", f"{printed_curl(installation.output).strip()} -s"],
        capture_output=True,
        check=True,
    )
    assert json.loads(fresh.stdout)["stored"] == 1, "a line of its own at each start"
    installation.stop()


def derived(installation: Installation) -> int:
    """Wait until the follower has nothing left to do; how many records it has followed."""

    def idle() -> int:
        status, answer = fetch(f"{installation.url}/readyz", {})
        if status != 200:
            return 0
        behind = answer["lag"]
        waits = behind["queued"] or behind["leaf"] < behind["log_size"]
        return 0 if waits else int(behind["leaf"])

    found: int = wait_for(idle, "everything is derived")
    return found


def test_the_demo_is_filled_what_was_killed_comes_back_and_with_the_supervisor_all_goes(
    installation: Installation,
) -> None:
    installation.start(DFT_DEMO="1")
    installation.ready()
    assert installation.credentials().keys() == CREDENTIALS
    assert installation.credentials()["tenant"] != "demo"
    wait_for(lambda: not (installation.data / "demo.json").exists(), "the demo tenant is filled")
    assert "Traceback" not in installation.output
    assert installation.get("/api/v1/transactions")[1]["results"] == [], "another tenant's"
    followed = derived(installation)
    assert followed > 500

    for name in ("mongod", "manage.py follow"):
        os.kill(installation.find(name), signal.SIGKILL)
    line = f"{printed_curl(installation.output).strip()} -s --retry 60 --retry-all-errors"
    posted = subprocess.run(["sh", "-c", line], capture_output=True, check=True)
    assert json.loads(posted.stdout)["received"] == 1, "both were started again"
    wait_for(lambda: derived(installation) == followed + 1, "what came since is derived")

    assert installation.process is not None
    installation.process.kill()
    installation.process.wait()
    wait_for(lambda: not installation.processes(), "nothing is left")

    installation.start(DFT_DEMO="1")
    installation.ready()
    assert not (installation.data / "demo.json").exists(), "only on the very first start"
    installation.stop()


def test_a_port_in_use_is_one_sentence(installation: Installation) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", installation.port))
        other.listen()
        sentence = installation.refused()
    assert str(installation.port) in sentence
    assert "DFT_PORT" in sentence
    assert installation.processes() == []


@pytest.mark.parametrize("below", [False, True])
def test_a_data_directory_that_is_none_is_one_sentence(tmp_path: Path, below: bool) -> None:
    file = tmp_path / "file"
    file.write_text("here first", encoding="ascii")
    sentence = Installation(file / "data" if below else file, tmp_path).refused()
    assert str(file) in sentence
    assert "DFT_DATA_DIR" in sentence
    assert file.read_text(encoding="ascii") == "here first"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_data_directory_that_cannot_be_written_is_one_sentence(
    installation: Installation,
) -> None:
    installation.data.mkdir(mode=0o500)
    assert "DFT_DATA_DIR" in installation.refused()


@pytest.mark.parametrize(
    ("name", "text"), [("DFT_PORT", "99999"), ("DFT_WORKERS", "many"), ("DFT_DEMO", "perhaps")]
)
def test_a_setting_that_makes_no_sense_is_one_sentence(
    installation: Installation, name: str, text: str
) -> None:
    assert name in installation.refused(**{name: text})


def test_addresses_without_the_web_workers_are_one_sentence(installation: Installation) -> None:
    sentence = installation.refused(DFT_MONGODB_FOLLOWER_URI="mongodb://elsewhere/dft")
    assert "DFT_MONGODB_FOLLOWER_URI is set, and DFT_MONGODB_URI is not" in sentence


def test_a_signal_while_it_starts_stops_it_all_the_same(installation: Installation) -> None:
    installation.start()
    wait_for(lambda: "Preparing" in installation.output, "it prepares")
    installation.stop()
