"""Zones and the name servers that answer for them, queried directly."""

import asyncio
import collections.abc
import dataclasses

import dns.asyncquery
import dns.asyncresolver
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.resolver

_PORT = 53
_WAIT_S = 3.0
_MOST_SERVERS = 13
"""No more are queried. A zone has rarely more than eight."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ZoneServer:
    """A name server of a zone. addresses: IPv4 first; empty: its name has none."""

    name: str
    addresses: tuple[str, ...]


def text(name: dns.name.Name) -> str:
    """Without the last dot; "." for the root."""
    return name.to_text(omit_final_dot=True)


async def find_zone(resolver: dns.asyncresolver.Resolver, name: dns.name.Name) -> dns.name.Name:
    """The zone that a name lies in. Raises: dns.exception.DNSException, OSError."""
    return await dns.asyncresolver.zone_for_name(name, resolver=resolver, lifetime=resolver.lifetime)


async def find_servers(resolver: dns.asyncresolver.Resolver, zone: dns.name.Name) -> tuple[ZoneServer, ...]:
    """Raises: dns.exception.DNSException, OSError when the zone's NS records cannot be looked up."""
    answer = await resolver.resolve(zone, "NS")
    names = sorted(record.target for record in answer)[:_MOST_SERVERS]
    found = await asyncio.gather(*(_find_addresses(resolver, name) for name in names))
    return tuple(ZoneServer(name=text(name), addresses=addresses) for name, addresses in zip(names, found, strict=True))


async def query_server(server: ZoneServer, name: dns.name.Name, kind: dns.rdatatype.RdataType) -> dns.message.Message:
    """The answer of a name server from its own zone, the first that one of its addresses gives.

    Raises: dns.exception.DNSException, OSError.
    """
    failure: Exception = OSError("its name has no address in DNS")
    for address in server.addresses:
        query = dns.message.make_query(name, kind)
        query.flags &= ~dns.flags.RD
        try:
            answer, _ = await dns.asyncquery.udp_with_fallback(query, address, timeout=_WAIT_S, port=_PORT)
        except (dns.exception.DNSException, OSError) as error:
            failure = error
            continue
        return answer
    raise failure


async def query_any(
    servers: collections.abc.Iterable[ZoneServer], name: dns.name.Name, kind: dns.rdatatype.RdataType
) -> dns.message.Message | None:
    """The first good answer; None: there is none."""
    for server in servers:
        try:
            answer = await query_server(server, name, kind)
        except (dns.exception.DNSException, OSError):
            continue
        if answer.rcode() in {dns.rcode.NOERROR, dns.rcode.NXDOMAIN} and answer.flags & dns.flags.AA:
            return answer
    return None


async def _find_addresses(resolver: dns.asyncresolver.Resolver, name: dns.name.Name) -> tuple[str, ...]:
    async def find(kind: str) -> list[str]:
        try:
            answer = await resolver.resolve(name, kind, raise_on_no_answer=False)
        except (dns.exception.DNSException, OSError):
            return []
        return sorted(record.address for record in answer) if answer.rrset is not None else []

    found = await asyncio.gather(find("A"), find("AAAA"))
    return (*found[0], *found[1])
