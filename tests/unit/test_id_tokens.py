"""Which ID tokens prove who somebody is."""

import collections.abc
import typing

import pytest
from joserfc import jwk

from daemun.judge.providers import id_tokens
from daemun.judge.providers.provider_error import ProviderError
from tests.support import identity_providers

NOW_S = 1_800_000_000.0
MEANT = {"iss": "https://id.test", "aud": "daemun", "nonce": "n"}
CLAIMS = {**MEANT, "sub": "1", "exp": int(NOW_S) + 60, "iat": int(NOW_S)}
Key = typing.Any


def verify(token: str, *keys: Key) -> id_tokens.Claims:
    algorithm, kid = id_tokens.find_header(token)
    public = tuple(one if isinstance(one, dict) else one.as_dict(private=False) for one in keys)
    return id_tokens.verify(token, id_tokens.choose(public, algorithm, kid), algorithm, now_s=NOW_S, **MEANT)


def sign(claims: dict[str, typing.Any], key: Key, algorithm: str, **header: typing.Any) -> str:
    from joserfc import jwt

    return jwt.encode({"alg": algorithm, **header}, claims, key, algorithms=[algorithm])


MAKERS: dict[str, collections.abc.Callable[[], Key]] = {
    "RS256": identity_providers.rsa_key,
    "PS384": identity_providers.rsa_key,
    "ES256": lambda: jwk.ECKey.generate_key("P-256"),
    "ES512": lambda: jwk.ECKey.generate_key("P-521"),
    "Ed25519": lambda: jwk.OKPKey.generate_key("Ed25519"),
}


@pytest.mark.parametrize("algorithm", MAKERS)
def test_signatures(algorithm: str) -> None:
    key = MAKERS[algorithm]()
    token = sign(CLAIMS, key, algorithm)
    assert verify(token, key)["sub"] == "1"
    # Among others, and without an identifier of the key.
    others = [make() for name, make in MAKERS.items() if name != algorithm]
    assert verify(token, *others, key)["sub"] == "1"
    head, body, signature = token.split(".")
    for changed in (f"{head}.{body}.", f"{head}.{body}.{signature[:-4]}AAAA", f"{head}.{body[:-4]}AAAA.{signature}"):
        with pytest.raises(ProviderError):
            verify(changed, key)


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": ["daemun"]},
        {"aud": ["daemun", "other"], "azp": "daemun"},
        {"azp": "daemun"},
        {"exp": int(NOW_S) - 30},
        {"iat": int(NOW_S) + 30},
    ],
)
def test_what_is_good(claims: dict[str, typing.Any]) -> None:
    key = identity_providers.rsa_key()
    assert verify(sign({**CLAIMS, **claims}, key, "RS256"), key)["sub"] == "1"


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": ["daemun", "other"]},
        {"aud": ["daemun", "other"], "azp": "other"},
        {"aud": "other"},
        {"aud": []},
        {"aud": 1},
        {"azp": None},
        {"azp": ["daemun"]},
        {"iss": "https://id.test/"},
        {"iss": ["https://id.test"]},
        {"nonce": ""},
        {"nonce": ["n"]},
        {"exp": int(NOW_S) - 61},
        {"exp": "soon"},
        {"exp": float("inf")},
        {"exp": True},
        {"iat": int(NOW_S) + 61},
        {"iat": None},
        {"nbf": int(NOW_S) + 61},
        {"sub": 1},
        {"sub": None},
    ],
)
def test_what_is_not(claims: dict[str, typing.Any]) -> None:
    key = identity_providers.rsa_key()
    with pytest.raises(ProviderError, match="ID token"):
        verify(sign({**CLAIMS, **claims}, key, "RS256"), key)


def test_keys_that_may_not_have_signed_it() -> None:
    key = identity_providers.rsa_key()
    public = key.as_dict(private=False)
    token = identity_providers.sign(CLAIMS)
    assert verify(token, public)
    for changed in (
        {"use": "enc"},
        {"kid": "two"},
        {"alg": "PS256"},
        {"kty": "EC"},
        {"n": "AQ"},
        {"n": 1},
        {"e": "AA"},
    ):
        with pytest.raises(ProviderError):
            verify(token, {**public, **changed})


def test_a_key_that_is_short() -> None:
    with pytest.warns(match="2048"):
        key = jwk.RSAKey.generate_key(1024, auto_kid=False)
        token = sign(CLAIMS, key, "RS256")
    with pytest.raises(ProviderError):
        verify(token, key)


@pytest.mark.parametrize(
    "token",
    [
        None,
        "",
        "a.b",
        "a.b.c",
        "." * 10,
        "x" * 100_000,
        identity_providers.without_signature(CLAIMS),
        identity_providers.sign_with_text(CLAIMS, b"daemun"),
        "eyJhbGciOlsiUlMyNTYiXX0.e30.AA",
        "W10.e30.AA",
    ],
)
def test_what_is_no_token(token: object) -> None:
    with pytest.raises(ProviderError):
        id_tokens.find_header(token)


def test_what_must_be_understood_and_is_not() -> None:
    """`crit` (RFC 7515 section 4.1.11)."""
    import base64
    import json

    key = identity_providers.rsa_key()
    header = json.dumps({"alg": "RS256", "crit": ["b64x"], "b64x": True}).encode()
    encoded = base64.urlsafe_b64encode(header).rstrip(b"=").decode()
    token = ".".join([encoded, *identity_providers.sign(CLAIMS).split(".")[1:]])
    with pytest.raises(ProviderError):
        verify(token, key)
