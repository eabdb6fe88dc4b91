"""DNS-01: the TXT records of an order are made, seen by all servers of their zones, and removed. Blocking."""

import collections.abc
import threading
import typing

import structlog

from daemun import errors, secret
from daemun.certs.acme import prover_port
from daemun.certs.dns01 import record_journal, record_users, txt_records
from daemun.control import ports
from daemun.core import model
from daemun.core.texts import names

if typing.TYPE_CHECKING:
    from daemun.certs import dns_lookup
    from daemun.certs.dns01 import propagation

log: structlog.stdlib.BoundLogger = structlog.get_logger()

LABEL = "_acme-challenge"


class DnsProver:
    """Implements `prover_port.Prover` for `model.Challenge.DNS_01`. Thread-safe."""

    def __init__(self, store: ports.Store, clock: ports.Clock, held: record_users.RecordUsers) -> None:
        self._store = store
        self._clock = clock
        self._held = held
        self._resolvers: tuple[str, ...] = ()
        self._changing = threading.Lock()
        self._made: dict[prover_port.Proof, list[txt_records.Record]] = {}
        """One for each `present`: orders can share a proof."""

    def configure(self, acme: model.Acme) -> None:
        """Query these DNS servers from now on."""
        self._resolvers = acme.resolvers

    def present(self, proofs: collections.abc.Sequence[prover_port.Proof]) -> None:
        from daemun.certs import dns_lookup  # noqa: PLC0415 - a megabyte that most gates do not need
        from daemun.certs.dns01 import propagation  # noqa: PLC0415 - a megabyte that most gates do not need

        dns = dns_lookup.Lookup(self._resolvers)
        expected = [self._make(proof, dns) for proof in proofs]
        waits = [proof.dns.wait_s for proof in proofs if proof.dns is not None]
        propagation.wait_until_seen(expected, within_s=max(waits))

    def remove(self, proofs: collections.abc.Sequence[prover_port.Proof]) -> None:
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

    def _make(self, proof: prover_port.Proof, dns: "dns_lookup.Lookup") -> "propagation.ExpectedRecord":
        from daemun.certs.dns01 import propagation  # noqa: PLC0415 - as above

        if proof.dns is None:
            raise errors.ConfigError(f'cannot prove "{proof.host}" in DNS: no provider makes records; set `acme.dns`')
        place = _locate(proof.host, dns)
        record = txt_records.Record(name=place.name, zone=place.zone, value=proof.content)
        maker = find_maker(proof.dns)
        self._held.take(record)
        with self._changing:
            self._made.setdefault(proof, []).append(record)
        # Noted first: from here on the record may be there, whatever happens to this process.
        note = record_journal.MadeRecord(
            record=record, host=proof.host, provider=proof.dns.provider, made_at=self._clock.now()
        )
        record_journal.write(self._store, note)
        with self._held.changing(record.zone), record_journal.changing(self._store, record.zone):
            maker.create(record)
        return propagation.ExpectedRecord(host=proof.host, place=place, is_good=lambda texts: record.value in texts)

    def _pop(self, proof: prover_port.Proof) -> txt_records.Record | None:
        with self._changing:
            found = self._made.get(proof, [])
            record = found.pop() if found else None
            if not found:
                self._made.pop(proof, None)
        return record


def remove(
    store: ports.Store,
    held: record_users.RecordUsers,
    record: txt_records.Record,
    dns: model.Dns,
    *,
    forget: bool = True,
) -> bool:
    """From DNS, then (forget) from the journal. Returns: False: nothing was done, because an order needs it.

    Raises: as `txt_records.Maker`.
    """
    with held.removing(record) as is_free:
        if not is_free:
            return False
        maker = find_maker(dns)
        with held.changing(record.zone), record_journal.changing(store, record.zone):
            maker.remove(record)
        if forget:
            record_journal.delete(store, record)
        return True


def find_maker(dns: model.Dns) -> txt_records.Maker:
    """The provider that the configuration names, with its secrets as they are now. Raises: ConfigError."""
    # Here, in the thread of an order: requests and dns-lexicon take a third of a second to import.
    from daemun.certs.dns01 import by_hook, by_lexicon, by_update  # noqa: PLC0415

    options = {name: secret.read(value) for name, value in dns.options}
    if dns.provider == model.HOOK:
        return by_hook.Hook(dns.command)
    if dns.provider == model.RFC2136:
        return by_update.make(options)
    return by_lexicon.Lexicon(dns.provider, options)


def _locate(host: str, dns: "dns_lookup.Lookup") -> "dns_lookup.RecordPlace":
    place = dns.locate(f"{LABEL}.{host}")
    if "." not in place.zone and names.is_signed_publicly(host):
        raise errors.RetryableError(
            f'cannot prove "{host}" in DNS: there is no zone for it, only "{place.zone or "."}"; check that the domain '
            "is registered and that its registrar names its name servers"
        )
    return place
