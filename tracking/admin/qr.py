"""QR codes as images within the page, so that no other request ever carries a secret."""

from __future__ import annotations

import segno


def qr_code(text: str) -> str:
    """An address for `<img src>`; dark on light in both themes, as cameras want it."""
    made = segno.make(text, error="m", micro=False)
    return str(made.svg_data_uri(scale=4, border=3, dark="#000", light="#fff"))
