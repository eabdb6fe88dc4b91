"""Uses all that a sign-in at a provider needs once: what is imported late is imported now, and the process may read
nothing later."""

import asyncio
import contextlib
import socket
import time

from joserfc import jwk, jwt

from daemun.judge.providers import id_tokens, oidc_provider, provider_error, provider_requests

_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"


async def make_client() -> provider_requests.ProviderClient:
    """Raises: OSError."""
    client = provider_requests.ProviderClient(provider_requests.make_trust())
    await _fetch_once(client)
    for key, algorithm in ((jwk.ECKey.generate_key("P-256"), "ES256"), (jwk.OKPKey.generate_key("Ed25519"), "Ed25519")):
        _verify_once(key, algorithm)
    # An RSA key takes long to make: what is imported late is the same with one that signed nothing.
    with contextlib.suppress(provider_error.ProviderError):
        id_tokens.verify(_NO_TOKEN, ({"kty": "RSA", "n": _MODULUS, "e": "AQAB"},), "RS256", now_s=0, **_MEANT)
    return client


async def _fetch_once(client: provider_requests.ProviderClient) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(_ANSWER)
        await writer.drain()
        writer.close()

    loop = asyncio.get_running_loop()
    with contextlib.suppress(OSError):  # there may be no name service
        await loop.getaddrinfo("localhost", 443, type=socket.SOCK_STREAM)
    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        for host in ("127.0.0.1", "localhost"):
            with contextlib.suppress(provider_error.ProviderError):
                await client.post(f"http://{host}:{port}/", {"a": "b"})


def _verify_once(key: jwk.ECKey | jwk.OKPKey, algorithm: str) -> None:
    now_s = time.time()
    claims = {**_MEANT, "sub": "warm-up", "exp": int(now_s) + 60, "iat": int(now_s)}
    token = jwt.encode({"alg": algorithm}, claims, key, algorithms=[algorithm])
    found, kid = id_tokens.find_header(token)
    keys = id_tokens.choose((key.as_dict(private=False),), found, kid)
    id_tokens.verify(token, keys, found, now_s=now_s, **_MEANT)


_MEANT = {"iss": "https://warm-up.invalid", "aud": "daemun", "nonce": "0"}
_MODULUS = "w" * 342
_NO_TOKEN = "eyJhbGciOiJSUzI1NiJ9.e30." + "A" * 342
CONNECTIONS = (oidc_provider.OidcProvider,)
"""What `provider_sign_in` imports late."""
