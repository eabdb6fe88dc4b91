"""dns-persist-01: checks that the record, which a person made once, is there before the CA is to validate it. Changes
nothing in DNS."""

import collections.abc
import typing

from daemun import errors
from daemun.certs.acme import prover_port
from daemun.control import ports
from daemun.core import model
from daemun.core.issuance import persist_records

if typing.TYPE_CHECKING:
    from daemun.certs import dns_lookup
    from daemun.certs.dns01 import propagation


class Checker:
    """Implements `prover_port.Prover` for `model.Challenge.DNS_PERSIST_01`. Thread-safe."""

    def __init__(self, clock: ports.Clock) -> None:
        self._clock = clock
        self._resolvers: tuple[str, ...] = ()

    def configure(self, acme: model.Acme) -> None:
        """Query these DNS servers from now on."""
        self._resolvers = acme.resolvers

    def present(self, proofs: collections.abc.Sequence[prover_port.Proof]) -> None:
        """Raises: RetryableError naming every record that is missing, as it must be made."""
        from daemun.certs import dns_lookup  # noqa: PLC0415 - a megabyte that most gates do not need
        from daemun.certs.dns01 import propagation  # noqa: PLC0415 - a megabyte that most gates do not need

        dns = dns_lookup.Lookup(self._resolvers)
        missing: list[str] = []
        for proof in proofs:
            wanted = proof.content.splitlines()
            looks = propagation.query_servers(expect_record(proof.host, wanted, dns, self._clock))
            late = [str(one) for one in looks if one.silence is None and not one.is_good]
            if late or not looks:
                record = f'{persist_records.LABEL}.{proof.host} TXT "{wanted[0]}"'
                missing.append(f"{record} (not seen at {', '.join(late) or 'any server'})")
        if missing:
            raise errors.RetryableError(
                f"cannot validate by dns-persist-01: DNS lacks {' and '.join(missing)}; make it once at the DNS "
                "provider, it stays there for all renewals"
            )

    def remove(self, proofs: collections.abc.Sequence[prover_port.Proof]) -> None:
        """Records of this kind stay."""


def expect_record(
    host: str, wanted: collections.abc.Sequence[str], dns: "dns_lookup.Lookup", clock: ports.Clock
) -> "propagation.ExpectedRecord":
    """wanted: records of which one is enough. Raises: RetryableError."""
    from daemun.certs.dns01 import propagation  # noqa: PLC0415 - as above

    statements = [statement for statement in map(persist_records.parse, wanted) if statement is not None]

    def is_good(texts: tuple[str, ...]) -> bool:
        now = clock.now()
        return any(persist_records.satisfies(text, one, now) for text in texts for one in statements)

    return propagation.ExpectedRecord(host=host, place=dns.locate(f"{persist_records.LABEL}.{host}"), is_good=is_good)
