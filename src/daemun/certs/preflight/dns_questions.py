"""A name's records, queried as a CA does: in DNS alone, not of /etc/hosts."""

import asyncio
import collections.abc
import contextlib
import ipaddress

import dns.asyncresolver
import dns.exception
import dns.message
import dns.name
import dns.rdatatype
import dns.rdtypes.ANY.CAA
import dns.resolver
import dns.rrset

from daemun.certs import daemon_thread, dns_lookup
from daemun.core.issuance.preflight import facts

LIFETIME_S = 5.0
"""For one question, whichever of the resolver's servers answers it."""
_TIMEOUT_S = 2.0
"""For one server; then the next one is tried."""

Resolver = dns.asyncresolver.Resolver


def make_resolver(servers: collections.abc.Sequence[str]) -> Resolver:
    """servers: as `model.Acme.resolvers`; empty: those of /etc/resolv.conf.

    Raises: dns.exception.DNSException when these cannot be read.
    """
    resolver = dns_lookup.make_resolver(servers, Resolver)
    resolver.lifetime, resolver.timeout = LIFETIME_S, _TIMEOUT_S
    return resolver


async def look_up(resolver: Resolver, host: str, servers: collections.abc.Sequence[str]) -> facts.Names:
    """The addresses of a name. servers: those of the resolver, as in `make_resolver`."""
    name = dns.name.from_text(host)
    found = _merge(
        await asyncio.gather(_query_addresses(resolver, name, "A"), _query_addresses(resolver, name, "AAAA"))
    )
    if found.addresses or found.failures:
        return found
    # A record that was made just now: the resolver may remember for hours that there was none, a CA queries anew.
    fresh = await _look_up_anew(host, servers)
    return facts.Names(addresses=fresh) if fresh else found


async def find_caa(resolver: Resolver, host: str) -> facts.Caa:
    """The records that count for a name (or a wildcard): its own or those of the nearest parent that has any.

    Source: RFC 8659 section 3.
    """
    name = dns.name.from_text(host.removeprefix("*."))
    while name != dns.name.root:
        try:
            answer = await resolver.resolve(name, "CAA", raise_on_no_answer=False)
        except dns.resolver.NXDOMAIN:
            answer = None
        except (dns.exception.DNSException, OSError) as error:
            return facts.Caa(failure=f"{dns_lookup.text(name)}: {explain(error)}")
        if answer is not None and answer.rrset is not None:
            return facts.Caa(at=dns_lookup.text(name), records=tuple(_caa_records(answer.rrset)))
        name = name.parent()
    return facts.Caa()


def explain(error: Exception) -> str:
    """Why a question had no answer, in words."""
    if isinstance(error, dns.resolver.LifetimeTimeout):
        return f"no answer within {LIFETIME_S:g} s"
    if isinstance(error, dns.resolver.NoNameservers):
        answers = (one[4] for one in error.kwargs["errors"])
        codes = {dns.rcode.to_text(one.rcode()) for one in answers if isinstance(one, dns.message.Message)}
        return f"the resolver answers {', '.join(sorted(codes))}" if codes else "the resolver gives no usable answer"
    if isinstance(error, dns.resolver.NoResolverConfiguration):
        return "this machine names no resolver in /etc/resolv.conf"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


async def _query_addresses(resolver: Resolver, name: dns.name.Name, kind: str) -> facts.Names:
    try:
        answer = await resolver.resolve(name, kind, raise_on_no_answer=False)
    except dns.resolver.NXDOMAIN:
        return facts.Names(exists=False)
    except (dns.exception.DNSException, OSError) as error:
        return facts.Names(failures=(f"{kind}: {explain(error)}",))
    return facts.Names(addresses=tuple(_addresses([answer.rrset] if answer.rrset is not None else [])))


async def _look_up_anew(host: str, servers: collections.abc.Sequence[str]) -> tuple[facts.Address, ...]:
    """What the name servers of the zone itself answer; nothing when they do not."""

    def query() -> tuple[dns.message.Message, ...]:
        return dns_lookup.Lookup(servers, lookup_s=LIFETIME_S).query_zone(host, "A", "AAAA")

    with contextlib.suppress(dns_lookup.LookupFailedError, TimeoutError):
        async with asyncio.timeout(LIFETIME_S):
            answers = await daemon_thread.run(query, name=f"look up {host}")
            return tuple(address for answer in answers for address in _addresses(answer.answer))
    return ()


def _merge(found: collections.abc.Sequence[facts.Names]) -> facts.Names:
    return facts.Names(
        addresses=tuple(address for one in found for address in one.addresses),
        exists=all(one.exists for one in found),
        failures=tuple(failure for one in found for failure in one.failures),
    )


def _addresses(rrsets: collections.abc.Iterable[dns.rrset.RRset]) -> list[facts.Address]:
    kinds = {dns.rdatatype.A, dns.rdatatype.AAAA}
    return sorted(ipaddress.ip_address(data.address) for rrset in rrsets if rrset.rdtype in kinds for data in rrset)


def _caa_records(rrset: dns.rrset.RRset) -> collections.abc.Iterator[facts.CaaRecord]:
    for data in rrset:
        assert isinstance(data, dns.rdtypes.ANY.CAA.CAA)
        yield facts.CaaRecord(
            tag=data.tag.decode("ascii", "replace").lower(),
            value=data.value.decode("utf-8", "replace"),
            is_critical=bool(data.flags & 128),
        )
