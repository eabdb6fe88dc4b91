"""Decisions of CrowdSec's local API, as its bouncers get them.

Source: docs.crowdsec.net, "Local API", and its swagger: GET /v1/decisions/stream with the key in X-Api-Key. With
`startup=true` all that hold, then what changed since the last request of the same key. Scopes Ip and Range; of the
types only `ban`, for the others need a page of CrowdSec's own.
"""

import asyncio
import collections.abc
import dataclasses
import datetime
import json
import re

from daemun import causes, secret
from daemun.core.access import banned_networks
from daemun.core.options import crowdsec_option
from daemun.errors import ConfigError

WITHIN_S = 30.0
MOST_BYTES = 128 << 20
_PATH = "/v1/decisions/stream"
_SCOPES = frozenset({"ip", "range"})
_DURATION = re.compile(r"-?(?:[0-9]+(?:\.[0-9]*)?(?:h|ms|m|s|us|µs|ns))+\Z")
_PART = re.compile(r"([0-9]+(?:\.[0-9]*)?)(h|ms|m|s|us|µs|ns)")
_UNITS_S = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_LONGEST_S = 3650 * 86400.0


class StreamError(Exception):
    """Why there are no decisions now, and what to do, without the key."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """new: bans that hold now. deleted: networks. is_all: `new` is all that there is."""

    new: tuple[banned_networks.Ban, ...]
    deleted: tuple[str, ...]
    is_all: bool


async def fetch(crowdsec: crowdsec_option.CrowdSec, version: str, *, startup: bool) -> Changes:
    """Raises: StreamError."""
    import aiohttp  # noqa: PLC0415 - slow, and for gates with `crowdsec` only

    url = f"{crowdsec.url.rstrip('/')}{_PATH}"
    timeout = aiohttp.ClientTimeout(total=WITHIN_S)
    try:
        headers = {"X-Api-Key": await asyncio.to_thread(secret.read, crowdsec.key), "User-Agent": f"daemun/{version}"}
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.get(
                url, params={"startup": str(startup).lower()}, headers=headers, allow_redirects=False
            ) as response,
        ):
            if response.status == 403:
                raise StreamError("it does not take the key; make one with `cscli bouncers add daemun`")
            if response.status != 200:
                raise StreamError(f"it answers {response.status}; `crowdsec.url` is to be the local API's")
            content = b""
            parts = []
            size = 0
            async for part in response.content.iter_chunked(1 << 20):
                size += len(part)
                if size > MOST_BYTES:
                    raise StreamError(f"its answer has more than {MOST_BYTES} bytes")
                parts.append(part)
            content = b"".join(parts)
    except ConfigError as error:
        raise StreamError(str(error)) from error
    except (aiohttp.ClientError, OSError, ValueError) as error:  # TimeoutError is an OSError
        raise StreamError(causes.find_words(error) or type(error).__name__) from error
    now = datetime.datetime.now(datetime.UTC)
    return await asyncio.to_thread(parse, content, now, is_all=startup)


def parse(content: bytes, now: datetime.datetime, *, is_all: bool) -> Changes:
    """What cannot be read of a single decision is passed over. Pure. Raises: StreamError."""
    try:
        answer = json.loads(content)
        new, deleted = (answer.get(key) or [] for key in ("new", "deleted"))
        found = [ban for one in new if (ban := _read(one, now)) is not None]
        gone = [str_ for one in deleted if (str_ := _network(one)) is not None]
    except (ValueError, AttributeError, TypeError, RecursionError) as error:
        raise StreamError("its answer is not what CrowdSec's local API sends; check `crowdsec.url`") from error
    return Changes(new=tuple(found), deleted=tuple(gone), is_all=is_all)


def _read(one: object, now: datetime.datetime) -> banned_networks.Ban | None:
    network = _network(one)
    if network is None or not isinstance(one, dict):
        return None
    left_s = _seconds(one.get("duration"))
    if left_s is None or left_s <= 0:
        return None
    scenario = one.get("scenario")
    return banned_networks.Ban(
        network=network,
        reason=banned_networks.Reason.CROWDSEC,
        since=now,
        until=now + datetime.timedelta(seconds=min(left_s, _LONGEST_S)),
        note=scenario[:200] if isinstance(scenario, str) else "",
    )


def _network(one: object) -> str | None:
    if not isinstance(one, dict) or str(one.get("type")).lower() != "ban":
        return None
    if str(one.get("scope")).lower() not in _SCOPES:
        return None
    try:
        return banned_networks.show(banned_networks.parse(str(one.get("value"))))
    except ValueError:
        return None


def _seconds(text: object) -> float | None:
    """As Go writes durations (pkg.go.dev/time#ParseDuration): "3h59m58.5s"."""
    if not isinstance(text, str) or not _DURATION.match(text):
        return None
    total = sum(float(number) * _UNITS_S[unit] for number, unit in _PART.findall(text))
    return -total if text.startswith("-") else total


def merge(known: collections.abc.Mapping[str, banned_networks.Ban], changes: Changes) -> dict[str, banned_networks.Ban]:
    """By network. A ban that goes on keeps its beginning."""
    found = {} if changes.is_all else dict(known)
    for network in changes.deleted:
        found.pop(network, None)
    for one in changes.new:
        before, other = known.get(one.network), found.get(one.network)
        if other is not None and other.until is not None and one.until is not None and other.until > one.until:
            continue
        found[one.network] = one if before is None else dataclasses.replace(one, since=before.since)
    return found
