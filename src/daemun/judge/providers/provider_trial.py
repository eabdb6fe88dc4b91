"""Whether an identity provider can be used, without signing anybody in."""

from daemun.core.access import login_providers
from daemun.judge.providers import github_provider, oidc_metadata, provider_requests
from daemun.judge.providers.provider_error import ProviderError


async def find_trouble(provider: login_providers.Provider, client: provider_requests.ProviderClient) -> str | None:
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
