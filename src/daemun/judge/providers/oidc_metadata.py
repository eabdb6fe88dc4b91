"""The discovery document of a provider (OpenID Connect Discovery 1.0 section 3), and its keys."""

import dataclasses
import typing

from daemun.judge.providers import provider_requests
from daemun.judge.providers.provider_error import ProviderError, ProviderFault

_MOST_KEYS = 100
PATH = "/.well-known/openid-configuration"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Metadata:
    """issuer: as the provider writes it. userinfo: "": there is none. has_iss: whether it names itself to who comes
    back (RFC 9207). posts_secret: whether the client's secret goes into the form instead of a header."""

    issuer: str
    authorization: str
    token: str
    jwks: str
    userinfo: str = ""
    has_iss: bool = False
    posts_secret: bool = False


def find_url(issuer: str) -> str:
    return f"{issuer.rstrip('/')}{PATH}"


async def fetch(issuer: str, client: provider_requests.ProviderClient) -> Metadata:
    """Raises: ProviderError."""
    url = find_url(issuer)
    status, content = await client.get(url)
    if status != 200:
        raise ProviderError(ProviderFault.AWAY, f"{url} answers with {status}; correct `oidc`, the issuer")
    return read(content, issuer)


async def fetch_keys(metadata: Metadata, client: provider_requests.ProviderClient) -> tuple[dict[str, typing.Any], ...]:
    """As published (RFC 7517). Raises: ProviderError."""
    status, content = await client.get(metadata.jwks)
    keys = content.get("keys") if isinstance(content, dict) else None
    if status != 200 or not isinstance(keys, list):
        raise ProviderError(ProviderFault.AWAY, f"its keys cannot be had: `jwks_uri` answers with {status}")
    return tuple(one for one in keys[:_MOST_KEYS] if isinstance(one, dict))


def read(content: typing.Any, issuer: str) -> Metadata:
    """issuer: as configured; a slash at its end makes no difference. Raises: ProviderError."""
    if not isinstance(content, dict):
        raise ProviderError(ProviderFault.AWAY, f"at {find_url(issuer)} is no discovery document")
    named = content.get("issuer")
    if not isinstance(named, str) or named.rstrip("/") != issuer.rstrip("/"):
        raise ProviderError(
            ProviderFault.AWAY, f"the discovery document at {find_url(issuer)} is of another issuer; write its `issuer`"
        )
    methods = content.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
    every = methods if isinstance(methods, list) else []
    userinfo = content.get("userinfo_endpoint")
    return Metadata(
        issuer=named,
        authorization=provider_requests.check_endpoint(content.get("authorization_endpoint"), issuer),
        token=provider_requests.check_endpoint(content.get("token_endpoint"), issuer),
        jwks=provider_requests.check_endpoint(content.get("jwks_uri"), issuer),
        userinfo="" if userinfo is None else provider_requests.check_endpoint(userinfo, issuer),
        has_iss=content.get("authorization_response_iss_parameter_supported") is True,
        posts_secret="client_secret_basic" not in every and "client_secret_post" in every,
    )
