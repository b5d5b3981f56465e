"""An ID token is believed once its signature, issuer, audience, time and nonce hold.

OpenID Connect Core 1.0, 3.1.3.7. The provider's own list of algorithms is not asked: it may name
`none`, or HS256, whose key is a secret that more than the provider know.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterator
from typing import Any, Final

import jwt

from tracking.sso.config import Config
from tracking.sso.refused import UNPROVEN, Refused

ALGORITHMS: Final = {"RS256": "RSA", "ES256": "EC"}  # and the kind of key each takes
LEEWAY_SECONDS: Final = 60
TOKEN_MAX: Final = 64 * 1024
RSA_BITS_LEAST: Final = 2048
_REQUIRED: Final = ("iss", "sub", "aud", "exp", "iat", "nonce")

# The published keys; called with True when none of those kept fits.
Keys = Callable[[bool], list[Any]]


def claims_of(token: Any, *, config: Config, nonce: str, keys: Keys) -> dict[str, Any]:
    """The claims of a token that was made by this provider, for us, now, for this sign-in."""
    try:
        return _checked(token, config, nonce, keys)
    except (jwt.PyJWTError, ArithmeticError, TypeError, ValueError) as error:
        # one line; of the library's sentences none quotes a token
        reason = " ".join(str(error).split())[:200]
        raise Refused(UNPROVEN, f"the ID token does not hold: {reason}") from None


def _checked(token: Any, config: Config, nonce: str, keys: Keys) -> dict[str, Any]:
    if not isinstance(token, str) or len(token) > TOKEN_MAX:
        raise ValueError("there is none, or it is too large")
    header = jwt.get_unverified_header(token)
    algorithm, name = header.get("alg"), header.get("kid")
    if algorithm not in ALGORITHMS:
        raise ValueError(f"it must be signed by one of {', '.join(ALGORITHMS)}")
    claims = jwt.decode(
        token,
        _key(algorithm, name, keys),
        algorithms=[algorithm],
        issuer=config.issuer,
        audience=config.client_id,
        leeway=LEEWAY_SECONDS,
        options={"require": list(_REQUIRED)},
    )
    if not hmac.compare_digest(str(claims["nonce"]).encode(), nonce.encode()):
        raise ValueError("it was made for another sign-in (nonce)")
    several = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
    if (several or "azp" in claims) and claims.get("azp") != config.client_id:
        raise ValueError("it was made for another application (azp)")
    subject = claims["sub"]
    if not isinstance(subject, str) or not 0 < len(subject.encode()) <= 255:
        raise ValueError("it names nobody (sub)")
    return claims


def _key(algorithm: str, name: Any, keys: Keys) -> Any:
    for anew in (False, True):
        fitting = list(_fitting(keys(anew), algorithm, name))
        if fitting and (name is not None or len(fitting) == 1):
            return _public(fitting[0], algorithm)
    raise ValueError("no published key fits it")


def _fitting(published: list[Any], algorithm: str, name: Any) -> Iterator[dict[str, Any]]:
    for key in published:
        if (
            isinstance(key, dict)
            and key.get("kty") == ALGORITHMS[algorithm]
            and key.get("use", "sig") == "sig"
            and key.get("alg", algorithm) == algorithm
            and (name is None or key.get("kid") == name)
        ):
            yield key


def _public(key: dict[str, Any], algorithm: str) -> Any:
    found = jwt.PyJWK.from_dict(key, algorithm=algorithm).key
    if algorithm == "RS256" and found.key_size < RSA_BITS_LEAST:
        raise ValueError(f"its RSA key is shorter than {RSA_BITS_LEAST} bits")
    if algorithm == "ES256" and found.curve.name != "secp256r1":
        raise ValueError("its key is of another curve")
    # what a key list publishes with its private half is public, too
    return found.public_key() if hasattr(found, "private_numbers") else found
