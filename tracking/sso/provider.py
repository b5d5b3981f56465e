"""The provider: what it announces, the keys it signs with, and what it gives for a code."""

from __future__ import annotations

import base64
import functools
import hashlib
import re
import threading
import time
from collections.abc import Callable
from typing import Any, Final, Generic, NamedTuple, TypeVar
from urllib.parse import quote_plus, urlencode

from tracking.sso.config import Config, is_safe
from tracking.sso.http import ask
from tracking.sso.refused import AWAY, UNPROVEN, Refused

KEPT_SECONDS: Final = 3600.0
# For a key that is not among those kept: a provider may have rotated, but a stranger with made-up
# key names must not make us ask it all the time.
KEYS_ANEW_SECONDS: Final = 10.0
# Who comes so soon after a failure is told at once: no thread waits for a provider that is away.
AGAIN_SECONDS: Final = 5.0

_ERROR_WORD: Final = re.compile(r"[a-z_]{1,40}")

T = TypeVar("T")


class Kept(Generic[T]):
    """What `fetch` brings, for as long as it is good; one thread asks, the others wait for it."""

    def __init__(self, fetch: Callable[[], T]) -> None:
        self._fetch = fetch
        self._lock = threading.Lock()
        self._value: T | None = None
        self._at = self._failed_at = float("-inf")

    def get(self, *, seconds: float | None = None) -> T:
        seconds = KEPT_SECONDS if seconds is None else seconds
        with self._lock:
            now = time.monotonic()
            if self._value is not None and now - self._at < seconds:
                return self._value
            if now - self._failed_at < AGAIN_SECONDS:
                raise Refused(AWAY, "the provider could not be reached a moment ago")
            try:
                self._value = self._fetch()
            except Refused:
                self._failed_at = time.monotonic()
                raise
            self._at = time.monotonic()
            return self._value


class Announced(NamedTuple):
    """Of the discovery document what is used here."""

    authorization: str
    token: str
    keys: str
    userinfo: str
    secret_in_form: bool


class Provider:
    def __init__(self, config: Config) -> None:
        self.config = config
        self._announced = Kept(self._discover)
        self._keys = Kept(self._fetch_keys)

    def announced(self) -> Announced:
        return self._announced.get()

    def keys(self, *, anew: bool = False) -> list[Any]:
        """The published keys (JWK); `anew`: none of those kept was the one."""
        return self._keys.get(seconds=KEYS_ANEW_SECONDS if anew else None)

    def authorization_url(self, *, state: str, nonce: str, verifier: str, callback: str) -> str:
        """Where the person is sent to sign in."""
        endpoint = self.announced().authorization
        challenge = hashlib.sha256(verifier.encode()).digest()
        query = urlencode(
            {
                "response_type": "code",
                "client_id": self.config.client_id,
                "redirect_uri": callback,
                "scope": " ".join(self.config.scopes),
                "state": state,
                "nonce": nonce,
                "code_challenge": base64.urlsafe_b64encode(challenge).rstrip(b"=").decode(),
                "code_challenge_method": "S256",
            }
        )
        return f"{endpoint}{'&' if '?' in endpoint else '?'}{query}"

    def tokens(self, *, code: str, verifier: str, callback: str) -> dict[str, Any]:
        """What the code is good for, once; nobody else can have it without the verifier."""
        announced, config = self.announced(), self.config
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": callback,
            "code_verifier": verifier,
        }
        headers = {}
        if announced.secret_in_form:
            form |= {"client_id": config.client_id, "client_secret": config.client_secret}
        else:
            pair = f"{quote_plus(config.client_id)}:{quote_plus(config.client_secret)}"
            headers["Authorization"] = "Basic " + base64.b64encode(pair.encode()).decode()
        status, told = ask(announced.token, form=form, headers=headers)
        if status != 200:
            raise Refused(UNPROVEN, f"the provider gave no token: {status} {word_of(told)}")
        return told

    def userinfo(self, access_token: str) -> dict[str, Any]:
        """Claims that the ID token leaves out; whose they are must be compared."""
        url = self.announced().userinfo
        if not url:
            return {}
        status, told = ask(url, headers={"Authorization": f"Bearer {access_token}"})
        if status != 200:
            raise Refused(UNPROVEN, f"the provider gave no user info: {status} {word_of(told)}")
        return told

    def _discover(self) -> Announced:
        issuer = self.config.issuer
        status, told = ask(f"{issuer.rstrip('/')}/.well-known/openid-configuration")
        if status != 200:
            raise Refused(AWAY, f"{issuer} announces nothing: its document answers {status}")
        if told.get("issuer") != issuer:
            raise Refused(
                AWAY, f"DFT_OIDC_ISSUER is {issuer}, but the provider names itself otherwise"
            )

        def endpoint(name: str, *, required: bool = True) -> str:
            url = told.get(name, "")
            if not url and not required:
                return ""
            if not isinstance(url, str) or not is_safe(url, issuer=issuer):
                raise Refused(AWAY, f"{issuer} announces no {name} that may be used")
            return url

        methods = told.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
        return Announced(
            authorization=endpoint("authorization_endpoint"),
            token=endpoint("token_endpoint"),
            keys=endpoint("jwks_uri"),
            userinfo=endpoint("userinfo_endpoint", required=False),
            secret_in_form="client_secret_basic" not in methods,
        )

    def _fetch_keys(self) -> list[Any]:
        status, told = ask(self.announced().keys)
        keys = told.get("keys")
        if status != 200 or not isinstance(keys, list):
            raise Refused(AWAY, f"the provider publishes no keys: {status}")
        return keys


def word_of(told: dict[str, Any]) -> str:
    """The error's name, if it is one: nothing else that came from elsewhere goes into the log."""
    word = told.get("error")
    return word if isinstance(word, str) and _ERROR_WORD.fullmatch(word) else "without a reason"


@functools.lru_cache(maxsize=4)
def provider_of(config: Config) -> Provider:
    """One for each process, so that what it announces is kept."""
    return Provider(config)
