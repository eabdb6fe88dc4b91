"""All certificates that are wanted, with what follows from what is known of each.

What follows is worked out once per change of an entry, so that looking at all of them is a matter of comparing moments:
ten thousand take milliseconds, where reading their certificates again would take seconds.
"""

import asyncio
import collections.abc
import dataclasses
import datetime

from daemun.certs.managed import schedule
from daemun.certs.served import key_types
from daemun.core import model
from daemun.core.issuance import order_subject

_STEP_BACK = datetime.timedelta(minutes=1)


class CertificateIndex:
    """Every certificate that the sites need, by its name, with the plan that follows from its state. Not thread-safe.

    settling: keeps memory and disk together: while it is held, no other task looks or changes. confirmed: the names of
    the certificates whose sites are served, so that they may be ordered. forced: of those to be renewed now.
    """

    def __init__(self) -> None:
        self.settling = asyncio.Lock()
        self.confirmed: set[str] = set()
        self.forced: set[str] = set()
        self._acme: model.Acme | None = None
        self._entries: dict[str, schedule.ManagedCertificate] = {}
        self._plans: dict[str, schedule.CertificatePlan] = {}
        self._latest: datetime.datetime | None = None

    @property
    def entries(self) -> collections.abc.Mapping[str, schedule.ManagedCertificate]:
        return self._entries

    @property
    def acme(self) -> model.Acme | None:
        return self._acme

    def configure(self, acme: model.Acme) -> bool:
        """Whether this is another way of ordering than before. Other CAs, or another account, are tried at
        once."""
        before, self._acme = self._acme, acme
        if acme == before:
            return False
        if before is not None and before.authorities != acme.authorities:
            for name, entry in self._entries.items():
                self._entries[name] = dataclasses.replace(entry, attempts=None)
        self._plans.clear()
        return True

    def make_plans(
        self, entries: collections.abc.Mapping[str, schedule.ManagedCertificate], now: datetime.datetime
    ) -> dict[str, schedule.CertificatePlan]:
        """For `replace`. Changes nothing, so that a thread may do it: thousands of certificates take a second."""
        earlier, plans = dict(self._plans), {}
        for name, entry in entries.items():
            plan = earlier.get(name) if self._entries.get(name) is entry else None
            plans[name] = plan or schedule.plan_certificate(entry, self.authorities(entry.spec), now)
        return plans

    def replace(
        self,
        entries: dict[str, schedule.ManagedCertificate],
        plans: dict[str, schedule.CertificatePlan],
        made_for: model.Acme | None,
    ) -> None:
        """Want exactly these from now on. plans: of `make_plans`. made_for: `acme` when they were begun to be made."""
        self._entries, self._plans = entries, plans if made_for == self._acme else {}
        self.forced &= entries.keys()

    def put(self, name: str, entry: schedule.ManagedCertificate) -> None:
        self._entries[name] = entry
        self._plans.pop(name, None)

    def remove(self, name: str) -> None:
        self._entries.pop(name, None)
        self._plans.pop(name, None)
        self.confirmed.discard(name)
        self.forced.discard(name)

    def confirm_all(self) -> None:
        """The sites of all certificates are served."""
        self.confirmed = set(self._entries)

    def specs(self) -> tuple[model.CertificateSpec, ...]:
        return tuple(entry.spec for entry in self._entries.values())

    def beside(self, name: str) -> list[str]:
        """The certificate that is for the same names with a key of another type."""
        first = key_types.first_name(name)
        family = (first, *(key_types.name_of_second(first, algorithm) for algorithm in key_types.ALGORITHMS))
        return [one for one in family if one != name and one in self._entries]

    def find_authority(self, directory: str) -> model.Authority:
        """How the CA with this directory is reached: as in daemun.yaml, when it is there."""
        named = self._acme.authorities if self._acme is not None else ()
        own = tuple(one for spec in self.specs() if (one := spec.ordering.authority) is not None)
        for one in (*named, *own):
            if directory in {one.directory, one.staging}:
                return dataclasses.replace(one, directory=directory)
        return model.Authority(directory=directory)

    def directories(self, spec: model.CertificateSpec) -> tuple[str, ...]:
        """Of the CAs in use; none when they are not known yet."""
        return () if self._acme is None else order_subject.directories_of(spec, self._acme)

    def authorities(self, spec: model.CertificateSpec) -> schedule.Authorities | None:
        """The CAs in use; None: not known yet."""
        return None if self._acme is None else order_subject.authorities_of(spec, self._acme)

    def plans(self, now: datetime.datetime) -> collections.abc.Mapping[str, schedule.CertificatePlan]:
        """Of all entries. A clock that was set back makes all moments doubtful: they are worked out anew."""
        if self._latest is not None and now < self._latest - _STEP_BACK:
            self._plans.clear()
        self._latest = now
        if len(self._plans) < len(self._entries):
            for name, entry in self._entries.items():
                if name not in self._plans:
                    self._plans[name] = schedule.plan_certificate(entry, self.authorities(entry.spec), now)
        return self._plans
