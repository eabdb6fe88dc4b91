"""The discovery document of a provider (OpenID Connect Discovery 1.0 section 3). No I/O."""

import dataclasses
import typing

from daemun.judge.providers import provider_requests
from daemun.judge.providers.provider_error import Fault, ProviderError

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


def read(content: typing.Any, issuer: str) -> Metadata:
    """issuer: as configured; a slash at its end makes no difference. Raises: ProviderError."""
    if not isinstance(content, dict):
        raise ProviderError(Fault.AWAY, f"at {find_url(issuer)} is no discovery document")
    named = content.get("issuer")
    if not isinstance(named, str) or named.rstrip("/") != issuer.rstrip("/"):
        raise ProviderError(
            Fault.AWAY, f"the discovery document at {find_url(issuer)} is of another issuer; write its `issuer`"
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
