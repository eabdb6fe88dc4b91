"""All of proofs in DNS, as `daemun up` needs it."""

import collections.abc

from daemun.certs import proofs
from daemun.certs.dns01 import holds, leftovers, persist, prover
from daemun.control import ports
from daemun.core import model


class Dns:
    """specs: the certificates that are kept now, with who makes records for them."""

    def __init__(
        self,
        store: ports.Store,
        clock: ports.Clock,
        specs: collections.abc.Callable[[], collections.abc.Iterable[model.CertificateSpec]],
    ) -> None:
        held = holds.Holds()
        self._acme = model.Acme()
        self._prover = prover.Prover(store, clock, held)
        self._checker = persist.Checker(clock)
        self._leftovers = leftovers.Leftovers(store, clock, held, specs, lambda: self._acme)
        self.provers: proofs.Provers = {
            model.Challenge.DNS_01: self._prover,
            model.Challenge.DNS_PERSIST_01: self._checker,
        }

    def configure(self, acme: model.Acme) -> None:
        """Cheap when nothing changed."""
        if acme == self._acme:
            return
        self._acme = acme
        self._prover.configure(acme)
        self._checker.configure(acme)
        self._leftovers.wake()

    def start(self) -> None:
        """The first round of the gate is over: it is known for whom records are made."""
        self._leftovers.start()

    async def run(self) -> None:
        """Remove what was left in DNS, until cancelled."""
        await self._leftovers.run()
