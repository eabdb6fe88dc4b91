"""Builds the provers for DNS and the task that removes leftover records, for `daemun up`."""

import collections.abc

from daemun.certs.acme import prover_port
from daemun.certs.dns01 import dns_prover, leftovers, persist_prover, record_users
from daemun.control import ports
from daemun.core import model


class DnsProofs:
    """changing: of a zone, held while it is changed. specs: the certificates that are kept now, with who makes records
    for them."""

    def __init__(
        self,
        store: ports.Store,
        clock: ports.Clock,
        specs: collections.abc.Callable[[], collections.abc.Iterable[model.CertificateSpec]],
    ) -> None:
        held = record_users.RecordUsers()
        self.changing = held.changing
        self._acme = model.Acme()
        self._prover = dns_prover.DnsProver(store, clock, held)
        self._checker = persist_prover.Checker(clock)
        self._leftovers = leftovers.Leftovers(store, clock, held, specs, lambda: self._acme)
        self.provers: prover_port.Provers = {
            model.Challenge.DNS_01: self._prover,
            model.Challenge.DNS_PERSIST_01: self._checker,
        }

    @property
    def resolvers(self) -> tuple[str, ...]:
        """DNS servers by which zones are found; none: the machine's."""
        return self._acme.resolvers

    def configure(self, acme: model.Acme) -> None:
        """Cheap when nothing changed."""
        if acme == self._acme:
            return
        self._acme = acme
        self._prover.configure(acme)
        self._checker.configure(acme)
        self._leftovers.wake()

    def start(self) -> None:
        """The first round of the gate is over: it is known which sites have records made."""
        self._leftovers.start()

    async def run(self) -> None:
        """Remove what was left in DNS, until cancelled."""
        await self._leftovers.run()
