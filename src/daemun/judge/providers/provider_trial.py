"""Whether identity providers can be used, without signing anybody in."""

import asyncio
import collections.abc

from daemun.core.access import login_providers
from daemun.judge.providers import github_provider, oidc_metadata, provider_requests
from daemun.judge.providers.provider_error import ProviderError


async def find_troubles(providers: collections.abc.Sequence[login_providers.Provider]) -> dict[str, str]:
    """By their keys, why those that cannot be used cannot. All are tried at once. Raises: OSError."""
    client = provider_requests.ProviderClient(await asyncio.to_thread(provider_requests.make_trust))
    try:
        found = await asyncio.gather(*(_find_trouble(one, client) for one in providers))
    finally:
        await client.close()
    return {one.key: cause for one, cause in zip(providers, found, strict=True) if cause is not None}


async def _find_trouble(provider: login_providers.Provider, client: provider_requests.ProviderClient) -> str | None:
    """Why it cannot be used; None: it answers as one does."""
    try:
        if provider.kind is login_providers.Kind.GITHUB:
            await client.get(github_provider.find_api(provider.issuer))  # 401 is an answer
            return None
        metadata = await oidc_metadata.fetch(provider.issuer, client)
        await oidc_metadata.fetch_keys(metadata, client)
    except ProviderError as error:
        return error.cause
    return None
