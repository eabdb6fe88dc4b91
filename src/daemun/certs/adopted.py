"""Certificates that another ACME client left to us, until a site needs them.

    adopted/DIGEST.json   chain, key, and the directory URL of the CA; named by a digest of the certificate

A site whose names one of them covers, and that has none of its own that does, takes it: one may be for several
sites. From then on it is the site's, and renewed as such. Those that expired are removed.
"""

import collections.abc
import datetime
import hashlib
import json
import threading

from cryptography.hazmat.primitives import serialization

from daemun import errors
from daemun.certs import bundle, records
from daemun.control import ports

_FOLDER = "adopted"


class Adopted:
    """For all threads. Read once from the store, which nobody else changes while a daemon runs."""

    def __init__(self, store: ports.Store) -> None:
        self._store = store
        self._guard = threading.Lock()
        self._known: dict[str, records.Issued] | None = None

    def find(self, hosts: collections.abc.Sequence[str], now: datetime.datetime) -> records.Issued | None:
        """The one that covers all the hosts and is good for longest."""
        with self._guard:
            known = self._load(now).values()
        good = [one for one in known if now < one.bundle.not_after and not one.bundle.missing(hosts)]
        return max(good, key=lambda one: one.bundle.not_after, default=None)

    def holds(self, found: bundle.Bundle, now: datetime.datetime) -> bool:
        with self._guard:
            return key_of(found) in self._load(now)

    def put(self, issued: records.Issued, now: datetime.datetime) -> None:
        pair = {"fullchain": issued.bundle.fullchain_pem.decode(), "key": issued.bundle.key_pem.decode()}
        with self._guard:
            known = self._load(now)
            self._store.write(key_of(issued.bundle), json.dumps({"directory": issued.directory, **pair}).encode())
            known[key_of(issued.bundle)] = issued

    def remove(self, found: bundle.Bundle, now: datetime.datetime) -> None:
        with self._guard:
            known = self._load(now)
            self._store.delete(key_of(found))
            known.pop(key_of(found), None)

    def _load(self, now: datetime.datetime) -> dict[str, records.Issued]:
        """What is damaged counts as missing: a CA issues another one."""
        if self._known is None:
            read = {key: _read(self._store, key) for key in self._store.list(_FOLDER)}
            self._known = {key: issued for key, issued in read.items() if issued is not None}
            for key, issued in list(self._known.items()):
                if now >= issued.bundle.not_after:
                    self._store.delete(key)
                    del self._known[key]
        return self._known


def key_of(found: bundle.Bundle) -> str:
    digest = hashlib.sha256(found.leaf.public_bytes(serialization.Encoding.DER)).hexdigest()
    return f"{_FOLDER}/{digest[:32]}.json"


def _read(store: ports.Store, key: str) -> records.Issued | None:
    try:
        value = json.loads(store.read(key))
        found = bundle.parse(value["fullchain"].encode(), value["key"].encode())
        return records.Issued(directory=str(value["directory"]), bundle=found)
    except (errors.NotFoundInStoreError, ValueError, KeyError, TypeError, AttributeError):
        return None
