"""Webhooks and ntfy: a POST that is taken with a status of 2xx.

Nothing of a URL, a token or an answer's body is in a message: URLs hold tokens, and bodies repeat them. aiohttp's own
messages are not used for the same reason.
"""

import asyncio
import collections.abc
import dataclasses
import email.header
import email.utils
import http
import json
import ssl

import aiohttp
import yarl

from daemun import causes, secret
from daemun.alerts import alert_message
from daemun.core import model
from daemun.core.alerts import alert_ledger
from daemun.core.options import alerts_option
from daemun.core.texts import url_rules
from daemun.errors import ConfigError, RetryableError

WITHIN_S = 15.0
"""For all of a delivery, however slowly the other side reads or answers."""

MOST_NTFY_BYTES = 3900
"""A longer message becomes a file to download. Source: docs.ntfy.sh/config/#message-limits, 4,096 bytes."""

_PRIORITIES = {
    alert_ledger.AlertEvent.FAILING: "3",
    alert_ledger.AlertEvent.EXPIRING: "4",
    alert_ledger.AlertEvent.UNSERVED: "4",
    alert_ledger.AlertEvent.UNWRITABLE: "4",
    alert_ledger.AlertEvent.ERRORS: "4",
    alert_ledger.AlertEvent.FILLING: "4",
    alert_ledger.AlertEvent.UNAPPLIED: "3",
    alert_ledger.AlertEvent.OLD_WORKERS: "3",
    alert_ledger.AlertEvent.WEAK: "3",
    alert_ledger.AlertEvent.BANS: "3",
    alert_ledger.AlertEvent.NODE_DOWN: "4",
    alert_ledger.AlertEvent.FLEET_DATABASE: "4",
    alert_ledger.AlertEvent.SOLVED: "2",
    alert_ledger.AlertEvent.TEST: "3",
}
"""From 1 to 5. Source: docs.ntfy.sh/publish/#message-priority."""
_URGENT = "5"
_TAGS = {
    alert_ledger.AlertEvent.FAILING: "warning",
    alert_ledger.AlertEvent.EXPIRING: "hourglass_flowing_sand",
    alert_ledger.AlertEvent.UNSERVED: "no_entry",
    alert_ledger.AlertEvent.UNWRITABLE: "floppy_disk",
    alert_ledger.AlertEvent.ERRORS: "boom",
    alert_ledger.AlertEvent.FILLING: "floppy_disk",
    alert_ledger.AlertEvent.UNAPPLIED: "construction",
    alert_ledger.AlertEvent.OLD_WORKERS: "hourglass",
    alert_ledger.AlertEvent.WEAK: "lock",
    alert_ledger.AlertEvent.BANS: "no_pedestrians",
    alert_ledger.AlertEvent.NODE_DOWN: "skull",
    alert_ledger.AlertEvent.FLEET_DATABASE: "electric_plug",
    alert_ledger.AlertEvent.SOLVED: "white_check_mark",
    alert_ledger.AlertEvent.TEST: "test_tube",
}
"""Emoji short codes. Source: docs.ntfy.sh/emojis."""

_CURES = {
    300: "name the address that it redirects to",
    401: "check the token",
    403: "check the token and its rights",
    404: "check the URL",
    410: "it was removed there; check the URL",
    429: "it takes no more messages for a while; daemun tries again by itself",
}

Headers = collections.abc.Mapping[str, str]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class WebhookSender:
    """Implements `targets.Target`: the JSON body of `alert_message.body_json`."""

    key: str
    name: str
    url: model.Secret

    async def deliver(self, what: alert_message.AlertMessage, context: ssl.SSLContext) -> str | None:
        content = json.dumps(alert_message.body_json(what), ensure_ascii=False).encode()
        await _post(self.url, content, {"Content-Type": "application/json"}, what, context)
        return None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class NtfySender:
    """Implements `targets.Target`. Source: docs.ntfy.sh/publish."""

    key: str
    name: str
    ntfy: alerts_option.Ntfy

    async def deliver(self, what: alert_message.AlertMessage, context: ssl.SSLContext) -> str | None:
        event = what.notice.event
        headers = {
            "Content-Type": "text/plain; charset=utf-8",
            "Title": _encode(f"{what.machine}: {what.headline}"),
            "Priority": _URGENT if what.is_urgent else _PRIORITIES[event],
            "Tags": _TAGS[event],
        }
        if self.ntfy.token is not None:
            token = await asyncio.to_thread(secret.read, self.ntfy.token)
            if not (token.isascii() and token.isprintable()):
                raise ConfigError(f"cannot use the token in {self.ntfy.token}: it holds characters that no token has")
            headers["Authorization"] = f"Bearer {token}"
        await _post(self.ntfy.url, _cut(what.text, MOST_NTFY_BYTES), headers, what, context)
        return None


async def _post(
    where: model.Secret, content: bytes, headers: Headers, what: alert_message.AlertMessage, context: ssl.SSLContext
) -> None:
    """Raises: ConfigError for a URL that is none; RetryableError when it is not taken."""
    url = await asyncio.to_thread(secret.read, where)
    if url_rules.check_web_url(url) is not None:
        raise ConfigError(f"cannot use the URL in {where}: it is not an http or https URL")
    agent = {"User-Agent": f"daemun/{what.version}"}
    try:
        async with (
            asyncio.timeout(WITHIN_S),  # as a whole, so that no step needs a bound of its own
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None), trust_env=True) as client,
            # The body is not read: closing the connection ends it, however long it is.
            client.post(
                yarl.URL(url), data=content, headers={**headers, **agent}, ssl=context, allow_redirects=False
            ) as answer,
        ):
            status, retry_after = answer.status, answer.headers.get("Retry-After")
    except TimeoutError:
        raise RetryableError(f"no answer within {WITHIN_S:g} s; check that it runs and can be reached") from None
    except (OSError, aiohttp.ClientError, ValueError) as error:
        words = causes.find_words(error) or f"the connection failed ({type(error).__name__})"
        raise RetryableError(f"{words}; check that it runs and can be reached from here") from None
    if not 200 <= status < 300:
        raise RetryableError(_explain(status), retry_after_s=_seconds(retry_after, what))


def _explain(status: int) -> str:
    try:
        phrase = f" ({http.HTTPStatus(status).phrase})"
    except ValueError:
        phrase = ""
    cure = _CURES.get(300 if 300 <= status < 400 else status, "its own log tells more")
    return f"it answered with HTTP status {status}{phrase}, expected 200 to 299; {cure}"


def _seconds(retry_after: str | None, what: alert_message.AlertMessage) -> float | None:
    """RFC 9110 section 10.2.3: seconds, or a date."""
    if retry_after is None:
        return None
    if retry_after.isascii() and retry_after.isdecimal():
        return float(retry_after[:9])
    try:
        until = email.utils.parsedate_to_datetime(retry_after)
        return max(0.0, (until - what.at).total_seconds())
    except (ValueError, TypeError):  # no date, or one without a zone
        return None


def _encode(title: str) -> str:
    """Headers are ASCII; ntfy decodes RFC 2047. Source: docs.ntfy.sh/publish/#message-title."""
    line = " ".join(title.split())
    return (
        line
        if line.isascii() and line.isprintable()
        else email.header.Header(line, "utf-8", maxlinelen=10_000).encode()
    )


def _cut(text: str, most: int) -> bytes:
    content = text.encode()
    if len(content) <= most:
        return content
    return content[:most].decode(errors="ignore").encode() + "…".encode()
