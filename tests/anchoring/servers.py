"""Somebody else's servers, really listening: a webhook's, and a time stamp authority's."""

from __future__ import annotations

import contextlib
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

Answer = tuple[int, dict[str, str], bytes]


@dataclass
class Inbox:
    """What was posted, and where to."""

    url: str = ""
    posts: list[tuple[dict[str, str], bytes]] = field(default_factory=list)


@contextlib.contextmanager
def server(answer: Callable[[bytes], Answer]) -> Iterator[Inbox]:
    inbox = Inbox()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            inbox.posts.append(({k.lower(): v for k, v in self.headers.items()}, body))
            status, headers, content = answer(body)
            self.send_response(status)
            for name, text in headers.items():
                self.send_header(name, text)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            with contextlib.suppress(OSError):
                self.wfile.write(content)

        def do_GET(self) -> None:
            inbox.posts.append(({}, b"a redirect was followed"))
            self.send_error(404)

        def log_message(self, *_: object) -> None:
            pass

    listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    inbox.url = f"http://127.0.0.1:{listening.server_port}/secret-path?token=secret"
    thread = threading.Thread(target=listening.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield inbox
    finally:
        listening.shutdown()
        thread.join()
        listening.server_close()


class Authority:
    """A certificate authority and the time stamp authority it vouches for, by openssl."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder = folder / name
        self.folder.mkdir()
        self.ca = self.folder / "ca.pem"
        extensions = self.folder / "tsa.ext"
        extensions.write_text("extendedKeyUsage=critical,timeStamping\nkeyUsage=digitalSignature\n")
        (self.folder / "serial").write_text("01\n")
        self.config = self.folder / "tsa.cnf"
        self.config.write_text(
            f"[tsa]\ndefault_tsa = it\n[it]\nserial = {self.folder}/serial\n"
            f"signer_cert = {self.folder}/tsa.pem\nsigner_key = {self.folder}/tsa.key\n"
            f"certs = {self.ca}\nsigner_digest = sha256\ndefault_policy = 1.2.3.4.1\n"
            "digests = sha256\naccuracy = secs:1\nordering = no\ness_cert_id_alg = sha256\n"
        )
        new = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
        self._run(
            *("req", "-x509", *new, "-keyout", "ca.key", "-out", "ca.pem", "-days", "30"),
            *("-subj", f"/CN={name} root"),
        )
        self._run("req", *new, "-keyout", "tsa.key", "-out", "tsa.csr", "-subj", f"/CN={name} tsa")
        self._run(
            *("x509", "-req", "-in", "tsa.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-days", "30"),
            *("-CAcreateserial", "-extfile", "tsa.ext", "-out", "tsa.pem"),
        )

    def stamp(self, query: bytes) -> bytes:
        """The answer to a time stamp query."""
        (self.folder / "query").write_bytes(query)
        self._run("ts", "-reply", "-config", str(self.config), "-queryfile", "query", "-out", "out")
        return (self.folder / "out").read_bytes()

    def query(self, message: bytes) -> bytes:
        """Somebody else's query."""
        (self.folder / "message").write_bytes(message)
        self._run("ts", "-query", "-data", "message", "-sha256", "-cert", "-out", "other")
        return (self.folder / "other").read_bytes()

    def vouches(self, token: bytes, message: bytes) -> bool:
        """Whether openssl, told of this authority alone, accepts the time stamp."""
        (self.folder / "token").write_bytes(token)
        (self.folder / "message").write_bytes(message)
        told = ("ts", "-verify", "-data", "message", "-in", "token", "-CAfile", "ca.pem")
        return self._run(*told, check=False) == 0

    def _run(self, *arguments: str, check: bool = True) -> int:
        found = subprocess.run(
            ["openssl", *arguments], cwd=self.folder, capture_output=True, check=check
        )
        return found.returncode


def stamping(authority: Authority) -> Callable[[bytes], Answer]:
    return lambda body: (
        200,
        {"Content-Type": "application/timestamp-reply"},
        authority.stamp(body),
    )
