"""DNS-01: the TXT records of an order are made, seen by all servers of their zones, and removed. Blocking."""

import collections.abc
import threading
import typing

import structlog

from daemun import errors
from daemun.certs import proofs
from daemun.certs.dns01 import holds, journal, records
from daemun.control import ports
from daemun.core import model, names

if typing.TYPE_CHECKING:
    from daemun.certs.dns01 import lookup, sight

log: structlog.stdlib.BoundLogger = structlog.get_logger()

LABEL = "_acme-challenge"


class Prover:
    """Implements `proofs.Prover` for `model.Challenge.DNS_01`. Thread-safe."""

    def __init__(self, store: ports.Store, clock: ports.Clock, held: holds.Holds) -> None:
        self._store = store
        self._clock = clock
        self._held = held
        self._resolvers: tuple[str, ...] = ()
        self._changing = threading.Lock()
        self._made: dict[proofs.Proof, list[records.Record]] = {}
        """One for each `present`: orders can share a proof."""

    def configure(self, acme: model.Acme) -> None:
        """Ask these DNS servers from now on."""
        self._resolvers = acme.resolvers

    def present(self, proofs: collections.abc.Sequence[proofs.Proof]) -> None:
        from daemun.certs.dns01 import lookup, sight  # noqa: PLC0415 - a megabyte that most gates do not need

        dns = lookup.Lookup(self._resolvers)
        wishes = [self._make(proof, dns) for proof in proofs]
        waits = [proof.dns.wait_s for proof in proofs if proof.dns is not None]
        sight.wait_until_seen(wishes, within_s=max(waits))

    def remove(self, proofs: collections.abc.Sequence[proofs.Proof]) -> None:
        for proof in proofs:
            record = self._pop(proof)
            if record is None or proof.dns is None:
                continue
            self._held.drop(record)
            try:
                remove(self._store, self._held, record, proof.dns)
            except errors.DaemunError as error:
                log.warning("a DNS record is not removed yet; it is tried again", record=str(record), error=str(error))
            except Exception as error:  # its text may hold anything, its type does not
                log.warning("a DNS record is not removed yet; it is tried again", record=str(record), error=type(error))

    def _make(self, proof: proofs.Proof, dns: "lookup.Lookup") -> "sight.Wish":
        from daemun.certs.dns01 import sight  # noqa: PLC0415 - as above

        if proof.dns is None:
            raise errors.ConfigError(f'cannot prove "{proof.host}" in DNS: nobody makes records; set `acme.dns`')
        place = _locate(proof.host, dns)
        record = records.Record(name=place.name, zone=place.zone, value=proof.content)
        maker = records.maker_for(proof.dns)
        self._held.take(record)
        with self._changing:
            self._made.setdefault(proof, []).append(record)
        # Noted first: from here on the record may be there, whatever happens to this process.
        note = journal.Note(record=record, host=proof.host, provider=proof.dns.provider, made_at=self._clock.now())
        journal.write(self._store, note)
        with self._held.changing(record.zone):
            maker.create(record)
        return sight.Wish(host=proof.host, place=place, is_good=lambda texts: record.value in texts)

    def _pop(self, proof: proofs.Proof) -> records.Record | None:
        with self._changing:
            found = self._made.get(proof, [])
            record = found.pop() if found else None
            if not found:
                self._made.pop(proof, None)
        return record


def remove(
    store: ports.Store, held: holds.Holds, record: records.Record, dns: model.Dns, *, forget: bool = True
) -> bool:
    """From DNS, then (forget) from the journal. Returns: False: nothing was done, because an order needs it.

    Raises: as `records.Maker`.
    """
    with held.removing(record) as is_free:
        if not is_free:
            return False
        maker = records.maker_for(dns)
        with held.changing(record.zone):
            maker.remove(record)
        if forget:
            journal.delete(store, record)
        return True


def _locate(host: str, dns: "lookup.Lookup") -> "lookup.Place":
    place = dns.locate(f"{LABEL}.{host}")
    if "." not in place.zone and names.is_signed_publicly(host):
        raise errors.RetryableError(
            f'cannot prove "{host}" in DNS: there is no zone for it, only "{place.zone or "."}"; check that the domain '
            "is registered and that its registrar names its name servers"
        )
    return place
