"""A provider of OpenID Connect Core 1.0: authorization code flow with PKCE (RFC 7636). Slow to import (joserfc)."""

import asyncio
import base64
import collections.abc
import math
import typing
import urllib.parse

from daemun.core.access import login_providers
from daemun.judge.providers import id_tokens, oidc_metadata, pending_sign_ins, provider_error, provider_requests
from daemun.judge.providers.provider_error import ProviderError, ProviderFault

KEPT_S = 3600.0
"""How long the discovery document and the keys are used."""
KEYS_AGAIN_S = 60.0
"""For a key that is not known, keys are fetched anew, but no more often than this."""
FAILED_S = 5.0
"""How long a provider that did not answer is left alone."""


class OidcProvider:
    """One OpenID Connect provider. All methods are called on one event loop. now: seconds since the epoch."""

    def __init__(
        self,
        provider: login_providers.Provider,
        client: provider_requests.ProviderClient,
        now: collections.abc.Callable[[], float],
    ) -> None:
        self._provider = provider
        self._client = client
        self._now = now
        self._lock = asyncio.Lock()
        self._metadata: oidc_metadata.Metadata | None = None
        self._metadata_s = self._keys_s = self._failed_s = -math.inf
        self._failure: ProviderError | None = None
        self._keys: id_tokens.Keys = ()

    async def find_metadata(self) -> oidc_metadata.Metadata:
        """Raises: ProviderError."""
        async with self._lock:
            if self._metadata is not None and 0 <= self._now() - self._metadata_s < KEPT_S:
                return self._metadata
            if self._failure is not None and 0 <= self._now() - self._failed_s < FAILED_S:
                raise ProviderError(self._failure.fault, self._failure.cause)
            try:
                self._metadata = await oidc_metadata.fetch(self._provider.issuer, self._client)
            except ProviderError as error:
                self._failure, self._failed_s = error, self._now()
                raise
            self._metadata_s, self._failure = self._now(), None
            return self._metadata

    async def make_url(self, state: str, pending: pending_sign_ins.Pending) -> str:
        """The URL that the visitor is sent to. Raises: ProviderError."""
        metadata = await self.find_metadata()
        query = {
            "response_type": "code",
            "client_id": self._provider.client_id,
            "redirect_uri": pending.redirect_uri,
            "scope": " ".join(self._provider.scopes),
            "state": state,
            "nonce": pending.nonce,
            "code_challenge": pending_sign_ins.make_challenge(pending.verifier),
            "code_challenge_method": "S256",
        }
        joint = "&" if "?" in metadata.authorization else "?"
        return f"{metadata.authorization}{joint}{urllib.parse.urlencode(query)}"

    async def identify(
        self, query: collections.abc.Mapping[str, str], pending: pending_sign_ins.Pending, secret: str
    ) -> login_providers.Identity:
        """Who came back with this query. Raises: ProviderError."""
        metadata = await self.find_metadata()
        if query.get("iss", metadata.issuer if not metadata.has_iss else None) != metadata.issuer:
            raise ProviderError(ProviderFault.UNPROVEN, "the answer is of another provider (`iss`, RFC 9207)")
        if "error" in query:
            raise provider_error.from_code(query["error"])
        tokens = await self._redeem(metadata, query.get("code", ""), pending, secret)
        claims = await self._verify(metadata, tokens.get("id_token"), pending.nonce)
        if self._needs_more(claims) and metadata.userinfo:
            claims = merge(claims, await self._fetch_userinfo(metadata, tokens.get("access_token")))
        try:
            return login_providers.make_identity(
                self._provider,
                str(claims["sub"]),
                display=claims.get("name") or claims.get("preferred_username"),
                email=claims.get("email"),
                is_verified=claims.get("email_verified") in (True, "true"),
                groups=claims.get(self._provider.groups_claim) if self._provider.groups_claim else (),
            )
        except ValueError as error:
            raise ProviderError(ProviderFault.UNPROVEN, str(error)) from None

    async def _redeem(
        self, metadata: oidc_metadata.Metadata, code: str, pending: pending_sign_ins.Pending, secret: str
    ) -> dict[str, typing.Any]:
        """Source: RFC 6749 sections 4.1.3 and 2.3.1."""
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": pending.redirect_uri,
            "code_verifier": pending.verifier,
        }
        headers = {}
        if metadata.posts_secret:
            form |= {"client_id": self._provider.client_id, "client_secret": secret}
        else:
            both = ":".join(urllib.parse.quote_plus(text) for text in (self._provider.client_id, secret))
            headers["Authorization"] = f"Basic {base64.b64encode(both.encode()).decode()}"
        status, found = await self._client.post(metadata.token, form, headers)
        if status in {400, 401} and isinstance(found, dict) and "error" in found:
            raise provider_error.from_code(found["error"])
        if status != 200 or not isinstance(found, dict):
            raise ProviderError(ProviderFault.AWAY, f"its token endpoint answers with {status}, and with no token")
        return found

    async def _verify(self, metadata: oidc_metadata.Metadata, token: object, nonce: str) -> id_tokens.Claims:
        algorithm, kid = id_tokens.find_header(token)
        keys = await self._find_keys(metadata, algorithm, kid)
        meant = {"iss": metadata.issuer, "aud": self._provider.client_id, "nonce": nonce}
        return id_tokens.verify(str(token), keys, algorithm, now_s=self._now(), **meant)

    async def _find_keys(self, metadata: oidc_metadata.Metadata, algorithm: str, kid: str | None) -> id_tokens.Keys:
        async with self._lock:
            found = id_tokens.choose(self._keys, algorithm, kid)
            age_s = self._now() - self._keys_s
            if not 0 <= age_s < (KEPT_S if found else KEYS_AGAIN_S):
                self._keys = await oidc_metadata.fetch_keys(metadata, self._client)
                self._keys_s = self._now()
                found = id_tokens.choose(self._keys, algorithm, kid)
        return found

    def _needs_more(self, claims: id_tokens.Claims) -> bool:
        """Whether claims are missing that belong to what was requested."""
        wanted = {"email": "email_verified", "profile": "name"}
        missing = {scope for scope, claim in wanted.items() if claim not in claims} & set(self._provider.scopes)
        return bool(missing) or bool(self._provider.groups_claim and self._provider.groups_claim not in claims)

    async def _fetch_userinfo(self, metadata: oidc_metadata.Metadata, token: object) -> dict[str, typing.Any]:
        if not isinstance(token, str) or not token.isascii() or not token.isprintable():
            raise ProviderError(ProviderFault.AWAY, "its token endpoint answers without an access token")
        status, found = await self._client.get(metadata.userinfo, {"Authorization": f"Bearer {token}"})
        if status != 200 or not isinstance(found, dict):
            raise ProviderError(ProviderFault.AWAY, f"its userinfo endpoint answers with {status}, or with no JSON")
        return found


def merge(claims: id_tokens.Claims, userinfo: dict[str, typing.Any]) -> id_tokens.Claims:
    """What is known of a user; an address and whether it is verified come from the same place.

    Raises: ProviderError when userinfo is of another account (OpenID Connect Core section 5.3.2)."""
    if userinfo.get("sub") != claims["sub"]:
        raise ProviderError(ProviderFault.UNPROVEN, "its userinfo endpoint answers with another user")
    email = claims if "email_verified" in claims else userinfo
    both = {key: email.get(key) for key in ("email", "email_verified")}
    return {**userinfo, **claims, **both}
