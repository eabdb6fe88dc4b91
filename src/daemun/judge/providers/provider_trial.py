"""Tests whether identity providers can be used, without a sign-in."""

import asyncio
import collections.abc

from daemun.core.access import login_providers
from daemun.errors import ConfigError
from daemun.judge.providers import github_provider, oidc_metadata, provider_requests, provider_roots
from daemun.judge.providers.provider_error import ProviderError


async def find_troubles(providers: collections.abc.Sequence[login_providers.Provider]) -> dict[str, str]:
    """By their keys, why those that cannot be used cannot. All are tried at once."""
    found = await asyncio.gather(*(_find_trouble(one) for one in providers))
    return {one.key: cause for one, cause in zip(providers, found, strict=True) if cause is not None}


async def _find_trouble(provider: login_providers.Provider) -> str | None:
    """None: it answers as one does."""
    try:
        roots = await asyncio.to_thread(provider_roots.read, provider.ca_file)
    except ConfigError as error:
        return str(error)
    trust = await asyncio.to_thread(provider_requests.make_trust, roots)
    client = provider_requests.ProviderClient(trust)
    try:
        if provider.kind is login_providers.ProviderKind.GITHUB:
            await client.get(github_provider.find_api(provider.issuer))  # 401 is an answer
            return None
        metadata = await oidc_metadata.fetch(provider.issuer, client)
        await oidc_metadata.fetch_keys(metadata, client)
    except ProviderError as error:
        return error.cause
    finally:
        await client.close()
    return None
