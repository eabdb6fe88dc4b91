"""How a device gets the certificate that `daemun clients add --link` made: by the secret of a link, once, and within
its time. No HTTP.

    clients/links/DIGEST   the .p12 of one link, as encrypted as the file is, until it is handed over or has ended

Only the secret's digest is known, and the password of the file nowhere. The secret has 256 random bits, so looking one
up is no guess that is counted: a page elsewhere could make its visitors' browsers look up as many as it likes.
"""

import asyncio
import base64
import contextlib
import dataclasses
import datetime
import hashlib
import json
import re
import secrets

import structlog

from daemun import errors
from daemun.certs.served import client_ca
from daemun.control import ports, stored_values

log: structlog.stdlib.BoundLogger = structlog.get_logger()

_FOLDER = "clients/links"
_SECRET = re.compile(r"[A-Za-z0-9_-]{43}\Z")
SWEEP_S = 600.0
"""How often what has ended is looked for. It is not handed over from its end on, swept or not."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ClientLink:
    """name: of the client. p12: what the device installs."""

    name: str
    ends_at: datetime.datetime
    p12: bytes


class ClientLinks:
    """Blocking, but for `run`. A command makes links; the daemon, which is one, hands over what is behind them."""

    def __init__(self, store: ports.Store, clock: ports.Clock) -> None:
        self._store = store
        self._clock = clock

    def offer(self, issued: client_ca.IssuedClient, *, lifetime_s: float) -> tuple[str, datetime.datetime]:
        """Returns: the secret, which is known from here alone, and the end. Raises: EnvironmentProblemError."""
        self.remove_ended()
        secret = secrets.token_urlsafe(32)
        ends_at = self._clock.now() + datetime.timedelta(seconds=lifetime_s)
        link = ClientLink(name=issued.client.name, ends_at=ends_at, p12=issued.p12)
        self._store.write(_key(secret), _format(link))
        return secret, ends_at

    def find(self, secret: str) -> ClientLink | None:
        """None: there is no such link, or not any more. Raises: EnvironmentProblemError."""
        if not _SECRET.match(secret):
            return None
        link = self._read(_key(secret))
        return link if link is not None and link.ends_at > self._clock.now() else None

    def take(self, secret: str) -> ClientLink | None:
        """The same, once: it is deleted before anybody gets it. Raises: EnvironmentProblemError when it cannot be, and
        then nobody gets it."""
        if not _SECRET.match(secret):
            return None
        read = self._store.read_many([key := _key(secret)])
        revision, link = read.revision(key), self.find(secret)
        if link is None or revision == stored_values.ABSENT:
            return None
        with contextlib.suppress(errors.StoreConflictError):  # another machine of the fleet was first
            self._store.commit([stored_values.KeyChange(key=key, value=None, expected=revision)])
            return link
        return None

    def withdraw(self, name: str) -> None:
        """Those of a client. Raises: EnvironmentProblemError."""
        for key in self._store.list(_FOLDER):
            link = self._read(key)
            if link is None or link.name == name:
                self._store.delete(key)

    def remove_ended(self) -> None:
        """And what cannot be read. Raises: EnvironmentProblemError."""
        for key in self._store.list(_FOLDER):
            link = self._read(key)
            if link is None or link.ends_at <= self._clock.now():
                self._store.delete(key)

    async def run(self) -> None:
        """Remove those that have ended, until cancelled."""
        while True:
            try:
                await asyncio.to_thread(self.remove_ended)
            except errors.EnvironmentProblemError as error:
                log.warning(f"cannot remove links of `daemun clients add` that have ended: {error}")
            await asyncio.sleep(SWEEP_S)

    def _read(self, key: str) -> ClientLink | None:
        try:
            return _parse(self._store.read(key))
        except (errors.NotFoundInStoreError, ValueError, TypeError, KeyError):
            return None


def _key(secret: str) -> str:
    return f"{_FOLDER}/{hashlib.sha256(secret.encode()).hexdigest()}"


def _format(link: ClientLink) -> bytes:
    values = {"name": link.name, "ends_at": link.ends_at.isoformat(), "p12": base64.b64encode(link.p12).decode()}
    return json.dumps(values).encode()


def _parse(content: bytes) -> ClientLink:
    """Raises: ValueError, TypeError, KeyError."""
    values = json.loads(content)
    return ClientLink(
        name=str(values["name"]),
        ends_at=datetime.datetime.fromisoformat(values["ends_at"]),
        p12=base64.b64decode(values["p12"], validate=True),
    )
