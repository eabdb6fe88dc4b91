"""Every certificate of a CA that the store holds, found by the names that it covers.

    certs/NAME/certificate.json   what was issued last for one certificate (`certs.served.certificate_records`)
    adopted/DIGEST.json           what another ACME client left to us, and what was issued before and is still good for
                                  names that its successor does not cover; named by a digest of the certificate

A certificate belongs to the names that it covers, whatever site it was ordered for: renamed, split and merged sites go
on with what is there, and nothing is ordered that the store has.
"""

import collections
import collections.abc
import dataclasses
import datetime
import json
import threading

from daemun.certs.served import bundle, certificate_records, key_types, live_folder
from daemun.control import damaged_keys, ports
from daemun.core import model
from daemun.core.issuance import renewal_time
from daemun.core.texts import names

FOLDER = "adopted"


class CertificateStore:
    """Certificates of CAs by the names that they cover. Thread-safe. Read once from the store; what other machines of a
    fleet change there is read again."""

    def __init__(self, store: ports.Store, parse: live_folder.Parse = bundle.parse) -> None:
        self._store = store
        self._parse = parse
        self._guard = threading.RLock()
        self._is_loaded = False
        self._known: dict[str, certificate_records.Issued] = {}
        self._by_host: dict[str, dict[str, None]] = collections.defaultdict(dict)

    def own(self, name: str) -> certificate_records.Issued | None:
        """What was issued last for the certificate of this name."""
        with self._guard:
            return self._load().get(certificate_records.issued_key(name))

    def read_again(self, key: str) -> bool:
        """What another process may have changed. Returns: whether it has. What is damaged there stays as it was known.
        Raises: EnvironmentProblemError."""
        with self._guard:
            before, issued = self._load().get(key), self._read(key)
            if issued == before or (issued is None and self._store.damage.is_noted(key)):
                return False
            self._forget(key)
            if issued is not None:
                self._remember(key, issued)
            return True

    def is_own_damaged(self, name: str) -> bool:
        """Whether something was issued for the certificate of this name that cannot be read any more."""
        with self._guard:
            return self.own(name) is None and self._store.damage.is_noted(certificate_records.issued_key(name))

    def mend_own(self, name: str, found: bundle.Bundle, now: datetime.datetime) -> None:
        """What is shown for a certificate is what was issued for it last; of which CA is not known any more."""
        self.put_own(name, certificate_records.Issued(directory=certificate_records.UNKNOWN, bundle=found), now)
        self._store.damage.note_mended(
            certificate_records.issued_key(name), "it was made anew of what is served, nothing is to do"
        )

    def covering(self, host: str, now: datetime.datetime) -> list[certificate_records.Issued]:
        """Those that are good for a host and have not expired, also revoked ones."""
        with self._guard:
            known = self._load()
            keys = [key for label in _labels(host) for key in self._by_host.get(label, ())]
            return [known[key] for key in keys if now < known[key].bundle.not_after]

    def find(
        self,
        hosts: collections.abc.Sequence[str],
        now: datetime.datetime,
        directories: collections.abc.Container[str],
        *,
        of: model.CertificateSpec,
    ) -> certificate_records.Issued | None:
        """The one that covers all the hosts, is not due for renewal yet and comes from one of these CAs; of several
        the one that is good for longest. With it, nothing needs to be ordered for them. of: where two types of keys are
        wanted, the one for which it is sought."""
        known = self.covering(hosts[0], now) if hosts else ()
        good = [one for one in known if one.directory in directories and _is_enough(one, hosts, now, of)]
        return max(good, key=lambda one: one.bundle.not_after, default=None)

    def find_new(
        self,
        hosts: collections.abc.Sequence[str],
        now: datetime.datetime,
        directories: collections.abc.Container[str],
        *,
        of: model.CertificateSpec,
        before: certificate_records.Issued | None,
    ) -> certificate_records.Issued | None:
        """As `find`, what another process got for this certificate since `before` was the last. Raises:
        EnvironmentProblemError."""
        self.read_again(certificate_records.issued_key(of.name))
        own = self.own(of.name)
        is_new = own is not None and own != before and own.directory in directories
        return own if own is not None and is_new and _is_enough(own, hosts, now, of) else None

    def holds(self, found: bundle.Bundle) -> bool:
        """Whether it was adopted."""
        with self._guard:
            return key_of(found) in self._load()

    def adopt(self, issued: certificate_records.Issued) -> None:
        with self._guard:
            self._load()
            self._write(key_of(issued.bundle), issued)

    def put_own(
        self,
        name: str,
        issued: certificate_records.Issued,
        now: datetime.datetime,
        records: ports.Store | None = None,
    ) -> None:
        """What was issued for a certificate. The one before stays as long as it is good for longer, or for names that
        the new one is not good for, or comes from another CA, or has another type of key: who goes back to those names,
        that CA or that type has it. records: as of `certificate_files`."""
        # By the CA's clock: this machine's may be years ahead, and what it deletes is gone on all machines of a fleet.
        now = min(now, issued.bundle.not_before)
        with self._guard:
            before = self._load().get(certificate_records.issued_key(name))
            if before is not None and _is_worth_keeping(before, issued, now):
                self._write(key_of(before.bundle), before, records)
            self._write(certificate_records.issued_key(name), issued, records)
            self._prune(now)

    def note_revoked(self, found: bundle.Bundle) -> None:
        """Another one is needed wherever this one is shown."""
        with self._guard:
            for key, issued in list(self._load().items()):
                if issued.bundle.fingerprint == found.fingerprint:
                    self._write(key, dataclasses.replace(issued, is_revoked=True))

    def _load(self) -> dict[str, certificate_records.Issued]:
        """What is damaged counts as missing: a CA issues another one."""
        if not self._is_loaded:
            own = [key for key in self._store.list("certs") if key.endswith("/certificate.json")]
            for key in (*own, *self._store.list(FOLDER)):
                issued = self._read(key)
                if issued is not None:
                    self._remember(key, issued)
            self._is_loaded = True
        return self._known

    def _read(self, key: str) -> certificate_records.Issued | None:
        follows = "the certificate under live/ goes on where it is the same, else another one is ordered"
        return damaged_keys.read(
            self._store,
            key,
            lambda content: certificate_records.parse_issued(json.loads(content), self._parse),
            follows=follows,
        )

    def _write(self, key: str, issued: certificate_records.Issued, records: ports.Store | None = None) -> None:
        certificate_records.write_issued(records or self._store, key, issued)
        self._forget(key)
        self._remember(key, issued)

    def _remember(self, key: str, issued: certificate_records.Issued) -> None:
        self._known[key] = issued
        for host in issued.bundle.names():
            self._by_host[_label(host)][key] = None

    def _forget(self, key: str) -> None:
        before = self._known.pop(key, None)
        for host in before.bundle.names() if before is not None else ():
            self._by_host[_label(host)].pop(key, None)

    def _prune(self, now: datetime.datetime) -> None:
        """Without those that will not be shown any more."""
        for key, issued in list(self._known.items()):
            if key.startswith(FOLDER) and now >= issued.bundle.not_after:
                self._store.delete(key)
                self._forget(key)


