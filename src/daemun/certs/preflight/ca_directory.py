"""Fetches a CA's directory (RFC 8555 section 7.1.1): whether it answers, what it calls itself, and the time."""

import asyncio
import dataclasses
import datetime
import email.utils
import json
import ssl

import aiohttp
import certifi

import daemun
from daemun import regular_files
from daemun.certs.preflight import port80_visits
from daemun.control import ports
from daemun.core import model
from daemun.core.issuance.preflight import facts
from daemun.core.texts import words

WAIT_S = 5.0
KEPT_S = 60.0
"""How long an answer is good for: many orders that begin together fetch it once."""
_FAILURES, _TOO_MANY = 500, 429
_MOST_BYTES = 64 << 10
_EXPIRED, _NOT_YET = 10, 9
"""X509_V_ERR_CERT_HAS_EXPIRED, X509_V_ERR_CERT_NOT_YET_VALID. Source: openssl/x509_vfy.h"""


class Directories:
    """The directories of CAs, each kept for a minute. One per event loop."""

    def __init__(self, clock: ports.Clock) -> None:
        self._clock = clock
        self._cached: dict[tuple[str, str | None], tuple[float, facts.CaDirectory]] = {}
        self._fetching: dict[tuple[str, str | None], asyncio.Lock] = {}

    async def fetch(self, authority: model.Authority) -> facts.CaDirectory:
        """Takes WAIT_S at most, and raises nothing."""
        key = (authority.directory, authority.ca_file)
        loop = asyncio.get_running_loop()
        async with self._fetching.setdefault(key, asyncio.Lock()):
            kept = self._cached.get(key)
            if kept is not None and loop.time() < kept[0]:
                return kept[1]
            found = await fetch_directory(authority, self._clock)
            if found.answer is facts.CaAnswer.DIRECTORY:
                self._cached[key] = (loop.time() + KEPT_S, found)
            return found


async def fetch_directory(authority: model.Authority, clock: ports.Clock) -> facts.CaDirectory:
    """Fetch it now. Raises nothing."""
    try:
        # The roots that `acme`'s library trusts, and the proxies that it uses.
        roots = authority.ca_file or certifi.where()
        regular_files.check(roots)
        trust = ssl.create_default_context(cafile=roots)
    except (OSError, ssl.SSLError) as error:
        return facts.CaDirectory(answer=facts.CaAnswer.UNTRUSTED, detail=f"{authority.ca_file}: {_brief(error)}")
    agent = {"User-Agent": f"daemun/{daemun.__version__}"}
    wait = aiohttp.ClientTimeout(total=WAIT_S)
    try:
        async with (
            aiohttp.ClientSession(timeout=wait, trust_env=True, headers=agent) as session,
            session.get(authority.directory, ssl=trust) as response,
        ):
            ahead = _compare(response, clock.now())
            return _read(response, await port80_visits.read_some(response, _MOST_BYTES), ahead)
    except aiohttp.ClientConnectorCertificateError as error:
        found = _judge_certificate(error.certificate_error)
        if found.answer is facts.CaAnswer.NOT_NOW:
            found = dataclasses.replace(found, ahead=await _query_time(authority, clock))
        return found
    except TimeoutError:
        return facts.CaDirectory(answer=facts.CaAnswer.UNREACHABLE, detail=f"no answer within {WAIT_S:g} s")
    except aiohttp.ClientConnectorError as error:
        return facts.CaDirectory(answer=facts.CaAnswer.UNREACHABLE, detail=_brief(error.os_error))
    except (aiohttp.ClientError, OSError, ValueError) as error:
        return facts.CaDirectory(answer=facts.CaAnswer.NO_DIRECTORY, detail=type(error).__name__)


async def _query_time(authority: model.Authority, clock: ports.Clock) -> datetime.timedelta | None:
    """As a directory's `ahead`, of a CA whose certificate would be good at another time: which of the two is wrong?"""
    wait = aiohttp.ClientTimeout(total=WAIT_S)
    try:
        async with (
            aiohttp.ClientSession(timeout=wait, trust_env=True) as session,
            session.head(authority.directory, ssl=port80_visits.unverified()) as response,
        ):
            return _compare(response, clock.now())
    except (TimeoutError, aiohttp.ClientError, OSError, ValueError):
        return None


def _read(response: aiohttp.ClientResponse, body: bytes, ahead: datetime.timedelta | None) -> facts.CaDirectory:
    if response.status >= _FAILURES or response.status == _TOO_MANY:
        return facts.CaDirectory(answer=facts.CaAnswer.IN_TROUBLE, ahead=ahead, detail=f"HTTP {response.status}")
    if response.status != 200:
        return facts.CaDirectory(answer=facts.CaAnswer.NO_DIRECTORY, ahead=ahead, detail=f"HTTP {response.status}")
    try:
        value = json.loads(body)
    except ValueError:
        value = None
    if not isinstance(value, dict) or not isinstance(value.get("newOrder"), str):
        return facts.CaDirectory(
            answer=facts.CaAnswer.NO_DIRECTORY, ahead=ahead, detail='JSON without "newOrder" is none'
        )
    meta = value.get("meta")
    named = meta.get("caaIdentities") if isinstance(meta, dict) else None
    own = tuple(one.lower() for one in named if isinstance(one, str) and one) if isinstance(named, list) else ()
    return facts.CaDirectory(answer=facts.CaAnswer.DIRECTORY, identities=own, ahead=ahead)


def _compare(response: aiohttp.ClientResponse, now: datetime.datetime) -> datetime.timedelta | None:
    """How far `now` is ahead of the server. Source: RFC 9110 section 6.6.1; RFC 9111 section 5.1 for Age."""
    try:
        then = email.utils.parsedate_to_datetime(response.headers.get("Date", ""))
    except ValueError:
        return None
    age = response.headers.get("Age", "")
    seconds = int(age) if age.isascii() and age.isdecimal() and len(age) < 9 else 0
    then = then.replace(tzinfo=then.tzinfo or datetime.UTC) + datetime.timedelta(seconds=seconds)
    return now - then


def _judge_certificate(error: Exception) -> facts.CaDirectory:
    if isinstance(error, ssl.SSLCertVerificationError):
        if error.verify_code in {_EXPIRED, _NOT_YET}:
            return facts.CaDirectory(answer=facts.CaAnswer.NOT_NOW, detail=error.verify_message)
        return facts.CaDirectory(answer=facts.CaAnswer.UNTRUSTED, detail=error.verify_message)
    return facts.CaDirectory(answer=facts.CaAnswer.UNTRUSTED, detail=type(error).__name__)


def _brief(error: Exception) -> str:
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return words.quoted(text)[1:-1].lower()
