"""Whether an ID token proves who the visitor is (OpenID Connect Core section 3.1.3.7). No I/O; the time is an argument.

Slow to import (joserfc), so only `oidc_provider` does.
"""

import base64
import binascii
import collections.abc
import typing
import warnings

from joserfc import errors, jwk, jws, jwt

from daemun.judge.providers.provider_error import ProviderError, ProviderFault

KEY_TYPES = {
    **dict.fromkeys(("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"), "RSA"),
    **dict.fromkeys(("ES256", "ES384", "ES512"), "EC"),
    **dict.fromkeys(("EdDSA", "Ed25519"), "OKP"),
}
"""Algorithms that are taken -> the type of their keys (RFC 7518 section 6.1, RFC 9864). Only the provider has the
private key of each: neither `none` nor HS256, whose key is the client's secret, or a public key taken for one."""
LEEWAY_S = 60
LONGEST = 64 << 10
_RSA_BITS = (2048, 8192)
_MOST_TRIED = 10

Claims = dict[str, typing.Any]
Keys = tuple[dict[str, typing.Any], ...]
"""As a provider publishes them (RFC 7517)."""


def find_header(token: object) -> tuple[str, str | None]:
    """The algorithm and the key's identifier. Raises: ProviderError."""
    if not isinstance(token, str) or len(token) > LONGEST:
        raise _unproven("there is none")
    try:
        header = jws.extract_compact(token.encode()).headers()
    except (errors.JoseError, ValueError, TypeError, AttributeError):
        raise _unproven("it is no signed token") from None
    algorithm, kid = header.get("alg"), header.get("kid")
    if not isinstance(algorithm, str) or algorithm not in KEY_TYPES:
        raise _unproven("it is signed with an algorithm that is not taken")
    return algorithm, kid if isinstance(kid, str) else None


def choose(keys: Keys, algorithm: str, kid: str | None) -> Keys:
    """Those that may have signed it."""
    return tuple(
        one
        for one in keys
        if one.get("kty") == KEY_TYPES[algorithm]
        and one.get("use") in {None, "sig"}
        and one.get("alg") in {None, algorithm}
        and (kid is None or one.get("kid") == kid)
    )[:_MOST_TRIED]


def verify(
    token: str, keys: collections.abc.Iterable[dict[str, typing.Any]], algorithm: str, *, now_s: float, **meant: str
) -> Claims:
    """keys: those that may have signed it. meant: `iss`, `aud` and `nonce`. Raises: ProviderError."""
    claims = next((found for key in keys if (found := _decode(token, key, algorithm)) is not None), None)
    if claims is None:
        raise _unproven("no key of the provider signed it")
    rules = jwt.JWTClaimsRegistry(
        now=int(now_s),
        leeway=LEEWAY_S,
        iss={"essential": True, "value": meant["iss"]},
        aud={"essential": True, "value": meant["aud"]},
        nonce={"essential": True, "value": meant["nonce"]},
        sub={"essential": True},
        exp={"essential": True},
        iat={"essential": True},
    )
    try:
        rules.validate(claims)
    except errors.ExpiredTokenError:
        raise _unproven("it is expired; compare the clocks of both machines") from None
    except errors.ClaimError as error:
        raise _unproven(f"its claim `{error.claim}` is missing or wrong") from None
    except (errors.JoseError, ValueError, TypeError):
        raise _unproven("its claims are none") from None
    if claims["nonce"] != meant["nonce"]:  # a list that has it is none
        raise _unproven("its claim `nonce` is missing or wrong")
    audiences = claims["aud"] if isinstance(claims["aud"], list) else [claims["aud"]]
    if claims.get("azp", meant["aud"] if len(audiences) == 1 else None) != meant["aud"]:
        raise _unproven("its claim `azp` is missing or wrong")
    return claims


def _decode(token: str, key: dict[str, typing.Any], algorithm: str) -> Claims | None:
    """None: this key did not sign it."""
    if key.get("kty") == "RSA" and not _RSA_BITS[0] <= _count_bits(key.get("n")) <= _RSA_BITS[1]:
        return None
    public = {name: value for name, value in key.items() if name in {"kty", "n", "e", "crv", "x", "y"}}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of algorithms that it does not recommend
            return dict(jwt.decode(token, jwk.import_key(public), algorithms=[algorithm]).claims)
    except (errors.JoseError, ValueError, TypeError, KeyError, RecursionError):
        return None


def _count_bits(number: object) -> int:
    if not isinstance(number, str) or len(number) > 2048:
        return 0
    try:
        decoded = base64.urlsafe_b64decode(number + "=" * (-len(number) % 4))
    except (binascii.Error, ValueError):
        return 0
    return int.from_bytes(decoded, "big").bit_length()


def _unproven(cause: str) -> ProviderError:
    return ProviderError(ProviderFault.UNPROVEN, f"the ID token is not good: {cause}")
