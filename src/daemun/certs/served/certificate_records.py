"""What the store keeps of each certificate, so that a restart goes on where the last process ended.

    certs/NAME/certificate.json   what a CA issued last: chain and key, in one value so that they are never mixed
    certs/NAME/order.json         the order a CA works on now, with the key its certificate will have
    certs/NAME/attempts.json      failures in a row and when to try again
    certs/NAME/renewal.json       when the CA wants the certificate to be renewed

A value that cannot be read counts as missing, and is reported: the worst that follows is one more order.
"""

import collections.abc
import dataclasses
import datetime
import json
import typing

from cryptography import exceptions
from cryptography.hazmat.primitives import serialization

from daemun.certs.served import bundle, live_folder
from daemun.control import damaged_keys, ports
from daemun.core import model
from daemun.core.issuance import renewal_advice

UNKNOWN = ""
"""The directory of a CA that nothing is known of any more: what it issued is good until it is due."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Issued:
    """A public certificate and the directory URL of the CA that issued it. is_revoked: by us, there."""

    directory: str
    bundle: bundle.Bundle
    is_revoked: bool = False


Keep = collections.abc.Callable[[Issued, ports.Store], object]
"""Writes what was issued by a store that takes it only as long as the lock of its order is held."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PendingOrder:
    """An order (RFC 8555 section 7.1.3) that was made and not yet finished. key_pem: of the certificate to come."""

    directory: str
    hosts: tuple[str, ...]
    url: str
    key_pem: bytes = dataclasses.field(repr=False)


