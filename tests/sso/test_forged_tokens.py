"""ID tokens that a provider of ours did not make for us, now: each is refused.

The real provider's answer is changed on its way. The test has the provider's key, so that each
forgery is wrong in one thing alone; the first test shows that nothing else is.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from tests.sso.world import CLIENT, SECRET, Browser, Meddler, Provider, config
from tracking.models import User

New = Callable[[], Browser]
Claims = dict[str, Any]

NOW = int(time.time())


def sign(provider: Provider, claims: Claims, *, key: Any = None, **header: Any) -> str:
    algorithm = header.pop("alg", "RS256")
    return jwt.encode(claims, key or provider.key, algorithm=algorithm, headers=header)


def unsigned(claims: Claims, kid: str, signature: str = "") -> str:
    parts = ({"alg": "none", "typ": "JWT", "kid": kid}, claims)
    texts = [
        base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts
    ]
    return f"{'.'.join(texts)}.{signature}"


def by_public_key(provider: Provider, claims: Claims, kid: str) -> str:
    """What a checker believes that takes the public key, which everybody has, for a secret."""
    pem = provider.key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    signed = unsigned(claims, kid).replace(
        unsigned({}, kid).split(".")[0],
        base64.urlsafe_b64encode(json.dumps({"alg": "HS256", "kid": kid}).encode())
        .rstrip(b"=")
        .decode(),
    )[:-1]
    mac = hmac.new(pem, signed.encode(), hashlib.sha256).digest()
    return f"{signed}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"


def put(**claims: Any) -> Any:
    return lambda p, told, kid: sign(p, {**told, **claims}, kid=kid)


def without(name: str) -> Any:
    return lambda p, told, kid: sign(p, {k: v for k, v in told.items() if k != name}, kid=kid)


FORGERIES: dict[str, Any] = {
    "another key of that name": lambda p, told, kid: sign(
        p, told, key=rsa.generate_private_key(65537, 2048), kid=kid
    ),
    "a key nobody published": lambda p, told, kid: sign(
        p, told, key=rsa.generate_private_key(65537, 2048), kid="mine"
    ),
    "a key that the token brings": lambda p, told, kid: (
        lambda key: sign(
            p,
            told,
            key=key,
            kid=kid,
            jwk=json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key())),
        )
    )(rsa.generate_private_key(65537, 2048)),
    "no algorithm": lambda p, told, kid: unsigned(told, kid),
    "no algorithm, a signature": lambda p, told, kid: unsigned(told, kid, "AAAA"),
    "the client's secret as key": lambda p, told, kid: sign(
        p, told, key=SECRET, alg="HS256", kid=kid
    ),
    "the public key as secret": by_public_key,
    "another algorithm of the key": lambda p, told, kid: sign(p, told, alg="RS512", kid=kid),
    "claims changed after signing": lambda p, told, kid: ".".join(
        (
            sign(p, told, kid=kid).split(".")[0],
            unsigned({**told, "groups": ["dft-admins"]}, kid).split(".")[1],
            sign(p, told, kid=kid).split(".")[2],
        )
    ),
    "for another application": put(aud="another"),
    "for several, and not made for us": put(aud=[CLIENT, "another"]),
    "for several, made for another": put(aud=[CLIENT, "another"], azp="another"),
    "made for another": put(azp="another"),
    "for nobody": without("aud"),
    "of another issuer": put(iss="https://evil.example"),
    "of an issuer that begins alike": lambda p, told, kid: sign(
        p, {**told, "iss": told["iss"] + "/"}, kid=kid
    ),
    "of no issuer": without("iss"),
    "expired": put(exp=NOW - 120, iat=NOW - 3600),
    "that never expires": without("exp"),
    "that expires never": put(exp=float("inf")),
    "of tomorrow": put(iat=NOW + 86_400, exp=NOW + 90_000),
    "not good yet": put(nbf=NOW + 3_600),
    "for another sign-in": put(nonce="of-another"),
    "for no sign-in": without("nonce"),
    "for a list of sign-ins": lambda p, told, kid: sign(
        p, {**told, "nonce": [told["nonce"]]}, kid=kid
    ),
    "about nobody": without("sub"),
    "about an empty name": put(sub=""),
    "about a number": put(sub=7),
    "about half a letter": put(sub="\ud800"),
    "no token": lambda p, told, kid: "nonsense",
    "an empty token": lambda p, told, kid: "",
    "a list": lambda p, told, kid: ["x"],
    "nothing": lambda p, told, kid: None,
    "too large": lambda p, told, kid: sign(p, {**told, "x": "y" * 70_000}, kid=kid),
}


def answering(provider: Provider, forge: Any) -> Callable[[Claims], Claims]:
    """The change of the token endpoint's answer."""

    def change(answer: Claims) -> Claims:
        told = jwt.decode(answer["id_token"], options={"verify_signature": False})
        kid = jwt.get_unverified_header(answer["id_token"])["kid"]
        return {**answer, "id_token": forge(provider, told, kid)}

    return change


