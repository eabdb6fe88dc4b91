"""Which records a person has to make in DNS for a certificate, and whether they are there. Blocking, read-only."""

import asyncio
import collections.abc
import dataclasses

from daemun import errors
from daemun.certs import dns_lookup
from daemun.certs.acme import acme_accounts
from daemun.certs.dns01 import dns_prover, persist_prover, propagation
from daemun.certs.preflight import ca_directory
from daemun.control import ports
from daemun.core import model
from daemun.core.issuance import challenge_choice, persist_records
from daemun.core.issuance.preflight import facts
from daemun.core.texts import names


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class NameServerAnswer:
    """What one name server answers. is_there: whether it shows the record; None: it does not answer."""

    server: str
    address: str
    is_there: bool | None
    cause: str | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class DnsAdvice:
    """About one name. record: where the CA looks. made_at: where that leads by CNAMEs, in the zone.

    values: TXT records of which a person makes one, once; empty: daemun makes them itself, for each order.
    is_done: whether nothing is left to do. text: what there is to do, or to know.
    """

    host: str
    challenge: model.Challenge
    record: str
    made_at: str
    zone: str
    text: str
    is_done: bool
    values: tuple[str, ...] = ()
    seen: tuple[NameServerAnswer, ...] = ()


class Adviser:
    """store: None: no daemon ever ran, so there is no account yet."""

    def __init__(self, acme: model.Acme, store: ports.Store | None, clock: ports.Clock) -> None:
        self._acme = acme
        self._store = store
        self._clock = clock
        self._dns = dns_lookup.Lookup(acme.resolvers)

    def advise(self, hosts: collections.abc.Sequence[str], ordering: model.Ordering) -> tuple[DnsAdvice, ...]:
        """About every name of one certificate; a name and its wildcard are proved in one place.

        Raises: RetryableError when DNS or the CA do not answer; ConfigError when there is no account at the CA.
        """
        wildcards = {host.removeprefix("*.") for host in hosts if host.startswith("*.")}
        bases = dict.fromkeys(host.removeprefix("*.") for host in hosts if names.address_of(host) is None)
        is_persistent = ordering.challenge is model.Challenge.DNS_PERSIST_01
        statements = self._statements(ordering) if is_persistent else ()
        if is_persistent:
            return tuple(self._persistent(base, statements, is_wildcard=base in wildcards) for base in bases)
        return tuple(self._for_each_order(base, ordering, is_wildcard=base in wildcards) for base in bases)

    def _persistent(
        self, host: str, statements: collections.abc.Sequence[persist_records.Statement], *, is_wildcard: bool
    ) -> DnsAdvice:
        values = tuple(str(dataclasses.replace(one, is_wildcard=is_wildcard)) for one in statements)
        expected = persist_prover.expect_record(host, values, self._dns, self._clock)
        seen = _see(expected)
        is_done = any(one.is_there for one in seen) and not any(one.is_there is False for one in seen)
        record = f"{persist_records.LABEL}.{host}"
        text = "the record is there" if is_done else "make this TXT record, once, at the DNS provider; it stays"
        return DnsAdvice(
            host=host,
            challenge=model.Challenge.DNS_PERSIST_01,
            record=record,
            made_at=expected.place.name,
            zone=expected.place.zone,
            text=text,
            is_done=is_done,
            values=values,
            seen=seen,
        )

    def _for_each_order(self, host: str, ordering: model.Ordering, *, is_wildcard: bool) -> DnsAdvice:
        record = f"{dns_prover.LABEL}.{host}"
        place = self._dns.locate(record)
        seen = _see(propagation.ExpectedRecord(host=host, place=place, is_good=lambda _: True))
        name = f"*.{host}" if is_wildcard else host
        wanted = challenge_choice.choose_challenge(name, ordering)
        text = (
            _explain(name, record, place, ordering)
            if wanted is not model.Challenge.HTTP_01
            else ("nothing to do in DNS but its address: this name is proved over HTTP")
        )
        return DnsAdvice(
            host=host,
            challenge=wanted or model.Challenge.DNS_01,
            record=record,
            made_at=place.name,
            zone=place.zone,
            text=text,
            is_done=wanted is not None,
            seen=seen,
        )

    def _statements(self, ordering: model.Ordering) -> tuple[persist_records.Statement, ...]:
        """One for each name that the CA has."""
        authority = ordering.authority or self._acme.authorities[0]
        known = acme_accounts.read_registration(self._store, authority.directory) if self._store is not None else None
        if known is None or known.url is None:
            raise errors.ConfigError(
                f"cannot tell the record for dns-persist-01: it names daemun's account at {authority.directory}, and "
                "there is none yet; run `daemun up` with this configuration, which makes one with its first order"
            )
        issuers = self._fetch_issuers(authority)
        return tuple(persist_records.Statement(issuer=issuer, account=known.url) for issuer in issuers)

    def _fetch_issuers(self, authority: model.Authority) -> tuple[str, ...]:
        """The names by which the CA goes in DNS (RFC 8555 section 7.1.1, "caaIdentities"). Raises: RetryableError."""
        found = asyncio.run(ca_directory.fetch_directory(authority, self._clock))
        failed = f"cannot tell the record for dns-persist-01: the CA at {authority.directory}"
        if found.answer is not facts.CaAnswer.DIRECTORY:
            cause = f" ({found.detail})" if found.detail else ""
            raise errors.RetryableError(f"{failed} gives no directory{cause}; check `acme.directory`")
        if not found.identities:
            raise errors.RetryableError(
                f"{failed} does not say its own name in DNS (caaIdentities); the error of the first order tells the "
                "record"
            )
        return tuple(issuer.rstrip(".") for issuer in found.identities)


def _explain(name: str, record: str, place: dns_lookup.RecordPlace, ordering: model.Ordering) -> str:
    where = f"in the zone {place.zone}" if not place.aliases else f"at {place.name} in the zone {place.zone}"
    if ordering.dns is not None:
        return f"nothing to do: {ordering.dns.provider} makes the record {where} for each order, and removes it"
    return (
        f"nobody makes records for {name}: say in `acme.dns` who can change the zone {place.zone}; or delegate once, "
        f"by a CNAME from {record} to a name in a zone that a program may change"
    )


def _see(expected: propagation.ExpectedRecord) -> tuple[NameServerAnswer, ...]:
    return tuple(
        NameServerAnswer(
            server=one.server,
            address=one.address,
            is_there=one.is_good if one.silence is None else None,
            cause=one.silence,
        )
        for one in propagation.query_servers(expected)
    )