def key_of(found: bundle.Bundle) -> str:
    return f"{FOLDER}/{found.fingerprint[:32]}.json"


def _is_enough(
    issued: certificate_records.Issued,
    hosts: collections.abc.Sequence[str],
    now: datetime.datetime,
    of: model.CertificateSpec,
) -> bool:
    """Whether with it nothing needs to be ordered for the hosts."""
    return (
        not issued.is_revoked
        and now < renewal_time.renew_at(issued.bundle.not_before, issued.bundle.not_after)
        and not issued.bundle.missing(hosts)
        and key_types.is_of_its_type(issued.bundle, of)
    )


def _is_worth_keeping(
    before: certificate_records.Issued, after: certificate_records.Issued, now: datetime.datetime
) -> bool:
    if before.is_revoked or now >= before.bundle.not_after or before.bundle.fingerprint == after.bundle.fingerprint:
        return False
    is_longer = before.bundle.not_after > after.bundle.not_after
    is_other = before.directory != after.directory or bool(after.bundle.missing(before.bundle.names()))
    algorithms = {one.bundle.facts.algorithm for one in (before, after)}
    return is_longer or is_other or len(algorithms) > 1


def _label(host: str) -> str:
    address = names.address_of(host)
    return host if address is None else address.compressed


def _labels(host: str) -> tuple[str, ...]:
    """What a certificate names that is good for the host: itself, or a wildcard for its first label."""
    if names.address_of(host) is not None or "." not in host:
        return (_label(host),)
    wildcard = f"*.{host.partition('.')[2]}"
    return (host,) if host == wildcard else (host, wildcard)
