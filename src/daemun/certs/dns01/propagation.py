"""Waiting until the servers of a zone show a record. Blocking.

A CA queries any of them, and remembers an answer without the record; so every one must have it before the
CA is to validate. One that answers nothing at all is passed over by resolvers too, and so it is here.
"""

import collections.abc
import dataclasses
import time

import structlog

from daemun import errors
from daemun.certs import dns_lookup

log: structlog.stdlib.BoundLogger = structlog.get_logger()

FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 10.0
SILENT_TRIES = 4
"""A server that did not answer so often in a row is passed over."""
PATIENCE_S = 30.0
"""How long servers are queried again while none at all answers."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedRecord:
    """A record that is waited for. is_good: whether it is one of these texts."""

    host: str
    place: dns_lookup.RecordPlace
    is_good: collections.abc.Callable[[tuple[str, ...]], bool]


@dataclasses.dataclass(slots=True, kw_only=True)
class ServerReply:
    """The last answer of one server. tries: how often in a row it did not answer."""

    server: str
    address: str
    texts: tuple[str, ...] | None = None
    is_good: bool = False
    silence: str | None = None
    tries: int = 0

    def __str__(self) -> str:
        return f"{self.server} ({self.address})"


def query_servers(
    expected: ExpectedRecord, looks: collections.abc.Sequence[ServerReply] | None = None
) -> tuple[ServerReply, ...]:
    """Query every server of the zone once. looks: of the last time; those that were good are not queried again."""
    before = (
        looks
        if looks is not None
        else [
            ServerReply(server=server.name, address=address)
            for server in expected.place.servers
            for address in server.addresses
        ]
    )
    for one in before:
        if one.is_good:
            continue
        try:
            one.texts = dns_lookup.read_texts(
                dns_lookup.query(one.address, expected.place.name, "TXT"), expected.place.name
            )
        except dns_lookup.NoAnswerError as error:
            one.texts, one.silence = None, str(error)
            one.tries = SILENT_TRIES if error.hopeless else one.tries + 1
        else:
            one.is_good, one.silence, one.tries = expected.is_good(one.texts), None, 0
    return tuple(before)


def wait_until_seen(expected_records: collections.abc.Sequence[ExpectedRecord], *, within_s: float) -> None:
    """Until every server that answers shows every record. Raises: RetryableError naming the servers that do not."""
    started, pause_s = time.monotonic(), FIRST_PAUSE_S
    found = [query_servers(expected) for expected in expected_records]
    while not all(_is_done(looks) for looks in found):
        passed = time.monotonic() - started
        unanswered = [
            (expected, looks)
            for expected, looks in zip(expected_records, found, strict=True)
            if not _is_answered(looks)
        ]
        if passed >= within_s or (unanswered and passed >= min(within_s, PATIENCE_S)):
            unseen = [
                (expected, looks)
                for expected, looks in zip(expected_records, found, strict=True)
                if not _is_done(looks)
            ]
            raise errors.RetryableError(
                "; ".join(_explain(expected, looks, within_s) for expected, looks in unanswered or unseen)
            )
        time.sleep(min(pause_s, max(within_s - passed, 0.05)))
        pause_s = min(pause_s * 1.5, LONGEST_PAUSE_S)
        for expected, looks in zip(expected_records, found, strict=True):
            query_servers(expected, looks)
    for silent in (one for looks in found for one in looks if one.silence is not None):
        log.warning("a name server does not answer and was passed over", server=str(silent), cause=silent.silence)


def _is_answered(looks: collections.abc.Sequence[ServerReply]) -> bool:
    return any(one.silence is None for one in looks)


def _is_done(looks: collections.abc.Sequence[ServerReply]) -> bool:
    """Whether all have it but those that do not answer."""
    is_over = all(one.is_good or one.tries >= SILENT_TRIES for one in looks)
    return is_over and any(one.is_good for one in looks)


def _explain(expected: ExpectedRecord, looks: collections.abc.Sequence[ServerReply], within_s: float) -> str:
    failed = f'cannot show the CA that "{expected.host}" is ours'
    zone = expected.place.zone
    if not looks:
        return (
            f'{failed}: no name server of "{zone}" has an address in DNS; '
            "correct the NS records at the domain's registrar"
        )
    if not _is_answered(looks):
        silences = ", ".join(f"{one} {one.silence}" for one in looks)
        return (
            f'{failed}: no name server of "{zone}" answers this machine: {silences}; '
            "let it ask port 53 (UDP and TCP) of the internet, or check the servers"
        )
    unseen = ", ".join(str(one) for one in looks if one.silence is None and not one.is_good)
    silent = "".join(f"; {one} {one.silence}" for one in looks if one.silence is not None)
    return (
        f"{failed}: after {within_s:.0f} s the TXT record at {expected.place.name} is not yet seen at "
        f'{unseen or "any server"}{silent}; check that these servers get the zone "{zone}" from its primary, or raise '
        "`acme.dns.wait`"
    )
