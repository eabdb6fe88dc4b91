"""Requests a token from port 80 of an address, as a CA does with HTTP-01 (RFC 8555 section 8.3).

nginx answers any token with the account's thumbprint, for every name, so a token that no other knows shows who
answers: this gate, or one that knows the account's key; a CA would be satisfied with either.
"""

import contextlib
import errno
import secrets
import ssl

import aiohttp
import yarl

import daemun
from daemun.core.issuance.preflight import facts, port80
from daemun.core.texts import words

PATH = "/.well-known/acme-challenge/"
_MOST_REDIRECTS = 10
"""As Let's Encrypt follows. Source: letsencrypt.org/docs/challenge-types"""
_MOST_BYTES = 1024
_PORTS = {"http": 80, "https": 443}
"""A CA follows redirects to no other port."""
_NO_WAY = frozenset({errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EADDRNOTAVAIL, errno.EACCES, errno.EPERM})


class _Redirected(Exception):  # noqa: N818 - it is an answer
    def __init__(self, reach_: facts.Reach, detail: str) -> None:
        self.reach, self.detail = reach_, detail


async def visit(host: str, address: facts.Address, thumbprint: str) -> facts.PreflightVisit:
    """Who answers for a host at one of its addresses. Redirects are followed while they stay there."""
    token = secrets.token_urlsafe(32)
    try:
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=port80.WAIT_S)) as session:
            how, detail = await _visit(session, host, address, f"{token}.{thumbprint}")
    except _Redirected as there:
        how, detail = there.reach, there.detail
    except TimeoutError:
        how, detail = facts.Reach.SILENT, ""
    except aiohttp.ClientConnectorError as error:
        how, detail = _judge_error(error.os_error)
    except OSError as error:
        how, detail = _judge_error(error)
    except (aiohttp.ClientError, ValueError):
        how, detail = facts.Reach.CLOSED, ""
    return facts.PreflightVisit(address=address, reach=how, detail=detail)


async def _visit(
    session: aiohttp.ClientSession, host: str, address: facts.Address, expected: str
) -> tuple[facts.Reach, str]:
    token = expected.partition(".")[0]
    url = yarl.URL.build(scheme="http", host=host, path=f"{PATH}{token}")
    seen = {url}
    for _ in range(_MOST_REDIRECTS + 1):
        async with session.get(
            url.with_host(str(address)),
            headers={"Host": url.raw_authority, "User-Agent": f"daemun/{daemun.__version__} (preflight)"},
            allow_redirects=False,
            ssl=unverified(),
            server_hostname=host,
        ) as response:
            location = response.headers.get("Location")
            if response.status not in {301, 302, 303, 307, 308} or location is None:
                return _judge_answer(response, await read_some(response, _MOST_BYTES), token, expected)
        url = _follow(url, location, host)
        if url in seen:
            break
        seen.add(url)
    return facts.Reach.LOOP, ""


def _follow(url: yarl.URL, location: str, host: str) -> yarl.URL:
    """The next URL. Raises: _Redirected when it leads away from the host, or to a port that no CA follows to."""
    try:
        there = url.join(yarl.URL(location))
    except ValueError:
        raise _Redirected(facts.Reach.OTHER, f"a redirect to {words.quoted(location)}, which is no URL") from None
    if there.host != host or _PORTS.get(there.scheme) != there.port:
        raise _Redirected(facts.Reach.MOVED, words.quoted(str(there.with_query(None).with_fragment(None))))
    return there


def _judge_answer(response: aiohttp.ClientResponse, body: bytes, token: str, expected: str) -> tuple[facts.Reach, str]:
    answer = body.rstrip(b" \t\r\n")
    if response.status == 200 and answer == expected.encode():
        return facts.Reach.HERE, ""
    if response.status == 200 and answer.startswith(f"{token}.".encode()):
        return facts.Reach.ACCOUNT, ""
    server = response.headers.get("Server")
    by = f" from {words.quoted(server[:40])}" if server else ""
    what = ", but not what daemun answers" if response.status == 200 else ""
    over = " over HTTPS, where it was redirected to" if response.url.scheme == "https" else ""
    return facts.Reach.OTHER, f"HTTP {response.status}{by}{over}{what}"


async def read_some(response: aiohttp.ClientResponse, most: int) -> bytes:
    """The first `most` bytes of the answer: the right answer is short."""
    body = b""
    with contextlib.suppress(aiohttp.ClientPayloadError):
        while len(body) < most and (chunk := await response.content.read(most - len(body))):
            body += chunk
    return body


def _judge_error(error: OSError) -> tuple[facts.Reach, str]:
    if isinstance(error, ConnectionRefusedError):
        return facts.Reach.REFUSED, ""
    if error.errno == errno.ETIMEDOUT:
        return facts.Reach.SILENT, ""
    if error.errno in _NO_WAY:
        return facts.Reach.NO_WAY, (error.strerror or "unreachable").lower()
    return facts.Reach.CLOSED, ""


def unverified() -> ssl.SSLContext:
    """Trusts any certificate. CAs look at none where a redirect leads to HTTPS: the name has none yet."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
