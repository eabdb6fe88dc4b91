"""What the store keeps of each certificate, so that a restart goes on where the last process ended.

    certs/NAME/certificate.json   what a CA issued last: chain and key, in one value so that they are never mixed
    certs/NAME/order.json         the order a CA works on now, with the key its certificate will have
    certs/NAME/attempts.json      failures in a row and when to try again

A value that cannot be read counts as missing: the worst that follows is one more order.
"""

import contextlib
import dataclasses
import datetime
import json
import typing

from cryptography.hazmat.primitives import serialization

from daemun import errors
from daemun.certs import bundle
from daemun.control import ports


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Issued:
    """A public certificate and the directory URL of the CA that issued it."""

    directory: str
    bundle: bundle.Bundle


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """An order (RFC 8555 section 7.1.3) that was made and not yet finished. key_pem: of the certificate to come."""

    directory: str
    hosts: tuple[str, ...]
    url: str
    key_pem: bytes = dataclasses.field(repr=False)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Attempts:
    """How it went so far, for these hosts at this CA; for others it starts anew (`is_for`).

    failures: in a row. next_attempt: not before then. reason: why the last one failed.
    """

    directory: str
    hosts: tuple[str, ...]
    failures: int = 0
    next_attempt: datetime.datetime | None = None
    reason: str | None = None

    def is_for(self, directory: str, hosts: tuple[str, ...]) -> bool:
        return self.directory == directory and set(self.hosts) == set(hosts)


def read_issued(store: ports.Store, name: str) -> Issued | None:
    with _missing_when_unreadable():
        value = _read(store, f"certs/{name}/certificate.json")
        found = bundle.parse(value["fullchain"].encode(), value["key"].encode())
        return Issued(directory=value["directory"], bundle=found)
    return None


def write_issued(store: ports.Store, name: str, issued: Issued) -> None:
    pair = {"fullchain": issued.bundle.fullchain_pem.decode(), "key": issued.bundle.key_pem.decode()}
    _write(store, f"certs/{name}/certificate.json", {"directory": issued.directory, **pair})


def read_order(store: ports.Store, name: str) -> Order | None:
    with _missing_when_unreadable():
        value = _read(store, f"certs/{name}/order.json")
        key_pem = value["key"].encode()
        # Without its key the order could be finished by nobody, and would be tried again and again.
        serialization.load_pem_private_key(key_pem, password=None)
        return Order(directory=value["directory"], hosts=tuple(value["hosts"]), url=value["url"], key_pem=key_pem)
    return None


def write_order(store: ports.Store, name: str, order: Order) -> None:
    value = {"directory": order.directory, "hosts": order.hosts, "url": order.url, "key": order.key_pem.decode()}
    _write(store, f"certs/{name}/order.json", value)


def delete_order(store: ports.Store, name: str) -> None:
    store.delete(f"certs/{name}/order.json")


def read_attempts(store: ports.Store, name: str) -> Attempts | None:
    with _missing_when_unreadable():
        value = _read(store, f"certs/{name}/attempts.json")
        next_attempt = value["next_attempt"] and datetime.datetime.fromisoformat(value["next_attempt"])
        if next_attempt and next_attempt.tzinfo is None:
            return None
        value["hosts"], value["failures"] = tuple(value["hosts"]), int(value["failures"])
        return Attempts(**{**value, "next_attempt": next_attempt})
    return None


def write_attempts(store: ports.Store, name: str, attempts: Attempts) -> None:
    next_attempt = attempts.next_attempt and attempts.next_attempt.isoformat()
    _write(store, f"certs/{name}/attempts.json", {**dataclasses.asdict(attempts), "next_attempt": next_attempt})


def delete_attempts(store: ports.Store, name: str) -> None:
    store.delete(f"certs/{name}/attempts.json")


def _missing_when_unreadable() -> contextlib.AbstractContextManager[None]:
    return contextlib.suppress(
        errors.NotFoundInStoreError,
        ValueError,
        KeyError,
        TypeError,
        AttributeError,  # BundleError is a ValueError
    )


def _read(store: ports.Store, key: str) -> dict[str, typing.Any]:
    value: dict[str, typing.Any] = json.loads(store.read(key))
    return value


def _write(store: ports.Store, key: str, value: dict[str, typing.Any]) -> None:
    store.write(key, json.dumps(value, indent=1).encode())
