"""Failures as services really report them: type, message with changing parts, stack trace."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Fault:
    """`{n}`, `{host}` and `{hex}` in its texts change from failure to failure.

    `hopeless`: another attempt would fail in the same way, so none is made.
    """

    type: str
    message: str
    location: str
    stacktrace: str
    code: str | None = None
    hopeless: bool = False

    def exception(self, rng: random.Random) -> dict[str, str]:
        """The `exception` of a record."""
        parts = {
            "n": str(rng.randrange(1_000, 99_999)),
            "host": f"10.2.{rng.randrange(8)}.{rng.randrange(2, 250)}",
            "hex": f"{rng.getrandbits(32):08x}",
        }
        found = {"type": self.type, "message": self.message.format(**parts)}
        if self.code:
            found["code"] = self.code
        found["location"] = self.location
        trace = self.stacktrace.format(message=found["message"], type=self.type, **parts)
        found["stacktrace"] = trace
        return found


def _python(*frames: tuple[str, int, str, str]) -> str:
    lines = ["Traceback (most recent call last):"]
    for file, line, function, source in frames:
        lines += [f'  File "/srv/app/{file}", line {line}, in {function}', f"    {source}"]
    return "\n".join([*lines, "{type}: {message}"])


def _java(*frames: str) -> str:
    return "\n".join(["{type}: {message}", *(f"\tat {frame}" for frame in frames)])


DATABASE_TIMEOUT: Final = Fault(
    "psycopg.OperationalError",
    'connection to server at "{host}", port 5432 failed: timeout expired',
    "orders/store.py:88 in reserve",
    _python(
        ("orders/worker.py", 41, "handle", "store.reserve(order, lines)"),
        ("orders/store.py", 88, "reserve", "with pool.connection(timeout=5) as connection:"),
    ),
    code="08006",
)
STOCK_CONFLICT: Final = Fault(
    "StockConflict",
    "article {n}: 1 wanted, 0 available in warehouse 3",
    "stock/reservation.py:127 in take",
    _python(
        ("stock/service.py", 63, "reserve", "return reservation.take(article, amount)"),
        ("stock/reservation.py", 127, "take", "raise StockConflict(article, wanted, available)"),
    ),
)
CARD_DECLINED: Final = Fault(
    "CardDeclined",
    "the issuer declined payment pi_{hex}: insufficient funds",
    "payment/gateway.py:210 in charge",
    _python(
        ("payment/worker.py", 77, "pay", "gateway.charge(intent)"),
        ("payment/gateway.py", 210, "charge", "raise CardDeclined(answer.reason)"),
    ),
    code="card_declined",
    hopeless=True,
)
CARRIER_TIMEOUT: Final = Fault(
    "java.net.SocketTimeoutException",
    "Read timed out after 10000 ms (host carrier-{n}.example)",
    "CarrierClient.java:158",
    _java(
        "java.base/sun.nio.ch.NioSocketImpl.timedRead(NioSocketImpl.java:288)",
        "example.shipping.CarrierClient.send(CarrierClient.java:158)",
        "example.shipping.LabelService.request(LabelService.java:61)",
        "example.shipping.Worker.run(Worker.java:39)",
    ),
)
PRICE_FORMAT: Final = Fault(
    "ValueError",
    "could not convert string to float: '{n},90'",
    "feed/prices.py:54 in read_price",
    _python(
        ("feed/worker.py", 32, "handle", "price = read_price(row['price'])"),
        ("feed/prices.py", 54, "read_price", "return float(text)"),
    ),
    hopeless=True,
)
IMAGE_BROKEN: Final = Fault(
    "PIL.UnidentifiedImageError",
    "cannot identify image file '/tmp/image-{hex}.jpg'",
    "feed/images.py:119 in resize",
    _python(
        ("feed/worker.py", 58, "handle", "images.resize(path, sizes)"),
        ("feed/images.py", 119, "resize", "with Image.open(path) as image:"),
    ),
    hopeless=True,
)
DISK_FULL: Final = Fault(
    "OSError",
    "[Errno 28] No space left on device: '/data/out/{hex}.pdf'",
    "archive/files.py:31 in write",
    _python(
        ("archive/worker.py", 25, "handle", "files.write(target, content)"),
        ("archive/files.py", 31, "write", "target.write_bytes(content)"),
    ),
    code="ENOSPC",
)
RENDER_CRASH: Final = Fault(
    "RenderError",
    "renderer ended with signal 11 on page {n}",
    "render.js:203 in renderPage",
    "{type}: {message}\n    at renderPage (/srv/app/render.js:203:11)\n"
    "    at async renderInvoice (/srv/app/invoice.js:88:5)\n"
    "    at async Worker.run (/srv/app/worker.js:41:3)",
)
MAIL_REFUSED: Final = Fault(
    "smtplib.SMTPRecipientsRefused",
    "450 4.2.1 mailbox of customer {n} is busy, try again later",
    "mail/send.py:72 in deliver",
    _python(
        ("mail/worker.py", 44, "handle", "deliver(message)"),
        ("mail/send.py", 72, "deliver", "server.send_message(message)"),
    ),
    code="450",
)
