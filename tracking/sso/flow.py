"""A sign-in from its beginning to its end: what is sent to the provider, what may come back.

What must be remembered meanwhile is in a signed cookie of the browser that began: a state in the
database would let every stranger who asks for the button's page write to it.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from django.core import signing

from tracking.models import User
from tracking.sso import people
from tracking.sso.config import Config
from tracking.sso.provider import provider_of, word_of
from tracking.sso.refused import DECLINED, STALE, UNPROVEN, Refused

MINUTES: Final = 10
_SALT: Final = "tracking.sso"


class Begun(NamedTuple):
    """One sign-in under way."""

    state: str
    nonce: str
    verifier: str
    next: str


def begin(config: Config, *, callback: str, then: str) -> tuple[str, str]:
    """Where to send the person, and the cookie that their browser must bring back."""
    begun = Begun(
        state=secrets.token_urlsafe(32),
        nonce=secrets.token_urlsafe(32),
        verifier=secrets.token_urlsafe(48),
        next=then,
    )
    url = provider_of(config).authorization_url(
        state=begun.state, nonce=begun.nonce, verifier=begun.verifier, callback=callback
    )
    return url, signing.dumps(list(begun), salt=_SALT)


def finish(
    config: Config, *, cookie: str, answer: Mapping[str, str], callback: str
) -> tuple[User, str]:
    """Who it is, and where they wanted to go. Every check that fails raises Refused."""
    begun = _begun(cookie)
    if not hmac.compare_digest(answer.get("state", "").encode(), begun.state.encode()):
        raise Refused(STALE, "the state is not that of this browser")
    # RFC 9207: an answer of another provider
    if answer.get("iss", config.issuer) != config.issuer:
        raise Refused(UNPROVEN, "the answer came from another issuer")
    if "error" in answer:
        raise Refused(DECLINED, f"the provider ended it: {word_of(dict(answer))}")
    code = answer.get("code", "")
    if not code:
        raise Refused(UNPROVEN, "the answer holds no code")
    provider = provider_of(config)
    tokens = provider.tokens(code=code, verifier=begun.verifier, callback=callback)
    # late: PyJWT is there only where the extra is
    from tracking.sso.tokens import claims_of

    claims = claims_of(
        tokens.get("id_token"),
        config=config,
        nonce=begun.nonce,
        keys=lambda anew: provider.keys(anew=anew),
    )
    claims, groups = _with_groups(config, claims, tokens.get("access_token"))
    return people.arrive(people.person_of(claims), groups, config), begun.next


def _begun(cookie: str) -> Begun:
    try:
        kept = signing.loads(cookie, salt=_SALT, max_age=MINUTES * 60)
        return Begun(*map(str, kept))
    except (signing.BadSignature, TypeError, ValueError):
        raise Refused(STALE, "no sign-in is under way in this browser, or not any more") from None


def _with_groups(
    config: Config, claims: dict[str, Any], access_token: Any
) -> tuple[dict[str, Any], list[str]]:
    """The claims, and the groups among them; what the token leaves out is asked for."""
    groups = people.groups_in(claims, config.groups_claim)
    if groups is None and isinstance(access_token, str):
        told = provider_of(config).userinfo(access_token)
        # without this, an access token of somebody else's would do
        if told.get("sub") == claims["sub"]:
            claims = {**told, **claims}
            groups = people.groups_in(claims, config.groups_claim)
    if groups is None:
        named = claims.get("_claim_names")
        overflow = isinstance(named, Mapping) and config.groups_claim in named
        people.log.warning(
            "the provider sends no claim %r%s",
            config.groups_claim,
            ", because there are too many groups: let it send only those of this application"
            if overflow
            else ": DFT_OIDC_SCOPES or its settings must ask for it",
        )
    return claims, groups or []
