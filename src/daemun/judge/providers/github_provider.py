"""GitHub, and GitHub Enterprise Server, as a provider: OAuth 2 with PKCE, and its API for who the visitor is.

Source: docs.github.com/en/apps/oauth-apps/building-oauth-apps/authorizing-oauth-apps, docs.github.com/en/rest/users.
The account's number is the subject: its name may be another's tomorrow.
"""

import collections.abc
import typing
import urllib.parse

from daemun.core.access import login_providers
from daemun.core.options import login_provider_form
from daemun.judge.providers import pending_sign_ins, provider_error, provider_requests
from daemun.judge.providers.provider_error import ProviderError, ProviderFault


class GithubProvider:
    def __init__(self, provider: login_providers.Provider, client: provider_requests.ProviderClient) -> None:
        self._provider = provider
        self._client = client
        self._base = provider.issuer.rstrip("/")
        self._api = find_api(provider.issuer)

    async def make_url(self, state: str, pending: pending_sign_ins.Pending) -> str:
        """The URL that the visitor is sent to."""
        query = {
            "client_id": self._provider.client_id,
            "redirect_uri": pending.redirect_uri,
            "scope": " ".join(self._provider.scopes),
            "state": state,
            "code_challenge": pending_sign_ins.make_challenge(pending.verifier),
            "code_challenge_method": "S256",
        }
        return f"{self._base}/login/oauth/authorize?{urllib.parse.urlencode(query)}"

    async def identify(
        self, query: collections.abc.Mapping[str, str], pending: pending_sign_ins.Pending, secret: str
    ) -> login_providers.Identity:
        """Who came back with this query. Raises: ProviderError."""
        if "error" in query:
            raise provider_error.from_code(query["error"])
        token = await self._redeem(query.get("code", ""), pending, secret)
        user = await self._fetch("/user", token)
        number = user.get("id") if isinstance(user, dict) else None
        if not isinstance(number, int) or isinstance(number, bool):
            raise ProviderError(ProviderFault.AWAY, "its API answers with no user")
        try:
            return login_providers.make_identity(
                self._provider,
                str(number),
                display=user.get("name") or user.get("login"),
                email=await self._find_email(token),
                is_verified=True,
                groups=await self._find_organisations(token),
            )
        except ValueError as error:
            raise ProviderError(ProviderFault.UNPROVEN, str(error)) from None

    async def _redeem(self, code: str, pending: pending_sign_ins.Pending, secret: str) -> str:
        form = {
            "client_id": self._provider.client_id,
            "client_secret": secret,
            "code": code,
            "redirect_uri": pending.redirect_uri,
            "code_verifier": pending.verifier,
        }
        status, found = await self._client.post(f"{self._base}/login/oauth/access_token", form)
        if isinstance(found, dict) and "error" in found:  # with 200
            raise provider_error.from_code(found["error"])
        token = found.get("access_token") if isinstance(found, dict) else None
        if status != 200 or not isinstance(token, str) or not token.isascii() or not token.isprintable():
            raise ProviderError(ProviderFault.AWAY, f"its token endpoint answers with {status}, and with no token")
        return token

    async def _find_email(self, token: str) -> str | None:
        """The primary address, if it is verified. None: there is none, or the scope is missing."""
        if not {"user:email", "user"} & set(self._provider.scopes):
            return None
        found = await self._fetch("/user/emails", token)
        every = [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []
        mine = (one.get("email") for one in every if one.get("primary") is True and one.get("verified") is True)
        return next((one for one in mine if isinstance(one, str)), None)

    async def _find_organisations(self, token: str) -> list[object]:
        if not login_provider_form.GITHUB_GROUPS & set(self._provider.scopes):
            return []
        found = await self._fetch("/user/orgs?per_page=100", token)
        return [one.get("login") for one in found if isinstance(one, dict)] if isinstance(found, list) else []

    async def _fetch(self, path: str, token: str) -> typing.Any:
        headers = {
            "Authorization": f"Bearer {token}",
            "Accept": "application/vnd.github+json",
            "X-GitHub-Api-Version": "2022-11-28",
        }
        status, found = await self._client.get(f"{self._api}{path}", headers)
        if status != 200 or found is None:
            raise ProviderError(
                ProviderFault.AWAY, f"its API answers {path.partition('?')[0]} with {status}, or with no JSON"
            )
        return found


def find_api(issuer: str) -> str:
    """docs.github.com/en/enterprise-server@3.17/rest/quickstart."""
    base = issuer.rstrip("/")
    return "https://api.github.com" if base == login_provider_form.GITHUB else f"{base}/api/v3"