MOST_TRIES, LONGEST_RESULT = 10, 1000
"""That are kept of those that failed, and characters of what came of one."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Attempts:
    """How it went so far, for what was ordered (`asked`, core.issuance.order_subject.fingerprint`); for anything else
    it starts anew.

    failures: in a row. next_attempt: not before then. reason: why the last one failed. since: when the first one did.
    holds: CAs (by directory) that get no request before a moment: a Retry-After, or a limit that daemun counts.
    rehearse: the CA looked and saw no proof: its test system is tried first. seen: what the names looked like (a
    fingerprint of DNS) at each failure: something new is a reason to try again early. tries: the last that failed.
    """

    asked: str
    failures: int = 0
    next_attempt: datetime.datetime | None = None
    reason: str | None = None
    since: datetime.datetime | None = None
    holds: tuple[tuple[str, datetime.datetime], ...] = ()
    rehearse: bool = False
    seen: tuple[str, ...] = ()
    tries: tuple[model.OrderTry, ...] = ()


def names(store: ports.Store) -> frozenset[str]:
    """The certificates of which something is kept."""
    return frozenset(key.split("/")[1] for key in store.list("certs"))


def read_issued(store: ports.Store, name: str) -> Issued | None:
    return damaged_keys.read(
        store, issued_key(name), _parse_issued, follows="without it, what lies under live/ is used"
    )


def _parse_issued(content: bytes) -> Issued:
    return parse_issued(json.loads(content))


def parse_issued(value: dict[str, typing.Any], parse: live_folder.Parse = bundle.parse) -> Issued:
    """Raises: ValueError, KeyError, TypeError, AttributeError: it is damaged."""
    found = parse(value["fullchain"].encode(), value["key"].encode())
    return Issued(directory=str(value["directory"]), bundle=found, is_revoked=bool(value.get("revoked")))


def write_issued(store: ports.Store, key: str, issued: Issued) -> None:
    """Where else the store keeps certificates (`certs.served.certificate_store`)."""
    pair = {"fullchain": issued.bundle.fullchain_pem.decode(), "key": issued.bundle.key_pem.decode()}
    _write(store, key, {"directory": issued.directory, "revoked": issued.is_revoked, **pair})


def read_order(store: ports.Store, name: str) -> PendingOrder | None:
    return damaged_keys.read(
        store, f"certs/{name}/order.json", _parse_order, follows="a new order is made, nothing is to do"
    )


def _parse_order(content: bytes) -> PendingOrder:
    value = json.loads(content)
    key_pem = value["key"].encode()
    # Without its key the order could not be finished, and would be tried again and again.
    try:
        serialization.load_pem_private_key(key_pem, password=None)
    except exceptions.UnsupportedAlgorithm as error:
        raise ValueError(str(error)) from None
    return PendingOrder(directory=value["directory"], hosts=tuple(value["hosts"]), url=value["url"], key_pem=key_pem)


def write_order(store: ports.Store, name: str, order: PendingOrder) -> None:
    value = {"directory": order.directory, "hosts": order.hosts, "url": order.url, "key": order.key_pem.decode()}
    _write(store, f"certs/{name}/order.json", value)


def delete_order(store: ports.Store, name: str) -> None:
    store.delete(f"certs/{name}/order.json")


def read_attempts(store: ports.Store, name: str) -> Attempts | None:
    follows = "earlier failures of its order are forgotten, nothing is to do"
    return damaged_keys.read(store, f"certs/{name}/attempts.json", _parse_attempts, follows=follows)


def _parse_attempts(content: bytes) -> Attempts:
    value = json.loads(content)
    return Attempts(
        asked=str(value["asked"]),
        failures=int(value["failures"]),
        next_attempt=_moment(value["next_attempt"]),
        reason=value["reason"],
        since=_moment(value["since"]),
        holds=tuple((str(directory), _known(_moment(until))) for directory, until in value["holds"]),
        rehearse=bool(value["rehearse"]),
        seen=tuple(map(str, value["seen"])),
        tries=tuple(map(_parse_try, value.get("tries", ())))[-MOST_TRIES:],  # an earlier daemun kept none
    )


def _parse_try(value: dict[str, typing.Any]) -> model.OrderTry:
    at, authority, result = _known(_moment(value["at"])), str(value["authority"]), str(value["result"])
    return model.OrderTry(at=at, authority=authority, result=result[:LONGEST_RESULT])


def write_attempts(store: ports.Store, name: str, attempts: Attempts) -> None:
    _write(store, f"certs/{name}/attempts.json", dataclasses.asdict(attempts))


def delete_attempts(store: ports.Store, name: str) -> None:
    store.delete(f"certs/{name}/attempts.json")


def read_advice(store: ports.Store, name: str) -> renewal_advice.RenewalAdvice | None:
    follows = "the CA is asked again when it wants the certificate renewed, nothing is to do"
    return damaged_keys.read(store, f"certs/{name}/renewal.json", _parse_advice, follows=follows)


def _parse_advice(content: bytes) -> renewal_advice.RenewalAdvice:
    value = json.loads(content)
    window = value["window"]
    return renewal_advice.RenewalAdvice(
        serial=str(value["serial"]),
        poll_at=_known(_moment(value["poll_at"])),
        window=window
        and renewal_advice.Window(
            start=_known(_moment(window["start"])),
            end=_known(_moment(window["end"])),
            explanation_url=window["explanation_url"],
        ),
        chosen=_moment(value["chosen"]),
    )


def write_advice(store: ports.Store, name: str, advice: renewal_advice.RenewalAdvice) -> None:
    _write(store, f"certs/{name}/renewal.json", dataclasses.asdict(advice))


def _moment(value: str | None) -> datetime.datetime | None:
    """Raises: ValueError: it has no time zone."""
    if value is None:
        return None
    moment = datetime.datetime.fromisoformat(value)
    if moment.tzinfo is None:
        raise ValueError("a moment without a time zone")
    return moment


def _known(moment: datetime.datetime | None) -> datetime.datetime:
    if moment is None:
        raise ValueError("a moment is missing")
    return moment


def issued_key(name: str) -> str:
    """Of what a CA issued."""
    return f"certs/{name}/certificate.json"


def _write(store: ports.Store, key: str, value: dict[str, typing.Any]) -> None:
    store.write(key, json.dumps(value, indent=1, default=datetime.datetime.isoformat).encode())