def test_a_token_that_was_only_signed_again_is_accepted(
    provider: Provider, meddler: Meddler, browser: New
) -> None:
    meddler.changes["/o/token/"] = answering(provider, put())
    assert browser().sign_in("alice").status_code == 200


def test_each_forged_token_is_refused(
    provider: Provider, meddler: Meddler, browser: New, caplog: Any
) -> None:
    believed = []
    for name, forge in FORGERIES.items():
        caplog.clear()
        meddler.changes["/o/token/"] = answering(provider, forge)
        alice = browser()
        page = alice.sign_in("alice")
        told = "single sign-on refused: the ID token does not hold: " in caplog.text
        if page.status_code != 403 or "did not hold" not in page.text or not told:
            believed.append(name)
        assert "dft_session" not in alice.session.cookies, name
    assert believed == []
    assert not User.objects.filter(username="alice").exists()


def test_a_nonce_changed_on_the_way_is_found(provider: Provider, browser: New) -> None:
    """The provider itself signs what was asked for; it was not what we asked for."""
    alice = browser()
    asked = alice.get(alice.button(), follow=False).headers["location"]
    nonce = asked.partition("nonce=")[2].partition("&")[0]
    page = alice.go_on(alice.get(asked.replace(nonce, "of-another")), "alice")
    assert page.status_code == 403
    assert not alice.is_in()


@pytest.mark.filterwarnings("ignore:The RSA key is 1024 bits long")
def test_keys_on_a_curve_are_taken_as_well(
    provider: Provider, meddler: Meddler, browser: New
) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    short = rsa.generate_private_key(65537, 1024)  # noqa: S505 - which is to be refused
    published = {
        "curve": json.loads(jwt.algorithms.ECAlgorithm.to_jwk(key.public_key())),
        "short": json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(short.public_key())),
    }
    meddler.changes["jwks.json"] = lambda told: {
        "keys": [
            7,
            {"kty": "what", "kid": "curve"},
            *({**jwk, "kid": kid, "use": "sig"} for kid, jwk in published.items()),
        ]
    }
    meddler.changes["/o/token/"] = answering(
        provider, lambda p, told, kid: sign(p, told, key=key, alg="ES256", kid="curve")
    )
    assert browser().sign_in("alice").status_code == 200
    meddler.changes["/o/token/"] = answering(
        provider, lambda p, told, kid: sign(p, told, key=short, kid="short")
    )
    assert browser().sign_in("alice").status_code == 403


def test_groups_that_the_token_leaves_out_are_asked_for(
    provider: Provider, meddler: Meddler, browser: New
) -> None:
    meddler.changes["/o/token/"] = answering(provider, without("groups"))
    assert browser().sign_in("alice").status_code == 200
    meddler.changes["/o/userinfo/"] = lambda told: {**told, "sub": "somebody else"}
    assert browser().sign_in("alice").status_code == 403
    meddler.changes["/o/userinfo/"] = lambda told: 401
    assert browser().sign_in("alice").status_code == 403


IMPOSSIBLE: tuple[Any, ...] = (
    lambda told: {**told, "issuer": "https://evil.example"},
    lambda told: {**told, "issuer": told["issuer"] + "/"},
    lambda told: {**told, "token_endpoint": "http://evil.example/token"},
    lambda told: {**told, "authorization_endpoint": "javascript:alert(1)"},
    lambda told: {**told, "jwks_uri": "file:///etc/passwd"},
    lambda told: {**told, "jwks_uri": ["x"]},
    lambda told: {},
    lambda told: [],
    lambda told: {"x": "y" * (1 << 20)},
)


def test_a_provider_that_announces_what_cannot_be_is_not_used(
    provider: Provider, meddler: Meddler, browser: New, settings: Any
) -> None:
    for number, change in enumerate(IMPOSSIBLE):
        settings.DFT_OIDC = config(meddler.issuer)
        meddler.changes["openid-configuration"] = change
        page = browser().get("/admin/sso/")
        assert page.status_code == 503, number
        assert "evil" not in page.text


def test_the_secret_is_sent_as_the_provider_takes_it(
    provider: Provider, meddler: Meddler, browser: New, settings: Any
) -> None:
    for methods in (["client_secret_post"], None, ["client_secret_basic"]):
        settings.DFT_OIDC = config(meddler.issuer)
        meddler.changes["openid-configuration"] = lambda told, methods=methods: {
            **told,
            "token_endpoint_auth_methods_supported": methods,
        }
        assert browser().sign_in("alice").status_code == 200


def test_a_secret_that_the_provider_does_not_know_is_told_in_the_log(
    provider: Provider, browser: New, settings: Any, caplog: Any
) -> None:
    settings.DFT_OIDC = config(provider.issuer, DFT_OIDC_CLIENT_SECRET="another")
    assert browser().sign_in("alice").status_code == 403
    assert "the provider gave no token: 401 invalid_client" in caplog.text
